"""Reading a roster file: rows one after the other, each in its checked form or with all that is wrong with it."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Literal

from worker.events import EventInvalid
from worker.sources.roster_files.bounds import LONGEST_ROW, MOST_ROWS
from worker.sources.roster_files.cells import stated
from worker.sources.roster_files.csv_rows import csv_rows
from worker.sources.roster_files.faults import Fault, FileBroken
from worker.sources.roster_files.forms import SUBJECT, FileSource
from worker.sources.roster_files.json_rows import json_rows, ndjson_rows
from worker.sources.roster_files.raw import RawRow
from worker.sources.roster_files.text import lines, opened
from worker.sources.snapshot import Checked, Snapshot, checked

MOST_TOLD = 20
Format = Literal["csv", "json", "ndjson"]


@dataclass(frozen=True, slots=True)
class Row:
    """What a file states of one person, in its checked form."""

    line: int
    snapshot: Checked


@dataclass(slots=True)
class Contents:
    """What was found out about a file while it was read."""

    rows: int = 0
    fault_count: int = 0
    faults: list[Fault] = field(default_factory=list)
    """The first of them."""
    lines: dict[str, int] = field(default_factory=dict)
    """The subjects, each with its line."""

    def blame(self, fault: Fault) -> None:
        """Count a fault, and keep it if it is one of the first."""
        self.fault_count += 1
        if len(self.faults) < MOST_TOLD:
            self.faults.append(fault)


def read_roster(file: BinaryIO, source: FileSource, taken_at: datetime, contents: Contents) -> Iterator[Row]:
    """Yield the rows of a file that can be read from its start again, which are right; ``contents`` tells the rest.

    To be gone through to the end before any row is believed: only then is it known whether there are faults. Raises
    nothing of its own, whatever the bytes are; a file that holds nobody has a fault.
    """
    try:
        for raw in _raw_rows(file, source):
            contents.rows += 1
            if contents.rows > MOST_ROWS:
                raise FileBroken(Fault(None, None, f"the file holds more than {MOST_ROWS:,} rows"))  # noqa: TRY301 - it ends as any other broken file
            row = _checked(raw, source, taken_at, contents)
            if row is not None:
                yield row
    except FileBroken as error:
        contents.blame(error.fault)
    if not contents.rows and not contents.faults:
        contents.blame(Fault(None, None, "the file holds nobody"))


def _raw_rows(file: BinaryIO, source: FileSource) -> Iterator[RawRow | Fault]:
    text = opened(file, source.encoding)
    try:
        match source.format or _format(text):
            case "csv":
                yield from csv_rows(lines(text), source)
            case "ndjson":
                yield from ndjson_rows(lines(text), source)
            case "json":
                yield from json_rows(text, source)
    finally:
        text.detach()


def _format(text: io.TextIOWrapper) -> Format:
    """Return the format that the content has: CSV unless it begins as JSON does; NDJSON where a line is an object."""
    start = text.read(LONGEST_ROW)
    text.seek(0)
    first = start.lstrip()
    if not first.startswith(("[", "{")):
        return "csv"
    if first.startswith("["):
        return "json"
    line, _, rest = first.partition("\n")
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return "json"
    return "json" if not rest.strip() and _holds_objects(document) else "ndjson"


def _holds_objects(document: object) -> bool:
    lists = [value for value in document.values() if isinstance(value, list)] if isinstance(document, dict) else []
    return any(isinstance(each, dict) for listed in lists for each in listed)


def _checked(raw: RawRow | Fault, source: FileSource, taken_at: datetime, contents: Contents) -> Row | None:
    if isinstance(raw, Fault):
        contents.blame(raw)
        return None
    facts, subject, status, faults = stated(raw, source)
    if not faults:
        try:
            snapshot = checked(Snapshot(subject, taken_at, facts, status))
        except EventInvalid as error:
            for problem in error.problems:
                name = problem.attribute.removeprefix("data.").partition(".")[0]
                faults.append(raw.fault(problem.reason, name))
        else:
            faults += _repetition(raw, snapshot.subject, contents)
    for fault in faults:
        contents.blame(fault)
    return None if faults else Row(raw.line, snapshot)


def _repetition(raw: RawRow, subject: str, contents: Contents) -> list[Fault]:
    if subject in contents.lines:
        return [raw.fault(f"the same person stands in line {contents.lines[subject]} already", SUBJECT)]
    contents.lines[subject] = raw.line
    return []
