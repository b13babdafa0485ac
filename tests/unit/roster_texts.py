"""Roster files as tests write them, and what is read in them."""

import io
from datetime import UTC, datetime
from typing import Any

from worker.sources.roster_files import Contents, FileSource, read_roster
from worker.sources.source import SourceKind

TAKEN = datetime(2026, 11, 20, 9, tzinfo=UTC)


def source(**keys: Any) -> FileSource:
    """Return a source of files with some keys of its table."""
    return FileSource.model_validate({"name": "files", "kind": SourceKind.FILE, "creates": True, **keys})


def read(content: str | bytes, **keys: Any) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return the facts of each subject, a status among them, and the faults as sentences."""
    body, contents = content.encode() if isinstance(content, str) else content, Contents()
    rows = [row.snapshot for row in read_roster(io.BytesIO(body), source(**keys), TAKEN, contents)]
    told = {row.subject: dict(row.facts) | ({"status": row.status.value} if row.status else {}) for row in rows}
    return told, [str(fault) for fault in contents.faults]
