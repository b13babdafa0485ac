"""Progress: whether what is due is being done. Read from what was done, because a process that lives may do nothing."""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from worker.planning.urgency import Urgency
from worker.store.budget import CallBudget, Room
from worker.store.database import database_now
from worker.store.states import EventState, JobState
from worker.store.tables import AttemptRow, EventRow, JobRow

STALLED_AFTER = timedelta(minutes=5)
"""Longer than any call, and than the pauses that the usual call limit makes between two."""

MAY_BE_CLAIMED = {
    Room.NOBODY: (),
    Room.REVOCATIONS: (Urgency.REVOCATION,),
    Room.EVERYBODY: tuple(Urgency),
}
"""The urgencies of the jobs that may be run, by the room that there is in the call budget."""
_NEIGHBOURS = 100


def stalled_since(session: Session, budget: CallBudget, now: datetime) -> datetime | None:
    """Return since when something has been due that nobody does, for at least STALLED_AFTER; None where work goes on.

    What may not be done now, for the call limit or for a mail host that is left alone, nobody is expected to do.
    Reads a few index entries.
    """
    since = min(filter(None, (_event_stalled(session, now), _job_stalled(session, budget))), default=None)
    return since if since is not None and since <= now - STALLED_AFTER else None


def _event_stalled(session: Session, now: datetime) -> datetime | None:
    """Return since when the first accepted event waits, if none before it was applied lately: they go in this order."""
    due = (EventRow.retry_at.is_(None)) | (EventRow.retry_at <= now)
    first = session.execute(
        select(EventRow.id, EventRow.received_at, EventRow.retry_at)
        .where(EventRow.state == EventState.ACCEPTED, due)
        .order_by(EventRow.id)
        .limit(1)
    ).one_or_none()
    if first is None:
        return None
    before = EventRow.id.between(first.id - _NEIGHBOURS, first.id - 1)
    applied_at: datetime | None = session.scalar(select(func.max(EventRow.applied_at)).where(before))
    received_at: datetime = first.received_at
    retry_at: datetime | None = first.retry_at
    return max(filter(None, (received_at, retry_at, applied_at)))


def _job_stalled(session: Session, budget: CallBudget) -> datetime | None:
    """Return since when the first job waits that may be run, if no lane is leased, and none was, as far as is seen."""
    firsts = [_due_since(session, urgency) for urgency in MAY_BE_CLAIMED[budget.room(session)]]
    due_since = min(filter(None, firsts), default=None)
    at_work = select(JobRow.id).where(JobRow.state == JobState.RUNNING, JobRow.lease_until > database_now(session))
    if due_since is None or session.scalar(at_work.limit(1)) is not None:
        return None
    called_at: datetime | None = session.scalar(select(AttemptRow.started_at).order_by(AttemptRow.id.desc()).limit(1))
    finished_at: datetime | None = session.scalar(select(func.max(JobRow.finished_at)))
    return max(filter(None, (due_since, called_at, finished_at)))


def _due_since(session: Session, urgency: Urgency) -> datetime | None:
    """Return since when, or from when on, the first job of an urgency is due."""
    waiting = JobRow.state.in_((JobState.QUEUED, JobState.WAITING))
    return session.scalar(
        select(JobRow.run_at).where(waiting, JobRow.urgency == urgency).order_by(JobRow.run_at, JobRow.id).limit(1)
    )
