"""The sources file: who may tell us about people, how they prove it, and how much their word weighs."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from pydantic import SecretStr

from worker.roster import OPERATOR
from worker.sources.standard_webhooks import BadSignature, check_secret

RESERVED_NAMES = (OPERATOR, "api", "celery", "import")
"""Names of ways in that need no entry: an operator, the API, a Celery producer, a roster file."""

OPERATOR_PRECEDENCE = 1_000_000
_HIGHEST_PRECEDENCE = 1000

_NAME = re.compile(r"[a-z0-9_-]{1,64}")
_KEYS = ("kind", "secret_env", "secret_file", "precedence", "creates")
_PLANNED = (
    "bamboohr",
    "gusto",
    "hibob",
    "remote",
    "deel",
    "merge",
    "workos",
    "hmac",
    "okta-hook",
    "scim",
    "folder",
    "ldap",
)


class SourceKind(StrEnum):
    """The kinds of sources this version can listen to."""

    STANDARD_WEBHOOKS = "standard-webhooks"


class SourcesInvalid(ValueError):
    """The sources file cannot be used. The message names the line, the source and the key, never a secret."""


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """One source as configured."""

    name: str
    """Ours: the last part of its hook's path, and the name its statements are kept under."""
    kind: SourceKind
    secrets: tuple[SecretStr, ...]
    """Any of them may have signed; several during a rotation."""
    precedence: int = 0
    """Higher speaks where two sources state the same fact."""
    creates: bool = False
    """May make people; others only add facts to people who are known."""


@dataclass(frozen=True, slots=True)
class Sources:
    """All configured sources, by name."""

    by_name: Mapping[str, SourceConfig] = field(default_factory=dict)

    def get(self, name: str) -> SourceConfig | None:
        """Return the source of that name, or None."""
        return self.by_name.get(name)

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
    Raises SourcesInvalid with one sentence on the first thing that is wrong.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SourcesInvalid(f"the sources file is not TOML: {error}") from error
    for name in document:
        if name != "sources":
            raise SourcesInvalid(f"{_line(text, name)}{name!r} is not known: only [sources.NAME] tables are")
    tables = document.get("sources", {})
    if not isinstance(tables, dict):
        raise SourcesInvalid(f"{_line(text, 'sources')}sources must be tables, as [sources.hr]")
    reader = _Reader(text, environment, directory)
    return Sources(MappingProxyType({name: reader.source(name, table) for name, table in tables.items()}))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one table after the other; holds what they are read against."""

    text: str
    environment: Mapping[str, str]
    directory: Path

    def source(self, name: str, table: object) -> SourceConfig:
        if not _NAME.fullmatch(name):
            raise self._wrong(name, None, "a name has 1 to 64 characters out of a-z, 0-9, _ and -")
        if name in RESERVED_NAMES:
            raise self._wrong(name, None, f"the name is reserved, as are {', '.join(RESERVED_NAMES)}")
        if not isinstance(table, dict):
            raise self._wrong(name, None, f"must be a table, as [sources.{name}]")
        self._refuse_unknown(name, table)
        kind = self._kind(name, table)
        precedence, creates = self._precedence(name, table), self._creates(name, table)
        return SourceConfig(name, kind, self._secrets(name, table), precedence, creates)

    def _refuse_unknown(self, name: str, table: Mapping[str, object]) -> None:
        for key in table:
            if key not in _KEYS:
                closest = get_close_matches(key, _KEYS, n=1, cutoff=0.0)[0]
                raise self._wrong(name, key, f"is not a key of a source; the closest is {closest}")

    def _kind(self, name: str, table: Mapping[str, object]) -> SourceKind:
        kind = table.get("kind")
        if kind in tuple(SourceKind):
            return SourceKind(str(kind))
        if kind in _PLANNED:
            raise self._wrong(name, "kind", f"{kind!r} is not available in this version")
        raise self._wrong(name, "kind", f"must be one of: {', '.join(SourceKind)}")

    def _precedence(self, name: str, table: Mapping[str, object]) -> int:
        given = table.get("precedence", 0)
        if isinstance(given, bool) or not isinstance(given, int) or abs(given) > _HIGHEST_PRECEDENCE:
            raise self._wrong(name, "precedence", f"must be a whole number, at most {_HIGHEST_PRECEDENCE}")
        return given

    def _creates(self, name: str, table: Mapping[str, object]) -> bool:
        given = table.get("creates", False)
        if not isinstance(given, bool):
            raise self._wrong(name, "creates", "must be true or false")
        return given

    def _secrets(self, name: str, table: Mapping[str, object]) -> tuple[SecretStr, ...]:
        keys = [key for key in ("secret_env", "secret_file") if key in table]
        if len(keys) != 1:
            raise self._wrong(name, keys[-1] if keys else None, "give either secret_env or secret_file")
        return tuple(self._secret(name, keys[0], place) for place in self._places(name, keys[0], table[keys[0]]))

    def _places(self, name: str, key: str, given: object) -> list[str]:
        listed = given if isinstance(given, list) else [given]
        places = [place for place in listed if isinstance(place, str) and place]
        if not places or len(places) != len(listed):
            raise self._wrong(name, key, "must be a text, or a list of texts during a rotation")
        return places

    def _secret(self, name: str, key: str, place: str) -> SecretStr:
        secret = SecretStr(self._variable(name, place) if key == "secret_env" else self._file(name, place))
        try:
            check_secret(secret)
        except BadSignature:
            reason = f"what {place} holds is not a secret of this kind: whsec_ and the base64 of 24 to 64 bytes"
            raise self._wrong(name, key, reason) from None
        return secret

    def _variable(self, name: str, variable: str) -> str:
        value = self.environment.get(variable, "").strip()
        if not value:
            raise self._wrong(name, "secret_env", f"the variable {variable} is not set")
        return value

    def _file(self, name: str, path: str) -> str:
        try:
            return (self.directory / path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise self._wrong(name, "secret_file", f"{path} cannot be read: {reason}") from None

    def _wrong(self, name: str, key: str | None, reason: str) -> SourcesInvalid:
        where = f"sources.{name}" if key is None else f"sources.{name}.{key}"
        return SourcesInvalid(f"{_line(self.text, name, key)}{where}: {reason}")


def _line(text: str, name: str, key: str | None = None) -> str:
    """Say where a table, or a key of it, stands; nothing where it is written in a way we do not search for."""
    quoted = rf"""['"]?{re.escape(name)}['"]?\s*"""
    header = re.compile(rf"\s*(?:\[(?:.*\.)?\s*{quoted}[.\]]|{quoted}[.=])")
    found = None
    for number, line in enumerate(text.splitlines(), start=1):
        if found is None and header.match(line):
            found = number
        elif found and key and re.match(rf"""\s*['"]?{re.escape(key)}['"]?\s*=""", line):
            return f"line {number}: "
        elif found and line.lstrip().startswith("["):
            break
    return f"line {found}: " if found else ""
