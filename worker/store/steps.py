"""The call ledger: steps from intention to outcome, and the attempts that were made for them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import ColumnElement, Select, bindparam, func, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from worker.mail import Address, FieldValue
from worker.planning.step import Brake, Operation, Step, StepFields
from worker.store.exclusion import one_at_a_time
from worker.store.states import STEP_MOVES, UNSETTLED, JobState, StepState, move
from worker.store.subjects import Subject, SubjectKind
from worker.store.tables import AttemptRow, JobRow, StepRow


@dataclass(frozen=True, slots=True)
class Attempt:
    """One HTTP request that was made, reads included."""

    operation: str
    method: str
    started_at: datetime
    duration_s: float
    status: int | None
    failure: str | None
    excerpt: str | None
    step_id: int | None = None


@dataclass(frozen=True, slots=True)
class Intention:
    """Under which job, token and cause steps are written down."""

    job_id: int
    fence: int
    source: str | None
    """Whose statement caused them: braked steps are counted by it."""
    seen_free_at: datetime | None
    """When the target of a create was last seen free."""
    is_first: bool = False
    """Whether nothing was intended in this job before."""


def intend(session: Session, steps: Sequence[Step], intention: Intention, now: datetime) -> list[StepRow]:
    """Write the steps of a new plan down as intended, and supersede older ones that were never sent.

    A step that was intended before and is wanted again keeps its row, and with it its history.
    """
    before = () if intention.is_first else of_job(session, intention.job_id)
    waiting = {row.hash: row for row in before if row.state is StepState.INTENDED}
    rows = []
    for position, step in enumerate(steps):
        row = waiting.pop(step.hash(), None) or _new_row(step, intention, now)
        row.position, row.fence, row.seen_free_at = position, intention.fence, intention.seen_free_at
        row.before = _json(step.before)
        session.add(row)
        rows.append(row)
    for row in waiting.values():
        row.state, row.settled_at = move(STEP_MOVES, row.state, StepState.SUPERSEDED), now
    session.flush()
    return rows


def get(session: Session, step_id: int) -> StepRow:
    """Return one step, locked."""
    return session.get_one(StepRow, step_id, with_for_update=True, populate_existing=True)


def set_state(row: StepRow, state: StepState, now: datetime, reason: str | None = None) -> None:
    """Move a step. Raises IllegalMove for a move that the table of states does not know."""
    row.state = move(STEP_MOVES, row.state, state)
    row.reason = reason
    if state is StepState.SENT:
        row.sent_at = now
    elif state in (StepState.CONFIRMED, StepState.REFUSED):
        row.settled_at = now


def set_sent(session: Session, step_id: int, now: datetime) -> None:
    """Note that a step's call is about to be made; it may be sent again, and can arrive until after the last time.

    In one statement, for whoever holds the lease of its lane. Raises IllegalMove as ``set_state``.
    """
    told = {"step": step_id, "now": now}
    if session.scalar(_sending(), told) is None:
        set_state(get(session, step_id), StepState.SENT, now)


def confirm(session: Session, step_id: int, now: datetime, reason: str | None = None) -> bool:
    """Confirm a step whose call was made, in one statement, for whoever holds the lease of its lane.

    Returns whether it was not confirmed before. Raises IllegalMove as ``set_state``.
    """
    told = {"step": step_id, "now": now, "why": reason}
    if session.scalar(_confirming(), told) is not None:
        return True
    row = get(session, step_id)
    if row.state is not StepState.CONFIRMED:
        set_state(row, StepState.CONFIRMED, now, reason)
    return False


# What is asked at each job is put together once: that takes longer than to ask it.


@cache
def _sending() -> ReturningUpdate[int]:
    sendable = (StepState.SENT, *(state for state, moves in STEP_MOVES.items() if StepState.SENT in moves))
    sent = update(StepRow).where(StepRow.id == bindparam("step"), StepRow.state.in_(sendable))
    sent = sent.values(state=StepState.SENT, sent_at=bindparam("now"), reason=None)
    return sent.returning(StepRow.id).execution_options(synchronize_session=False)


@cache
def _confirming() -> ReturningUpdate[int]:
    confirmable = [state for state, moves in STEP_MOVES.items() if StepState.CONFIRMED in moves]
    confirmed = update(StepRow).where(StepRow.id == bindparam("step"), StepRow.state.in_(confirmable))
    confirmed = confirmed.values(state=StepState.CONFIRMED, settled_at=bindparam("now"), reason=bindparam("why"))
    return confirmed.returning(StepRow.id).execution_options(synchronize_session=False)


_OF_JOB = select(StepRow).where(StepRow.job_id == bindparam("of_job"))
_OF_JOB = _OF_JOB.order_by(StepRow.intended_at, StepRow.position, StepRow.id)


def of_job(session: Session, job_id: int) -> list[StepRow]:
    """Return a job's steps in the order they were intended."""
    return list(session.scalars(_OF_JOB, {"of_job": job_id}))


def unsettled(session: Session, job_id: int) -> list[StepRow]:
    """Return the steps whose fate is not known: a job's, and those that dismissed jobs on the same subject left."""
    job = session.get_one(JobRow, job_id)
    own = [row for row in of_job(session, job_id) if row.state in UNSETTLED]
    return [*left_unsettled(session, Subject(SubjectKind(job.subject_kind), job.subject_key)), *own]


def left_unsettled(session: Session, subject: Subject) -> list[StepRow]:
    """Return the steps of dismissed jobs on a subject whose fate is not known: what they sent may have been done."""
    return list(session.scalars(_left_unsettled(), {"kind": subject.kind, "key": subject.key}))


@cache
def _left_unsettled() -> Select[StepRow]:
    dismissed = select(JobRow.id).where(
        JobRow.subject_kind == bindparam("kind"),
        JobRow.subject_key == bindparam("key"),
        JobRow.state == JobState.DISMISSED,
    )
    left = select(StepRow).where(StepRow.job_id.in_(dismissed), StepRow.state.in_(UNSETTLED))
    return left.order_by(StepRow.intended_at, StepRow.id)


def to_step(row: StepRow) -> Step:
    """Return the step that a row tells of."""
    return Step(
        operation=Operation(row.operation),
        target=Address(row.target),
        mailbox=Address(row.mailbox) if row.mailbox else None,
        before=_values(row.before),
        after=_values(row.after),
        brake=Brake(row.brake) if row.brake else None,
    )


def planned(job: JobRow) -> list[Step]:
    """Return the steps of a job's latest plan, carried out or not."""
    return [
        Step(
            operation=Operation(each["operation"]),
            target=Address(each["target"]),
            mailbox=Address(each["mailbox"]) if each["mailbox"] else None,
            before=_values(each["before"]),
            after=_values(each["after"]),
            brake=Brake(each["brake"]) if each["brake"] else None,
        )
        for each in job.plan or ()
    ]


def add_attempts(session: Session, job_id: int, attempts: Iterable[Attempt]) -> None:
    """Keep the requests that were made."""
    session.add_all(
        AttemptRow(
            job_id=job_id,
            step_id=one.step_id,
            operation=one.operation,
            method=one.method,
            started_at=one.started_at,
            duration_s=one.duration_s,
            status=one.status,
            failure=one.failure,
            excerpt=one.excerpt,
        )
        for one in attempts
    )


def was_refused(session: Session, row: StepRow) -> bool:
    """Tell whether the host has refused a step before, as far as that is written down."""
    made = attempts_of(session, row.job_id)
    return any(attempt.step_id == row.id and attempt.failure == "refused" for attempt in made)


def attempts_of(session: Session, job_id: int) -> list[AttemptRow]:
    """Return the requests that were made for a job, in order."""
    return list(session.scalars(select(AttemptRow).where(AttemptRow.job_id == job_id).order_by(AttemptRow.id)))


def lock_brake(session: Session, brake: Brake, source: str) -> None:
    """Let one transaction at a time count a brake, so that N workers cannot each pass it by one."""
    one_at_a_time(session, [f"brake.{brake}.{source}"])


def braked_count(
    session: Session, brake: Brake, source: str, *, since: datetime, but: tuple[int, Collection[Address]]
) -> int:
    """Return how many targets of this brake were intended since then, superseded and refused steps apart.

    ``but``: a job, and targets, that do not count: whose mailbox was deleted and who is then erased is one person.
    """
    but_job, but_targets = but
    others = StepRow.job_id != but_job, StepRow.target.not_in(but_targets)
    counted = select(func.count(func.distinct(StepRow.target)))
    return session.scalar(counted.where(*_braked(brake, source, since), *others)) or 0


def braked_targets(session: Session, brake: Brake, source: str, *, since: datetime) -> frozenset[Address]:
    """Return what ``braked_count`` counts."""
    rows = session.scalars(select(StepRow.target).where(*_braked(brake, source, since)).distinct())
    return frozenset(map(Address, rows))


def _braked(brake: Brake, source: str, since: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        StepRow.brake == brake,
        StepRow.source == source,
        StepRow.intended_at > since,
        StepRow.state.not_in((StepState.SUPERSEDED, StepState.REFUSED)),
    )


def _new_row(step: Step, intention: Intention, now: datetime) -> StepRow:
    return StepRow(
        job_id=intention.job_id,
        operation=step.operation,
        target=step.target,
        mailbox=step.mailbox,
        before=_json(step.before),
        after=_json(step.after),
        hash=step.hash(),
        brake=step.brake,
        source=intention.source if step.brake else None,
        state=StepState.INTENDED,
        intended_at=now,
    )


def _json(fields: StepFields) -> dict[str, object]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}


def _values(document: dict[str, FieldValue | list[str]]) -> dict[str, FieldValue]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in document.items()}
