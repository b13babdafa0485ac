"""A domain of the account."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from worker.mail.fields import FieldValue


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain as the host shows it (`migadu-behaviour.md` 1.8)."""

    name: str
    """Lower-case and in punycode."""
    state: str | None = None
    """``active`` or ``inactive``."""
    fields: Mapping[str, FieldValue] = field(default_factory=dict, hash=False)
    """By Migadu's field name; only names of DOMAIN_FIELDS."""
    other: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)
    """What else the host shows, as it came."""

    @property
    def is_active(self) -> bool:
        """Whether its mail is handled."""
        return self.state == "active"

    @property
    def writable(self) -> Mapping[str, FieldValue]:
        """All that a write can change, by Migadu's names, as far as the host shows it."""
        return {**self.fields, "state": self.state}
