"""The call limit: places in a rolling window that all threads, processes and machines of a deployment share.

A place counts from before the request until its answer plus the window, so the host never receives more than the limit
in any window, whatever the latency. Goes by the database's clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from worker.store.database import database_now
from worker.store.tables import CallRow

_LONGEST_CALL = timedelta(seconds=45)
"""A place whose worker died counts as if its call had taken this long; beyond any call's deadline."""


@dataclass(frozen=True, slots=True)
class CallLimit:
    """So many calls in each rolling window, of which some are kept for revocations."""

    calls: int
    window: timedelta
    reserve: int


class LimitReached(RuntimeError):
    """No call may be made now; ``wait`` says in how long the next place becomes free."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__("the call limit is reached")
        self.wait = wait


def free(session: Session, limit: CallLimit) -> int:
    """Return how many places are free now, without taking one."""
    return max(limit.calls - _counted(session, database_now(session)), 0)


def take(session: Session, limit: CallLimit, *, kept: int) -> int:
    """Take a place for one request, leaving ``kept`` to others, and return its id. Raises LimitReached."""
    _lock(session)
    now = database_now(session)
    if _counted(session, now) >= limit.calls - kept:
        frees_at = session.scalar(select(func.min(CallRow.counts_until)).where(CallRow.counts_until > now)) or now
        raise LimitReached(max(frees_at - now, timedelta(seconds=1)))
    session.execute(delete(CallRow).where(CallRow.counts_until <= now))
    row = CallRow(taken_at=now, counts_until=now + _LONGEST_CALL + limit.window)
    session.add(row)
    session.flush()
    return row.id


def answered(session: Session, places: Sequence[int], limit: CallLimit) -> None:
    """Note that these requests were answered: their places count for one more window."""
    if places:
        until = database_now(session) + limit.window
        session.execute(update(CallRow).where(CallRow.id.in_(places)).values(counts_until=until))


def _counted(session: Session, now: datetime) -> int:
    return session.scalars(select(func.count()).where(CallRow.counts_until > now)).one()


def _lock(session: Session) -> None:
    # SQLite's writing transactions exclude each other anyway.
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("select pg_advisory_xact_lock(hashtext('mailroster.calls'))"))
