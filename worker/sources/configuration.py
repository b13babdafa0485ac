"""The sources file: who may tell us about people, how they prove it, and how much their word weighs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from pydantic import ValidationError

from worker.roster import OPERATOR
from worker.sources.amqp import AmqpSource
from worker.sources.hook import HmacSource, HookSource
from worker.sources.roster_files import FileSource, FolderSource
from worker.sources.secret import Surroundings
from worker.sources.source import SourceConfig, SourceKind
from worker.toml.lines import KeyPath
from worker.toml.problems import NotToml, Problem, findings_of, keys_of, parsed, problems_of, unknown_key

RESERVED_NAMES = (OPERATOR, "api", "celery", "import")
"""Names of ways in that need no entry: an operator, the API, a Celery producer, a roster file."""

OPERATOR_PRECEDENCE = 1_000_000

MODELS: Mapping[SourceKind, type[SourceConfig]] = {
    SourceKind.STANDARD_WEBHOOKS: HookSource,
    SourceKind.SVIX: HookSource,
    SourceKind.FINCH: HookSource,
    SourceKind.GITHUB: HookSource,
    SourceKind.HMAC: HmacSource,
    SourceKind.AMQP: AmqpSource,
    SourceKind.FILE: FileSource,
    SourceKind.FOLDER: FolderSource,
}
"""What the table of each kind may hold. A kind is a row here, a name in ``SourceKind`` and, where needed, a class."""

_NAME = re.compile(r"[a-z0-9_-]{1,64}")
_PLANNED = (
    "bamboohr",
    "gusto",
    "hibob",
    "remote",
    "deel",
    "merge",
    "workos",
    "okta-hook",
    "scim",
    "ldap",
)

_S = TypeVar("_S", bound=SourceConfig)


class SourcesInvalid(ValueError):
    """The sources file cannot be used. The message names the line, the source and the key, never a secret."""


@dataclass(frozen=True, slots=True)
class Sources:
    """All configured sources, by name."""

    by_name: Mapping[str, SourceConfig] = field(default_factory=dict)

    def get(self, name: str) -> SourceConfig | None:
        """Return the source of that name, or None."""
        return self.by_name.get(name)

    def of(self, model: type[_S]) -> tuple[_S, ...]:
        """Return the sources of a class, as all that have a hook."""
        return tuple(source for source in self.by_name.values() if isinstance(source, model))

    @property
    def precedence(self) -> Mapping[str, int]:
        """How much each source's word weighs: the operator's most, the other reserved names' 0."""
        reserved = dict.fromkeys(RESERVED_NAMES, 0) | {OPERATOR: OPERATOR_PRECEDENCE}
        return reserved | {name: source.precedence for name, source in self.by_name.items()}

    @property
    def creators(self) -> frozenset[str]:
        """The sources that may make people: those that say so, and the reserved ways in apart from the operator's."""
        return frozenset(RESERVED_NAMES) - {OPERATOR} | {n for n, source in self.by_name.items() if source.creates}


def load_sources(text: str, environment: Mapping[str, str], directory: Path = Path()) -> Sources:
    """Read the sources file of `contracts.md` section 6.

    Secrets come from the environment given, or from files, whose relative paths start at ``directory``.
    Raises SourcesInvalid with everything that is wrong, in the order of the lines.
    """
    try:
        sources, findings = _read(parsed(text), Surroundings(environment, directory))
        problems = problems_of(findings, text)
    except NotToml as error:
        problems = (error.problem,)
    except RecursionError:
        problems = (Problem(None, "", "this is nested too deeply"),)
    if problems:
        raise SourcesInvalid("; ".join(map(str, problems)))
    return Sources(MappingProxyType(sources))


def _read(
    document: Mapping[str, object], surroundings: Surroundings
) -> tuple[dict[str, SourceConfig], dict[KeyPath, str]]:
    findings: dict[KeyPath, str] = {
        (name,): "is not known: only [sources.NAME] tables are" for name in document if name != "sources"
    }
    tables = document.get("sources", {})
    if not isinstance(tables, dict):
        return {}, findings | {("sources",): "must be tables, as [sources.hr]"}
    sources: dict[str, SourceConfig] = {}
    for name, table in tables.items():
        read = _source(name, table, surroundings)
        if isinstance(read, SourceConfig):
            sources[name] = read
        else:
            findings |= {("sources", name, *path): reason for path, reason in read.items()}
    return sources, findings


def _source(name: str, table: object, surroundings: Surroundings) -> SourceConfig | dict[KeyPath, str]:
    """Return the source, or what is wrong with it by paths from its table on."""
    if not _NAME.fullmatch(name):
        return {(): "a name has 1 to 64 characters out of a-z, 0-9, _ and -"}
    if name in RESERVED_NAMES:
        return {(): f"the name is reserved, as are {', '.join(RESERVED_NAMES)}"}
    if not isinstance(table, dict):
        return {(): f"must be a table, as [sources.{name}]"}
    if (kind := table.get("kind")) not in tuple(SourceKind):
        return {("kind",): _no_kind(kind)}
    model = MODELS[SourceKind(str(kind))]
    try:
        source = model.model_validate({**table, "name": name}, context=surroundings)
    except ValidationError as error:
        return findings_of(error, lambda path: _keys(model, path))
    return {("name",): unknown_key("name", _keys(model, ()))} if "name" in table else source


def _no_kind(kind: object) -> str:
    if kind in _PLANNED:
        return f"{kind!r} is not available in this version"
    return f"must be one of: {', '.join(SourceKind)}"


def _keys(model: type[SourceConfig], path: KeyPath) -> list[str]:
    return [key for key in keys_of(model, path) if path or key != "name"]
