"""The form of a source's roster files as its table in the sources file declares it."""

import codecs
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, ValidationInfo, field_validator

from worker.events import FACTS
from worker.sources.durations import Duration
from worker.sources.secret import surroundings_of
from worker.sources.snapshot import Status
from worker.sources.source import SourceConfig, SourceKind
from worker.toml.problems import WrongAt

SUBJECT = "subject"
STATUS = "status"
DATES = frozenset({"hireDate", "lastWorkingDay"})

_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")
_ROSTERS = ("*.csv", "*.tsv", "*.txt", "*.json", "*.ndjson", "*.jsonl")
_NO_COLUMN = ("immediate",)
_PROBES = (date(2026, 11, 23), date(1999, 2, 1))


def _attributes(given: object) -> tuple[str, ...]:
    """Read one attribute or several that a column feeds."""
    names = list(given) if isinstance(given, list | tuple) else [given]
    if not names or not all(isinstance(name, str) and _ATTRIBUTE.fullmatch(name) for name in names):
        raise ValueError("must be an attribute such as givenName, or a list of attributes")
    if barred := [name for name in names if name in _NO_COLUMN]:
        raise ValueError(f"{barred[0]} is no fact: a file cannot state it")
    return tuple(map(str, names))


def _patterns(given: object) -> tuple[str, ...]:
    patterns = list(given) if isinstance(given, list | tuple) else [given]
    if not patterns or not all(isinstance(each, str) and each and "/" not in each for each in patterns):
        raise ValueError('must be a pattern of names such as "*.csv", or a list of patterns')
    return tuple(str(each).lower() for each in patterns)


class FileSource(SourceConfig):
    """``kind = "file"``: a roster that is imported by hand, with ``mailroster roster import --source NAME``."""

    format: Literal["csv", "json", "ndjson"] | None = None
    """Not said: by the content."""
    encoding: str | None = None
    """Not said: UTF-8, UTF-16 with its mark, else Windows-1252."""
    delimiter: Literal[",", ";", "\t", "|"] | None = None
    """Not said: the one under which most columns are known."""
    items: str | None = None
    """The key of the list in a JSON object; not said: the only one that holds a list."""
    columns: dict[str, Annotated[tuple[str, ...], PlainValidator(_attributes)]] = Field(default_factory=dict)
    """Header or key = attribute; ``subject`` is the person's key, ``status`` the word of ``statuses``."""
    statuses: dict[str, Status] = Field(default_factory=lambda: {word.value: word for word in Status})
    """The file's word = active, suspended or left, in any case of letters."""
    date_formats: tuple[str, ...] = ("%Y-%m-%d",)
    """As ``strptime`` reads them."""
    empty: Literal["unknown", "null"] = "unknown"
    """What an empty cell says: nothing, or that the fact is known to be empty."""
    separator: str = Field(default=";", min_length=1, max_length=8)
    """What stands between the groups in a cell."""
    full: Annotated[bool, Field(strict=True)] = False
    """Each file holds everybody, so that who is absent is counted."""
    complete_snapshots: Annotated[int, Field(strict=True, ge=2, le=100)] = 3
    """So many full files in a row must agree that somebody is absent before it is a departure."""
    min_apart: Duration = timedelta(hours=1)
    """A full file of the same content within this time is no second opinion."""
    floor: Annotated[float, Field(gt=0, le=1)] = 0.8
    """A full file must hold this share of the people the source has active, else it is refused as truncated."""

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, name: str | None) -> str | None:
        try:
            is_text = name is None or codecs.lookup(name)._is_text_encoding  # noqa: SLF001 - "hex" is a codec as well
        except (LookupError, ValueError):
            is_text = False
        if not is_text:
            raise ValueError("is no encoding that is known, such as utf-8 or cp1252")
        return name

    @field_validator("columns")
    @classmethod
    def _once(cls, columns: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        fed: dict[str, str] = {}
        for header, names in columns.items():
            for name in names:
                if name in fed:
                    raise WrongAt((header,), f"{name} is fed by {fed[name]!r} already")
                fed[name] = header
        return columns

    @field_validator("statuses")
    @classmethod
    def _any_case(cls, statuses: dict[str, Status]) -> dict[str, Status]:
        return {" ".join(word.split()).casefold(): status for word, status in statuses.items()}

    @field_validator("date_formats")
    @classmethod
    def _whole_dates(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        if not formats:
            raise ValueError("must not be empty")
        for number, form in enumerate(formats):
            if not all(_reads_back(day, form) for day in _PROBES):
                raise WrongAt((number,), 'must hold day, month and year, as "%d.%m.%Y"')
        return formats

    def column_for(self, attribute: str) -> str:
        """Return how the operator knows the column of an attribute."""
        return next((header for header, names in self.columns.items() if attribute in names), attribute)


class FolderSource(FileSource):
    """``kind = "folder"``: roster files that others drop into a folder, which workers watch."""

    path: Path
    """The folder, from the sources file's directory."""
    pattern: Annotated[tuple[str, ...], PlainValidator(_patterns)] = _ROSTERS
    """Which names are taken, one or several, in any case of letters."""
    settle: Duration = timedelta(seconds=10)
    """A file is taken when its size and time have not changed for so long."""
    done: str | None = Field(default=None, pattern=r"^\.[A-Za-z0-9_-]+$")
    """The ending of a marker beside each file, as ``.done``: then a file is taken once its marker is there."""

    @field_validator("path", mode="after")
    @classmethod
    def _from_directory(cls, path: Path, info: ValidationInfo) -> Path:
        return surroundings_of(info).directory / path


def form_of(name: str, source: SourceConfig | None, *, creates: bool) -> FileSource:
    """Return how files of a source are read: as its table says; of one of another kind, or without a table, plainly."""
    if isinstance(source, FileSource):
        return source
    return FileSource(name=name, kind=SourceKind.FILE, creates=creates)


def known_header(header: str) -> str | None:
    """Return the attribute that a header names by itself, whatever its case, spaces and underscores."""
    return _BY_HEADER.get(_plain(header))


def _plain(header: str) -> str:
    return re.sub(r"[\s_-]+", "", header).casefold()


_BY_HEADER = {_plain(name): name for name in (*FACTS, SUBJECT, STATUS)}


def _reads_back(day: date, form: str) -> bool:
    try:
        return datetime.strptime(day.strftime(form), form).date() == day  # noqa: DTZ007 - a calendar date has no zone
    except ValueError:
        return False
