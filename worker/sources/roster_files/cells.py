"""From the cells of a row to what is stated: facts as JSON holds them, the subject, and the word on employment."""

from collections.abc import Iterator

from worker.events import FACTS
from worker.sources.roster_files.dates import NoDate, iso_text
from worker.sources.roster_files.faults import Fault
from worker.sources.roster_files.forms import DATES, STATUS, SUBJECT, FileSource
from worker.sources.roster_files.raw import RawRow
from worker.sources.snapshot import Status

_MOST_DIGITS = 18


class _Unfit(ValueError):
    """A cell does not hold what its attribute may; the message repeats nothing of it."""


def stated(row: RawRow, source: FileSource) -> tuple[dict[str, object], str, Status | None, list[Fault]]:
    """Return the facts, the subject and the status of a row, and everything that is wrong with its cells.

    A fact that is unknown is left out. What is right in form may still be no value of its attribute.
    """
    facts: dict[str, object] = {}
    faults: list[Fault] = []
    subject, status = "", None
    for name, cell in row.cells.items():
        try:
            if name == SUBJECT:
                subject = _subject(cell.value)
            elif name == STATUS:
                status = _status(cell.value, source)
            else:
                facts |= _fact(name, cell.value, source)
        except (_Unfit, NoDate) as error:
            faults.append(row.fault(str(error), name))
    return facts, subject, status, faults


def _subject(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**_MOST_DIGITS:
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise _Unfit("the key of the person is missing")
    return value


def _status(value: object, source: FileSource) -> Status | None:
    if value is None or value == "":
        return None
    word = " ".join(value.split()).casefold() if isinstance(value, str) else None
    if not word:
        return None
    if word not in source.statuses:
        known = ", ".join(repr(each) for each in source.statuses)
        raise _Unfit(f"this is none of the words in `statuses`, which are {known}")
    return source.statuses[word]


def _fact(name: str, value: object, source: FileSource) -> dict[str, object]:
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return {name: None} if source.empty == "null" else {}
        if name in DATES:
            return {name: iso_text(text, source.date_formats)}
        return {name: list(_parts(text, source)) if name == "groups" else text}
    if name in FACTS and isinstance(value, int) and not isinstance(value, bool):
        return {name: str(value)}  # an employee number or a cost centre that JSON wrote without quotes
    return {name: value}


def _parts(text: str, source: FileSource) -> Iterator[str]:
    return (part for each in text.split(source.separator) if (part := each.strip()))
