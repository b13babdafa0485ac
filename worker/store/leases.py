"""Leases: who works in a lane, by a fencing token that each claim counts up, and by the database's clock."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from worker.planning.urgency import Urgency
from worker.store import jobs
from worker.store.database import database_now, until, until_of
from worker.store.spelled import is_in
from worker.store.states import JOB_MOVES, JobState, move
from worker.store.subjects import Subject, subject_of
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
    worker: str
    """Who holds it: a token that a power cut took back may be given out again, to another."""

    @property
    def is_first(self) -> bool:
        """Whether no worker was in this job before, so that it has neither steps nor failures of an earlier run."""
        return self.fence == 1


@dataclass(frozen=True, slots=True)
class Extended:
    """How a lane stands at the instant at which its lease was extended."""

    urgency: int
    """The job's, by now."""
    revocation_waits: bool
    """Whether a revocation is due that no worker has taken yet."""


class LeaseLost(RuntimeError):
    """Another worker has taken over the lane; whatever this one still wanted to write is void."""


def claim(session: Session, *, worker: str, lease: timedelta, now: datetime, least_urgent: int) -> Lease | None:
    """Take the most urgent due job, the oldest within an urgency; None if nothing so urgent is due.

    One statement. The CTE is a fence: without it PostgreSQL's planner may run the locking subquery more than once and
    claim several rows (`engineering.md` A6). SQLite's writers exclude each other, so it needs no row locks.
    """
    told = {"now": now, "claimed_by": worker, **until_of(session, lease)}
    row = session.scalars(_claiming(least_urgent, session.get_bind().dialect.name), told).one_or_none()
    if row is None:
        return None
    return Lease(row.id, row.fence, subject_of(row), row.generation, row.urgency, worker)


def hold_lease(session: Session, lease: Lease, extend_by: timedelta, now: datetime) -> Extended:
    """Extend the lease in the caller's transaction, and return how the lane stands, all in one statement.

    Raises LeaseLost if another worker has taken the lane.
    """
    told = {"now": now, **_token(lease), **until_of(session, extend_by)}
    row = session.execute(_extending(session.get_bind().dialect.name), told).one_or_none()
    if row is None:
        raise LeaseLost(f"job {lease.job_id}: token {lease.fence} is no longer valid")
    urgency, waiting = row
    return Extended(urgency, waiting is not None)


def locked(session: Session, lease: Lease) -> JobRow:
    """Return the leased job's row, locked. Raises LeaseLost if another worker has taken the lane."""
    row = session.scalars(_LOCKING, _token(lease)).one_or_none()
    if row is None:
        raise LeaseLost(f"job {lease.job_id}: token {lease.fence} is no longer valid")
    return row


def give_back_expired(session: Session, now: datetime) -> int:
    """Queue the jobs whose worker let its lease run out. Returns how many."""
    rows = session.scalars(
        select(JobRow)
        .where(is_in(JobRow.state, JobState.RUNNING), JobRow.lease_until < database_now(session))
        .with_for_update(skip_locked=True),
    ).all()
    for row in rows:
        row.state = move(JOB_MOVES, row.state, JobState.QUEUED)
        row.run_at, row.updated_at = now, now
        row.worker = row.lease_until = None
        row.reason = "its worker stopped before it was done"
    return len(rows)


# What is asked at each call is put together once: that takes longer than to ask it.

_FENCED = (
    JobRow.id == bindparam("held_job"),
    JobRow.fence == bindparam("held_fence"),
    JobRow.worker == bindparam("held_by"),
    JobRow.state == JobState.RUNNING,
)
_LOCKING = select(JobRow).where(*_FENCED).with_for_update().execution_options(populate_existing=True)


def _token(lease: Lease) -> dict[str, object]:
    return {"held_job": lease.job_id, "held_fence": lease.fence, "held_by": lease.worker}


@cache
def _claiming(least_urgent: int, dialect: str) -> ReturningUpdate[JobRow]:
    most_urgent = (
        select(JobRow.id)
        .where(*jobs.due(bindparam("now"), least_urgent))
        .order_by(JobRow.urgency, JobRow.run_at, JobRow.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    claimed = update(JobRow).where(JobRow.id.in_(select(most_urgent.c.id)))
    claimed = claimed.values(
        state=JobState.RUNNING,
        worker=bindparam("claimed_by"),
        fence=JobRow.fence + 1,
        lease_until=until(dialect),
        updated_at=bindparam("now"),
    )
    return claimed.returning(JobRow).execution_options(populate_existing=True, synchronize_session=False)


@cache
def _extending(dialect: str) -> "ReturningUpdate[int, int | None]":
    due = jobs.due(bindparam("now"), Urgency.REVOCATION)
    waits = select(JobRow.id).where(*due).limit(1).correlate(None).scalar_subquery()
    extended = update(JobRow).where(*_FENCED).values(lease_until=until(dialect))
    return extended.returning(JobRow.urgency, waits).execution_options(synchronize_session=False)
