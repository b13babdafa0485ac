"""Queries over worker processes and when they last showed progress."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from worker.store.database import database_now
from worker.store.tables import WorkerRow

SILENT_AFTER = timedelta(seconds=30)
_FORGOTTEN_AFTER = timedelta(days=1)


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
    rows = session.scalars(select(WorkerRow).where(WorkerRow.seen_at > since).order_by(WorkerRow.id))
    return [(row.id, row.seen_at) for row in rows]
