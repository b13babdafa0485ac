"""A trial of roster files: a file that we make ourselves, as its sender would by the table in the sources file."""

import csv
import io
import json
from datetime import datetime

from worker.sources.roster_files.forms import DATES, STATUS, SUBJECT, FileSource
from worker.sources.snapshot import Status
from worker.sources.trial import SUBJECT as NOBODY
from worker.sources.trial import fact_of_nobody

_PLAIN = (SUBJECT, "givenName", "familyName")
"""What the file states beside the columns that are mapped."""


def roster_of_nobody(source: FileSource, at: datetime) -> bytes:
    """Return a file that lists one person, who is nobody, with all that the source's columns feed."""
    fed = {name for names in source.columns.values() for name in names}
    columns = {name: (name,) for name in _PLAIN if name not in fed} | source.columns
    row = {header: _cell(names, source, at) for header, names in columns.items()}
    # A header that the encoding cannot hold will not be found, which is what the operator has to hear.
    return _written(row, source).encode(source.encoding or "utf-8", "replace")


def _written(row: dict[str, str], source: FileSource) -> str:
    match source.format:
        case "json":
            return json.dumps({source.items: [row]} if source.items else [row])
        case "ndjson":
            return json.dumps(row)
    text = io.StringIO()
    writer = csv.DictWriter(text, row.keys(), delimiter=source.delimiter or ",")
    writer.writeheader()
    writer.writerow(row)
    return text.getvalue()


def _cell(names: tuple[str, ...], source: FileSource, at: datetime) -> str:
    """Return what a column holds: of several attributes that it feeds, what fits the one that is choosiest."""
    cells = [_of(name, source, at) for name in names]
    return max(cells, key=lambda cell: cell not in ("test", NOBODY))


def _of(name: str, source: FileSource, at: datetime) -> str:
    if name == SUBJECT:
        return NOBODY
    if name == STATUS:
        return next((word for word, status in source.statuses.items() if status is Status.ACTIVE), "")
    if name in DATES:
        return at.strftime(source.date_formats[0])
    fact = fact_of_nobody(name, at)
    return source.separator.join(fact) if isinstance(fact, list) else str(fact)
