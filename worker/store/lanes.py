"""A lane taken by hand: for an operator's one call on a subject, beside whatever its job is about."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from worker.store import jobs
from worker.store.database import database_now
from worker.store.leases import Lease
from worker.store.states import JOB_MOVES, JobState, move
from worker.store.subjects import Subject
from worker.store.tables import JobRow


@dataclass(frozen=True, slots=True)
class Taken:
    """A lane in which nobody else is until the lease ends."""

    lease: Lease
    former: JobState | None
    """How the job stood; None for one that was made for this."""
    run_at: datetime
    reason: str | None
    hold_id: int | None


def take(
    session: Session, subject: Subject, *, worker: str, lease: timedelta, urgency: int, now: datetime
) -> Taken | None:
    """Take a subject's lane, in its outstanding job or in one that is made for it; None while a worker is in it."""
    made = jobs.make(session, subject, urgency=urgency, now=now)
    found = jobs.outstanding(session, subject)
    row = jobs.get(session, found.id, lock=True) if found else None
    if row is None or row.finished_at is not None or row.state is JobState.RUNNING:
        return None
    former = None if made is not None else row.state
    kept = row.run_at, row.reason, row.hold_id
    if row.state not in (JobState.QUEUED, JobState.WAITING):
        row.state = move(JOB_MOVES, row.state, JobState.QUEUED)
    _enter(session, row, worker, lease, now)
    return Taken(Lease(row.id, row.fence, subject, row.generation, row.urgency, worker), former, *kept)


def _enter(session: Session, row: JobRow, worker: str, lease: timedelta, now: datetime) -> None:
    row.state = move(JOB_MOVES, row.state, JobState.RUNNING)
    row.worker, row.fence, row.updated_at = worker, row.fence + 1, now
    row.lease_until = database_now(session) + lease
    session.flush()
