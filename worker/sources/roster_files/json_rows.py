"""JSON and NDJSON: objects whose keys are columns."""

import io
import json
from collections.abc import Iterator
from typing import NoReturn

from worker.sources.roster_files.bounds import MOST_COLUMNS
from worker.sources.roster_files.columns import attributes_of, no_subject
from worker.sources.roster_files.faults import Fault
from worker.sources.roster_files.forms import SUBJECT, FileSource
from worker.sources.roster_files.json_items import Item, items
from worker.sources.roster_files.raw import Cell, RawRow

_Feeds = dict[str, tuple[str, ...]]


def json_rows(text: io.TextIOBase, source: FileSource) -> Iterator[RawRow | Fault]:
    """Yield the objects of the list that a document is or holds. Raises FileBroken where no more can be read."""
    feeds: _Feeds = {}
    for item in items(text, source.items):
        yield _row(item, source, feeds)


def ndjson_rows(lines: Iterator[str], source: FileSource) -> Iterator[RawRow | Fault]:
    """Yield the objects, one of each line that is not blank. Raises FileBroken where no more can be read."""
    feeds: _Feeds = {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _row(Item(number, line), source, feeds)


def _row(item: Item, source: FileSource, feeds: _Feeds) -> RawRow | Fault:
    try:
        keys = json.loads(item.text, parse_constant=_refuse)
    except (ValueError, RecursionError):  # neither is told: both may quote the text
        return _fault(item, "this is not valid JSON")
    if not isinstance(keys, dict):
        return _fault(item, "an object is expected")
    if len(keys) > MOST_COLUMNS:
        return _fault(item, f"the object has {len(keys):,} keys, more than {MOST_COLUMNS}")
    cells: dict[str, Cell] = {}
    for key, value in keys.items():
        for name in _attributes(key, source, feeds):
            if name in cells:
                return _fault(item, f"two keys of the object are {name}: map one of them under `columns`")
            cells[name] = Cell(key, value)
    return RawRow(item.line, cells, item.number) if SUBJECT in cells else _fault(item, no_subject(source))


def _fault(item: Item, reason: str) -> Fault:
    return Fault(item.line, None, reason, item.number)


def _attributes(key: str, source: FileSource, feeds: _Feeds) -> tuple[str, ...]:
    """Look a key up once for all objects; keys that differ in each object are not kept."""
    if key in feeds:
        return feeds[key]
    found = attributes_of(key, source)
    if len(feeds) < MOST_COLUMNS:
        feeds[key] = found
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
