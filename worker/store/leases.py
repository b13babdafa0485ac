"""Leases: who works in a lane, by a fencing token that each claim counts up, and by the database's clock."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from worker.store.database import database_now
from worker.store.jobs import Subject, subject_of
from worker.store.states import JOB_MOVES, JobState, move
from worker.store.tables import JobRow


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's right to a lane: writes that name an older fence change nothing."""

    job_id: int
    fence: int
    subject: Subject
    generation: int
    """The job's refreshes that this run takes into account."""
    urgency: int


class LeaseLost(RuntimeError):
    """Another worker has taken over the lane; whatever this one still wanted to write is void."""


def claim(session: Session, *, worker: str, lease: timedelta, now: datetime, least_urgent: int) -> Lease | None:
    """Take the most urgent due job, the oldest within an urgency; None if nothing so urgent is due.

    One statement. The CTE is a fence: without it PostgreSQL's planner may run the locking subquery more than once and
    claim several rows (`engineering.md` A6). SQLite's writers exclude each other, so it needs no row locks.
    """
    due = (
        select(JobRow.id)
        .where(
            JobRow.state.in_((JobState.QUEUED, JobState.WAITING)),
            JobRow.run_at <= now,
            JobRow.urgency <= least_urgent,
        )
        .order_by(JobRow.urgency, JobRow.run_at, JobRow.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    row = session.scalars(
        update(JobRow)
        .where(JobRow.id.in_(select(due.c.id)))
        .values(
            state=JobState.RUNNING,
            worker=worker,
            fence=JobRow.fence + 1,
            lease_until=database_now(session) + lease,
            updated_at=now,
        )
        .returning(JobRow)
        .execution_options(populate_existing=True, synchronize_session=False),
    ).one_or_none()
    if row is None:
        return None
    return Lease(row.id, row.fence, subject_of(row), row.generation, row.urgency)


def hold_lease(session: Session, lease: Lease, extend_by: timedelta) -> None:
    """Extend the lease in the caller's transaction. Raises LeaseLost if another worker has taken the lane."""
    changed = session.execute(
        update(JobRow).where(*_fenced(lease)).values(lease_until=database_now(session) + extend_by),
    )
    if changed.rowcount != 1:  # type: ignore[attr-defined]
        raise LeaseLost(f"job {lease.job_id}: token {lease.fence} is no longer valid")


def locked(session: Session, lease: Lease) -> JobRow:
    """Return the leased job's row, locked. Raises LeaseLost if another worker has taken the lane."""
    row = session.scalars(
        select(JobRow).where(*_fenced(lease)).with_for_update().execution_options(populate_existing=True),
    ).one_or_none()
    if row is None:
        raise LeaseLost(f"job {lease.job_id}: token {lease.fence} is no longer valid")
    return row


def give_back_expired(session: Session, now: datetime) -> int:
    """Queue the jobs whose worker let its lease run out. Returns how many."""
    rows = session.scalars(
        select(JobRow)
        .where(JobRow.state == JobState.RUNNING, JobRow.lease_until < database_now(session))
        .with_for_update(skip_locked=True),
    ).all()
    for row in rows:
        row.state = move(JOB_MOVES, row.state, JobState.QUEUED)
        row.run_at, row.updated_at = now, now
        row.worker = row.lease_until = None
        row.reason = "its worker stopped before it was done"
    return len(rows)


def _fenced(lease: Lease) -> tuple[ColumnElement[bool], ...]:
    return (JobRow.id == lease.job_id, JobRow.fence == lease.fence, JobRow.state == JobState.RUNNING)
