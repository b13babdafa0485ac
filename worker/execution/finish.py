"""Finish: write down how a run ended, free its lane, and tell those who waited for it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

import structlog
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_when_event_set,
    wait_random_exponential,
)

from worker.execution.outcomes import Done, GivenBack, Held, Outcome, Parked, Retry, Waiting
from worker.execution.perform import Run
from worker.intake.evaluate import evaluate
from worker.mail import SharedKey, counted
from worker.planning.step import Operation
from worker.planning.urgency import Urgency
from worker.store import jobs, leases, memberships, pauses, people, quarantines, steps
from worker.store.database import DatabaseBusy, Session
from worker.store.leases import LeaseLost
from worker.store.pauses import PauseKind
from worker.store.states import JOB_MOVES, JobState, StepState, move
from worker.store.subjects import shared_subject
from worker.store.tables import JobRow, PersonRow

_log = structlog.get_logger(__name__)
_TRIES = 60
"""For about a minute: by then the lease has run out, and another worker looks what was done."""
_TRIES_WHEN_STOPPING = 5
_MOMENT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class _Told:
    """What is to be rung for, once it is committed."""

    jobs: int = 0
    apply: bool = False


def finish(run: Run, outcome: Outcome) -> None:
    """Record how the run ended and free the lane. Raises LeaseLost, and DatabaseBusy after many tries.

    A database that is away for less than a lease is waited for, because otherwise the subject would wait for the rest
    of it. Where nothing can be recorded the lease runs out, and the next worker finds by looking what was done.
    """
    is_stopping = stop_when_event_set(run.execution.stopping)
    busy = Retrying(
        retry=retry_if_exception_type(DatabaseBusy),
        stop=stop_after_attempt(_TRIES) | is_stopping & stop_after_attempt(_TRIES_WHEN_STOPPING),
        wait=wait_random_exponential(multiplier=0.1, max=2),
        sleep=run.execution.sleep,
        reraise=True,
    )
    told: _Told = busy(lambda: _recorded(run, outcome))
    if isinstance(outcome, Held | Parked):
        _log.warning("a job needs a person", job=run.lease.job_id, state=type(outcome).__name__.lower())
    if isinstance(outcome, Waiting) and outcome.for_a_record:
        run.execution.bell.ring_hydrate()  # not before: the answer wakes only a job that is written down as waiting
    if told.apply:
        run.execution.bell.ring_apply()
    for _ in range(told.jobs):
        run.execution.bell.ring_run()


def _recorded(run: Run, outcome: Outcome) -> _Told:
    try:
        return _record(run, outcome, _evaluate_now)
    except (DatabaseBusy, LeaseLost):
        raise
    except Exception:  # noqa: BLE001 - what is wrong with the person must not undo what was done for them
        _log.exception("a person is evaluated later", job=run.lease.job_id)
        return _record(run, outcome, _evaluate_later)


def _record(run: Run, outcome: Outcome, look: Callable[[Session, Run, PersonRow], _Told]) -> _Told:
    """Locks person, own job, the lists of who got a mailbox, and then what an evaluation locks, jobs of lists at last.

    For the first three waits only who holds the person, or waits to end a job too; so they may come before the lines.
    """
    now, person_id, told = run.now, run.lease.subject.person_id, _Told()
    with run.execution.database.write(durable=False) as session:
        person = people.lock(session, person_id) if person_id is not None else None
        row = leases.locked(session, run.lease)
        lists = memberships.of_person(session, person_id) if person_id is not None else frozenset()
        if run.recorder.has_made_mailbox:
            memberships.lock(session, lists)
        run.recorder.write_confirmed(session)
        run.recorder.flush(session)
        _settle(run, row, outcome, now)
        if row.generation != run.lease.generation:
            _again(session, row, now)
        row.updated_at, row.worker, row.lease_until = now, None, None
        if person is not None:
            if _may_have_worked(outcome):
                told = look(session, run, person)
            else:  # whoever is blocked, though not all else is done, is taken out of the lists
                has_blocked = _has_made(session, run, Operation.BLOCK_MAILBOX)
                told = _evaluate_later(session, run, person) if has_blocked else _Told(apply=True)
        elif row.reason == jobs.INBOX_REASON:
            told = _Told(apply=True)  # it may have been applied by now, and then nobody else would wake this job
        _tell_groups(session, run, lists, now)
        if row.state is JobState.DONE:
            _end_pause(session, run, row, now)
            if not run.recorder.finds_no_failures:
                quarantines.end_of_job(session, row.id)
    return told


def _evaluate_now(session: Session, run: Run, person: PersonRow) -> _Told:
    """Look at the person again at once, for a confirmed block starts its clocks: it saves a bell and a search."""
    session.flush()  # the job is over, so what is wanted now is another's
    refreshed = evaluate(session, run.execution, person, None)
    return _Told(refreshed, apply=person.line_due_at is not None)


def _evaluate_later(session: Session, run: Run, person: PersonRow) -> _Told:
    people.evaluate_soon(session, [person.id], run.now)
    return _Told(apply=True)


def _settle(run: Run, row: JobRow, outcome: Outcome, now: datetime) -> None:
    match outcome:
        case Done(note):
            row.state, row.reason = move(JOB_MOVES, row.state, JobState.DONE), note
            row.finished_at, row.failures, row.failing_since, row.hold_id = now, 0, None, None
        case Waiting(until, reason, _):
            row.state, row.reason, row.run_at = move(JOB_MOVES, row.state, JobState.WAITING), reason, until
        case Retry():
            _retry_later(run, row, outcome, now)
        case Held(reason, hold_id, look_again_at):
            row.state, row.reason, row.hold_id = move(JOB_MOVES, row.state, JobState.HELD), reason, hold_id
            # An instant to come is what tells a job that is to be looked at again from one that is not.
            row.run_at = max(look_again_at, now + _MOMENT) if look_again_at else now
        case Parked(reason):
            row.state, row.reason = move(JOB_MOVES, row.state, JobState.PARKED), reason
        case GivenBack(reason):
            row.state, row.reason = move(JOB_MOVES, row.state, JobState.QUEUED), reason
        case _:
            assert_never(outcome)


def _may_have_worked(outcome: Outcome) -> bool:
    """Tell whether steps may have been confirmed: also of a job that is held for what is left over."""
    return isinstance(outcome, Done) or (isinstance(outcome, Held) and outcome.hold_id is None)


def _retry_later(run: Run, row: JobRow, retry: Retry, now: datetime) -> None:
    patience = run.execution.patience
    row.failures, row.failing_since = row.failures + 1, row.failing_since or now
    if now - row.failing_since >= patience.give_up_after:
        row.state = move(JOB_MOVES, row.state, JobState.PARKED)
        since = f"{row.failing_since:%Y-%m-%d %H:%M} UTC"
        row.reason = f"it failed {counted(row.failures, 'time')} since {since}; last: {retry.reason}"
        _log.warning("a job needs a person", job=row.id, state=row.state.value)
        return
    pause = timedelta(0) if retry.look_at_once and row.failures == 1 else patience.pause(row.failures)
    row.state, row.reason = move(JOB_MOVES, row.state, JobState.WAITING), retry.reason
    row.run_at = now + max(pause, retry.at_least)


def _again(session: Session, row: JobRow, now: datetime) -> None:
    """An event refreshed the job while it ran: what it wanted may be old, so it runs once more."""
    if row.state is JobState.DONE:
        row.finished_at = None
        row.state = JobState.RUNNING  # within this transaction only, so nobody ever saw it done
    session.flush()
    row.state = move(JOB_MOVES, row.state, JobState.QUEUED)
    row.run_at = now


def _tell_groups(session: Session, run: Run, lists: Collection[SharedKey], now: datetime) -> None:
    """Have lists written that waited for this person's mailbox, once the last of their members is through."""
    if not lists:
        return
    made = run.recorder.has_made_mailbox or (
        not run.lease.is_first and _has_made(session, run, Operation.CREATE_MAILBOX)
    )
    since = now - run.execution.patience.creations
    for key in sorted(lists):
        subject = shared_subject(key)
        if memberships.creations_under_way(session, key, since=since, but_person=run.lease.subject.person_id):
            continue
        if not jobs.wake(session, subject, now) and made:
            jobs.refresh(session, subject, urgency=Urgency.CHANGE, now=now)


def _has_made(session: Session, run: Run, operation: Operation) -> bool:
    """Tell whether this job has done something, in this run or in one of a worker that died before it told of it."""
    if run.recorder.finds_no_steps:
        return False
    made = (row for row in steps.of_job(session, run.lease.job_id) if row.operation == operation)
    return any(row.state is StepState.CONFIRMED for row in made)


def _end_pause(session: Session, run: Run, row: JobRow, now: datetime) -> None:
    """A job that made a mailbox shows that there is room again."""
    if run.recorder.has_seen_pause and any(step["operation"] == Operation.CREATE_MAILBOX for step in row.plan or ()):
        pauses.end(session, PauseKind.CREATIONS, now)
