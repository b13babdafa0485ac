"""Queries over jobs: refreshing, finishing, listing; claiming them is the business of ``leases``.

A lane is a subject: the partial unique index allows one outstanding job per subject, and the lease one worker in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Select, case, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from worker.mail import SharedKey, bare, is_rewrite, rewrite_key
from worker.store.states import JOB_MOVES, OUTSTANDING, UNSETTLED, JobState, move
from worker.store.tables import JobRow, StepRow

RESUMABLE = (JobState.HELD, JobState.PARKED, JobState.WAITING)


class SubjectKind(StrEnum):
    """What a job is about."""

    PERSON = "person"
    SHARED = "shared"
    REWRITE = "rewrite"
    DOMAIN = "domain"


@dataclass(frozen=True, slots=True)
class Subject:
    """A lane: a person by id, a shared address, a rewrite (NAME@DOMAIN), or a domain whose addresses are to be read."""

    kind: SubjectKind
    key: str

    @property
    def person_id(self) -> int | None:
        """The person's id, for lanes of people."""
        return int(self.key) if self.kind is SubjectKind.PERSON else None

    @property
    def shared_key(self) -> SharedKey | None:
        """What memberships and the ledger call it, for lanes of shared addresses and rewrites."""
        if self.kind is SubjectKind.REWRITE:
            return rewrite_key(self.key)
        return self.key if self.kind is SubjectKind.SHARED else None


def subject_of(row: JobRow) -> Subject:
    """Return the lane that a job is in."""
    return Subject(SubjectKind(row.subject_kind), row.subject_key)


def shared_subject(key: SharedKey) -> Subject:
    """Return the lane of a shared address or a rewrite."""
    return Subject(SubjectKind.REWRITE if is_rewrite(key) else SubjectKind.SHARED, bare(key))


def refresh(
    session: Session,
    subject: Subject,
    *,
    urgency: int,
    now: datetime,
    event_id: int | None = None,
    due_at: datetime | None = None,
) -> int:
    """Have a subject looked at now: refresh its one outstanding job or make one. Returns the job's id. Idempotent.

    A job that is running meanwhile is queued again when it ends. An urgent cause makes the job urgent. ``due_at`` is
    its place in the queue, now unless given; a job that is in the queue already and was as urgent keeps the better one.
    """
    due_at = due_at or now
    while True:
        job_id = make(session, subject, urgency=urgency, now=now, event_id=event_id, due_at=due_at)
        if job_id is not None:
            return job_id
        row = session.scalars(_outstanding(subject).with_for_update().execution_options(populate_existing=True)).first()
        if row is not None:
            return _freshen(session, row, urgency=urgency, now=now, due_at=due_at, event_id=event_id)
        # Between the two statements the job ended, so there is room for a new one.


def make(
    session: Session,
    subject: Subject,
    *,
    urgency: int,
    now: datetime,
    event_id: int | None = None,
    due_at: datetime | None = None,
) -> int | None:
    """Make a queued job and return its id; None where the subject has an outstanding one, which is not touched."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    fresh = {
        "subject_kind": subject.kind,
        "subject_key": subject.key,
        "person_id": subject.person_id,
        "state": JobState.QUEUED,
        "urgency": urgency,
        "run_at": due_at or now,
        "event_id": event_id,
        "generation": 1,
        "fence": 0,
        "failures": 0,
        "created_at": now,
        "updated_at": now,
    }
    insert = dialect.insert(JobRow).values(fresh).on_conflict_do_nothing().returning(JobRow.id)
    job_id: int | None = session.scalar(insert)
    return job_id


def due_count(session: Session, now: datetime, at_most: int) -> int:
    """Return how many jobs are due, counted up to a limit."""
    due = select(JobRow.id).where(JobRow.state.in_((JobState.QUEUED, JobState.WAITING)), JobRow.run_at <= now)
    return session.scalar(select(func.count()).select_from(due.limit(at_most).subquery())) or 0


def requeue(row: JobRow, now: datetime) -> None:
    """Have a waiting, held or parked job run now, with its failures forgotten."""
    row.failures, row.failing_since = 0, None
    row.updated_at = now
    _queue(row, now)


def requeue_held(session: Session, reason: str, now: datetime) -> int:
    """Have all jobs run that are held for exactly this reason. Returns how many."""
    rows = session.scalars(
        select(JobRow).where(JobRow.state == JobState.HELD, JobRow.reason == reason).with_for_update(skip_locked=True),
    ).all()
    for row in rows:
        requeue(row, now)
    return len(rows)


def look_again(session: Session, now: datetime) -> int:
    """Have held jobs run that were to be looked at again by now. Returns how many.

    Such a job was given an instant to come after the one at which it was held; no other held job has one.
    """
    rows = session.scalars(
        select(JobRow)
        .where(JobRow.state == JobState.HELD, JobRow.run_at > JobRow.updated_at, JobRow.run_at <= now)
        .with_for_update(skip_locked=True),
    ).all()
    for row in rows:
        requeue(row, now)
    return len(rows)


def dismiss(row: JobRow, now: datetime, reason: str) -> None:
    """End a job without its outcome. Raises IllegalMove for a job that is running or over."""
    row.state = move(JOB_MOVES, row.state, JobState.DISMISSED)
    row.finished_at, row.updated_at, row.reason = now, now, reason


def wake(session: Session, subject: Subject, now: datetime) -> bool:
    """Have a waiting job of this subject run now, as when what it waited for is over."""
    changed = session.execute(
        update(JobRow)
        .where(
            JobRow.subject_kind == subject.kind,
            JobRow.subject_key == subject.key,
            JobRow.state == JobState.WAITING,
            JobRow.failures == 0,
            JobRow.run_at > now,
        )
        .values(run_at=now),
    )
    return bool(changed.rowcount)  # type: ignore[attr-defined]


def get(session: Session, job_id: int, *, lock: bool = False) -> JobRow | None:
    """Return one job."""
    return session.get(JobRow, job_id, with_for_update=lock, populate_existing=True)


def newest_event_before(session: Session, row: JobRow) -> int:
    """Return the newest event that refreshed an earlier job of the same person; 0 if none did."""
    earlier = select(func.max(JobRow.event_id)).where(JobRow.person_id == row.person_id, JobRow.id < row.id)
    return session.scalar(earlier) or 0


def of_person_and_event(session: Session, person_id: int, event_id: int) -> JobRow | None:
    """Return a person's own job that an event refreshed last."""
    mine = select(JobRow).where(JobRow.person_id == person_id, JobRow.event_id == event_id)
    return session.scalar(mine.order_by(JobRow.id.desc()).limit(1))


def people_with_outstanding(session: Session, person_ids: Sequence[int]) -> frozenset[int]:
    """Return which of these people have an outstanding job, in one query."""
    rows = session.scalars(
        select(JobRow.person_id).where(JobRow.person_id.in_(person_ids), JobRow.finished_at.is_(None)),
    )
    return frozenset(person_id for person_id in rows if person_id is not None)


def outstanding(session: Session, subject: Subject) -> JobRow | None:
    """Return a subject's outstanding job."""
    return session.scalar(_outstanding(subject))


def may_be_calling(session: Session, person_id: int) -> bool:
    """Tell whether a person's job runs, or has made a call whose fate is unknown. Locks the job's row.

    So no worker can claim it before this transaction ends.
    """
    row = session.scalar(_outstanding(Subject(SubjectKind.PERSON, str(person_id))).with_for_update())
    if row is None:
        return False
    unsettled = select(StepRow.id).where(StepRow.job_id == row.id, StepRow.state.in_(UNSETTLED)).limit(1)
    return row.state is JobState.RUNNING or session.scalar(unsettled) is not None


def at_work_since(session: Session, kind: SubjectKind, keys: Sequence[str], since: datetime) -> Mapping[str, JobRow]:
    """Return, of these subjects, the jobs that are outstanding or ended after that instant, the newest of each."""
    theirs = select(JobRow).where(JobRow.subject_kind == kind, JobRow.subject_key.in_(keys)).order_by(JobRow.id)
    ended = session.scalars(theirs.where(JobRow.finished_at >= since))  # two questions, for each has an index
    going_on = session.scalars(theirs.where(JobRow.finished_at.is_(None)))
    return {row.subject_key: row for row in (*ended, *going_on)}


@dataclass(frozen=True, slots=True)
class JobFilter:
    """What to list."""

    states: tuple[JobState, ...] = ()
    person_id: int | None = None
    hold_id: int | None = None


def page(session: Session, wanted: JobFilter, *, after: int, limit: int) -> list[JobRow]:
    """Return jobs in the order of their ids, from behind ``after``."""
    conditions: list[ColumnElement[bool]] = [JobRow.id > after]
    if wanted.states:
        conditions.append(JobRow.state.in_(wanted.states))
    if wanted.person_id is not None:
        conditions.append(JobRow.person_id == wanted.person_id)
    if wanted.hold_id is not None:
        conditions.append(JobRow.hold_id == wanted.hold_id)
    return list(session.scalars(select(JobRow).where(*conditions).order_by(JobRow.id).limit(limit)))


def count(session: Session) -> dict[str, int]:
    """Return how many jobs there are in each state."""
    rows = session.execute(select(JobRow.state, func.count()).group_by(JobRow.state))
    return {state.value: number for state, number in rows}


def oldest_due_at(session: Session, now: datetime) -> datetime | None:
    """Return since when the longest waiting due job has been due: the measure of being behind."""
    return session.scalar(
        select(func.min(JobRow.run_at)).where(
            JobRow.state.in_((JobState.QUEUED, JobState.WAITING)),
            JobRow.run_at <= now,
        ),
    )


def outstanding_by_subject(session: Session) -> list[JobRow]:
    """Return every outstanding job, those that need a person first."""
    needs_person = case((JobRow.state.in_((JobState.HELD, JobState.PARKED)), 0), else_=1)
    return list(
        session.scalars(select(JobRow).where(JobRow.state.in_(OUTSTANDING)).order_by(needs_person, JobRow.id)),
    )


def _freshen(
    session: Session, row: JobRow, *, urgency: int, now: datetime, due_at: datetime, event_id: int | None
) -> int:
    row.generation += 1
    if row.state is JobState.QUEUED and urgency >= row.urgency:
        due_at = min(row.run_at, due_at)  # its place among others of the same urgency
    row.urgency = min(row.urgency, urgency)
    row.event_id = event_id or row.event_id
    row.updated_at = now
    if row.state is JobState.PARKED:
        row.failures, row.failing_since = 0, None  # what failed so long was something else
    if row.state is not JobState.RUNNING:
        _queue(row, due_at)
    session.flush()
    return row.id


def _outstanding(subject: Subject) -> Select[JobRow]:
    return select(JobRow).where(
        JobRow.subject_kind == subject.kind,
        JobRow.subject_key == subject.key,
        JobRow.finished_at.is_(None),
    )


def _queue(row: JobRow, now: datetime) -> None:
    row.state = move(JOB_MOVES, row.state, JobState.QUEUED)
    row.run_at, row.reason, row.hold_id = now, None, None
