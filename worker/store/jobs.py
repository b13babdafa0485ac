"""Queries over jobs: refreshing, finishing, listing; claiming them is the business of ``leases``.

A lane is a subject: the partial unique index allows one outstanding job per subject, and the lease one worker in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BindParameter, ColumnElement, bindparam, case, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from worker.mail import SharedKey
from worker.planning.urgency import Urgency
from worker.store.spelled import is_in
from worker.store.states import JOB_MOVES, OUTSTANDING, UNSETTLED, JobState, move
from worker.store.subjects import LISTS, Subject, SubjectKind, subject_of
from worker.store.tables import JobRow, QuarantineRow, StepRow

RESUMABLE = (JobState.HELD, JobState.PARKED, JobState.WAITING)
CLAIMABLE = (JobState.QUEUED, JobState.WAITING)
"""A job that runs is its worker's; once the lease has run out the sweep queues it."""

# What is asked at each job is put together once: that takes longer than to ask it.
_OUTSTANDING = select(JobRow).where(
    JobRow.subject_kind == bindparam("kind"), JobRow.subject_key == bindparam("key"), JobRow.finished_at.is_(None)
)
_OUTSTANDING_LOCKED = _OUTSTANDING.with_for_update().execution_options(populate_existing=True)


def _key(subject: Subject) -> dict[str, str]:
    return {"kind": subject.kind, "key": subject.key}


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
        row = session.scalars(_OUTSTANDING_LOCKED, _key(subject)).first()
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


def due(now: datetime | BindParameter[datetime], least_urgent: int = max(Urgency)) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of jobs that are due and at least so urgent.

    Urgencies are named one by one, so that the index is entered at each and left where its jobs come later: thousands
    that wait for another hour cost nothing.
    """
    return (
        is_in(JobRow.state, *CLAIMABLE),
        JobRow.urgency.in_(range(least_urgent + 1)),
        JobRow.run_at <= now,
    )


def due_count(session: Session, now: datetime, at_most: int, *, urgency: int | None = None) -> int:
    """Return how many jobs are due, of all or of one urgency, counted up to a limit."""
    found = select(JobRow.id).where(*due(now))
    if urgency is not None:
        found = found.where(JobRow.urgency == urgency)
    return session.scalar(select(func.count()).select_from(found.limit(at_most).subquery())) or 0


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


def dismiss(session: Session, row: JobRow, now: datetime, reason: str) -> None:
    """End a job without its outcome. Raises IllegalMove for a job that is running or over."""
    row.state = move(JOB_MOVES, row.state, JobState.DISMISSED)
    session.execute(delete(QuarantineRow).where(QuarantineRow.job_id == row.id))
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


FOR_THE_INBOX = timedelta(seconds=2)
"""How long a job waits for what has come to be applied, unless it is woken before."""
INBOX_REASON = "waits until the events that have come are applied"


def wake_behind_inbox(session: Session, now: datetime) -> int:
    """Have the jobs run that waited for what had come to be applied. Returns how many. Reads no other waiting job."""
    woken = session.execute(
        update(JobRow)
        .where(
            is_in(JobRow.state, *CLAIMABLE),
            JobRow.urgency.in_(range(max(Urgency) + 1)),
            JobRow.run_at > now,
            JobRow.run_at <= now + FOR_THE_INBOX,
            JobRow.reason == INBOX_REASON,
        )
        .values(run_at=now)
        .execution_options(synchronize_session=False),
    )
    return int(woken.rowcount)  # type: ignore[attr-defined]


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


def first_behind_event(session: Session, person_id: int, event_id: int) -> JobRow | None:
    """Return the first of a person's own jobs that this event, or a newer one, refreshed last."""
    mine = select(JobRow).where(JobRow.person_id == person_id, JobRow.event_id >= event_id)
    return session.scalar(mine.order_by(JobRow.id).limit(1))


def outstanding_on_lists(session: Session, *conditions: ColumnElement[bool]) -> Mapping[SharedKey, JobRow]:
    """Return the outstanding jobs on shared addresses and rewrites, of those to which the conditions apply."""
    on_lists = select(JobRow).where(JobRow.finished_at.is_(None), JobRow.subject_kind.in_(LISTS), *conditions)
    found = {subject_of(row).shared_key: row for row in session.scalars(on_lists)}
    return {key: row for key, row in found.items() if key is not None}


def newest_of_people(session: Session, person_ids: Sequence[int]) -> Mapping[int, JobRow]:
    """Return the newest job of each of these people who ever had one."""
    newest = select(func.max(JobRow.id)).where(JobRow.person_id.in_(person_ids)).group_by(JobRow.person_id)
    rows = session.scalars(select(JobRow).where(JobRow.id.in_(newest)))
    return {row.person_id: row for row in rows if row.person_id is not None}


def newest_by_event(session: Session, event_id: int, since: datetime) -> JobRow | None:
    """Return the newest job that this event refreshed last, of those that are outstanding or ended after an instant."""
    by_it = select(JobRow).where(JobRow.event_id == event_id).order_by(JobRow.id.desc()).limit(1)
    going_on = session.scalar(by_it.where(JobRow.finished_at.is_(None)))  # two questions, for each has an index
    return going_on or session.scalar(by_it.where(JobRow.finished_at >= since))


def people_with_outstanding(session: Session, person_ids: Sequence[int]) -> frozenset[int]:
    """Return which of these people have an outstanding job, in one query."""
    rows = session.scalars(
        select(JobRow.person_id).where(JobRow.person_id.in_(person_ids), JobRow.finished_at.is_(None)),
    )
    return frozenset(person_id for person_id in rows if person_id is not None)


def outstanding(session: Session, subject: Subject) -> JobRow | None:
    """Return a subject's outstanding job."""
    return session.scalar(_OUTSTANDING, _key(subject))


def may_be_calling(session: Session, person_id: int) -> bool:
    """Tell whether a person's job runs, or has made a call whose fate is unknown. Locks the job's row.

    So no worker can claim it before this transaction ends.
    """
    row = session.scalar(_OUTSTANDING_LOCKED, _key(Subject(SubjectKind.PERSON, str(person_id))))
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
        select(func.min(JobRow.run_at)).where(*due(now)),
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
        hold_id = row.hold_id
        _queue(row, due_at)
        row.hold_id = hold_id  # nobody has decided it by that: see `perform`
    session.flush()
    return row.id


def _queue(row: JobRow, now: datetime) -> None:
    row.state = move(JOB_MOVES, row.state, JobState.QUEUED)
    row.run_at, row.reason, row.hold_id = now, None, None
