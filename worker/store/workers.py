"""Queries over worker processes, and consumers of message buses, and when they last showed progress."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from worker.store.database import database_now
from worker.store.tables import WorkerRow

SILENT_AFTER = timedelta(seconds=30)
_FORGOTTEN_AFTER = timedelta(days=1)
_BUS = "bus:"
"""What the rows of consumers begin with; no worker's does, for a host has no colon in its name."""


def seen(session: Session, name: str) -> None:
    """Note that a worker process is alive; by the database's clock."""
    now = database_now(session)
    row = session.get(WorkerRow, name)
    if row is None:
        session.execute(delete(WorkerRow).where(WorkerRow.seen_at < now - _FORGOTTEN_AFTER))
        session.add(WorkerRow(id=name, started_at=now, seen_at=now))
    else:
        row.seen_at = now


def alive(session: Session) -> list[tuple[str, datetime]]:
    """Return the workers that were seen lately, and when."""
    since = database_now(session) - SILENT_AFTER
    mine = WorkerRow.id.not_like(f"{_BUS}%")
    rows = session.scalars(select(WorkerRow).where(WorkerRow.seen_at > since, mine).order_by(WorkerRow.id))
    return [(row.id, row.seen_at) for row in rows]


def consuming(session: Session, source: str, process: str) -> None:
    """Note that a source's consumer is connected to its broker; to be repeated well within SILENT_AFTER."""
    seen(session, _consumer(source, process))


def consumed(session: Session, source: str, process: str) -> None:
    """Note that a source's consumer is connected no more. Idempotent."""
    session.execute(delete(WorkerRow).where(WorkerRow.id == _consumer(source, process)))


def consumers(session: Session, source: str) -> list[tuple[str, datetime]]:
    """Return the processes whose consumers of a source are connected to its broker, and since when."""
    since, begin = database_now(session) - SILENT_AFTER, _consumer(source, "")
    rows = session.scalars(
        select(WorkerRow)
        .where(WorkerRow.id.startswith(begin, autoescape=True), WorkerRow.seen_at > since)
        .order_by(WorkerRow.id)
    )
    return [(row.id.removeprefix(begin), row.started_at) for row in rows]


def _consumer(source: str, process: str) -> str:
    return f"{_BUS}{source}@{process}"
