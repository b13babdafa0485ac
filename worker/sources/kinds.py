"""The kinds of sources with a hook: how each signs, and how its bodies are read. One row per kind, no class."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from worker.sources.presets import FINCH, GITHUB, STANDARD_WEBHOOKS, SVIX
from worker.sources.signature import Preset
from worker.sources.source import SourceKind


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of hook."""

    preset: Preset | None
    """None: the operator declares it."""
    map: Mapping[str, object] = field(default_factory=dict)
    """A ready ``[sources.NAME.map]``, whose keys an operator may replace; without any, bodies are canonical events."""


_OF_PEOPLE = ("directory", "individual", "employment")
_FINCH_MAP = {
    "subject": "data.individual_id",
    "type": "event_type",
    "types": {f"{model}.{change}": "" for model in _OF_PEOPLE for change in ("created", "updated", "deleted")},
}
"""Finch tells ids alone: what changed, a deletion included, the record tells. Accounts and jobs are passed over."""

KINDS: Mapping[SourceKind, Kind] = {
    SourceKind.STANDARD_WEBHOOKS: Kind(STANDARD_WEBHOOKS),
    SourceKind.SVIX: Kind(SVIX),
    SourceKind.FINCH: Kind(FINCH, _FINCH_MAP),
    SourceKind.GITHUB: Kind(GITHUB),
    SourceKind.HMAC: Kind(None),
}
