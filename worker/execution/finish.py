"""Finish: write down how a run ended, free its lane, and tell those who waited for it."""

from datetime import datetime, timedelta
from typing import assert_never

import structlog
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from worker.execution.outcomes import Done, Held, Outcome, Parked, Retry, Waiting
from worker.execution.perform import Run
from worker.planning.step import Operation
from worker.planning.urgency import Urgency
from worker.store import jobs, leases, memberships, pauses, people, steps
from worker.store.database import DatabaseBusy, Session
from worker.store.jobs import shared_subject
from worker.store.pauses import PauseKind
from worker.store.states import JOB_MOVES, JobState, StepState, move
from worker.store.tables import JobRow

_log = structlog.get_logger(__name__)
_TRIES = 5
_GROWTH = 2
_LONGEST_EXPONENT = 16


def finish(run: Run, outcome: Outcome) -> None:
    """Record how the run ended and free the lane. Raises LeaseLost, and DatabaseBusy after a few tries.

    Where it cannot be recorded the lease runs out, and the next worker finds by looking what was done.
    """
    busy = Retrying(
        retry=retry_if_exception_type(DatabaseBusy),
        stop=stop_after_attempt(_TRIES),
        wait=wait_random_exponential(multiplier=0.1, max=1),
        reraise=True,
    )
    busy(lambda: _record(run, outcome))
    if isinstance(outcome, Held | Parked):
        _log.warning("a job needs a person", job=run.lease.job_id, state=type(outcome).__name__.lower())
    if run.lease.subject.person_id is not None:
        run.execution.bell.ring_apply()


def _record(run: Run, outcome: Outcome) -> None:
    """Locks person, own job, shared addresses' jobs, in this order."""
    now = run.now
    with run.execution.database.write() as session:
        if _may_have_worked(outcome) and run.lease.subject.person_id is not None:
            people.evaluate_soon(session, [run.lease.subject.person_id], now)  # a confirmed block starts its clocks
        row = leases.locked(session, run.lease)
        run.recorder.flush(session)
        _settle(run, row, outcome, now)
        if row.generation != run.lease.generation:
            _again(session, row, now)
        row.updated_at, row.worker, row.lease_until = now, None, None
        _tell_groups(session, run, now)
        if row.state is JobState.DONE:
            _end_pause(session, row, now)


def _settle(run: Run, row: JobRow, outcome: Outcome, now: datetime) -> None:
    match outcome:
        case Done(note):
            row.state, row.reason = move(JOB_MOVES, row.state, JobState.DONE), note
            row.finished_at, row.failures, row.failing_since = now, 0, None
        case Waiting(until, reason):
            row.state, row.reason, row.run_at = move(JOB_MOVES, row.state, JobState.WAITING), reason, until
        case Retry():
            _retry_later(run, row, outcome, now)
        case Held(reason, hold_id, look_again_at):
            row.state, row.reason, row.hold_id = move(JOB_MOVES, row.state, JobState.HELD), reason, hold_id
            row.run_at = look_again_at or now
        case Parked(reason):
            row.state, row.reason = move(JOB_MOVES, row.state, JobState.PARKED), reason
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
        row.reason = f"it failed {row.failures} times since {since}; last: {retry.reason}"
        _log.warning("a job needs a person", job=row.id, state=row.state.value)
        return
    pause = min(patience.first * _GROWTH ** min(row.failures - 1, _LONGEST_EXPONENT), patience.longest)
    if retry.look_at_once and row.failures == 1:
        pause = timedelta(0)
    row.state, row.reason = move(JOB_MOVES, row.state, JobState.WAITING), retry.reason
    row.run_at = now + max(pause, retry.at_least)


def _again(session: Session, row: JobRow, now: datetime) -> None:
    """An event refreshed the job while it ran: what it wanted may be old, so it runs once more."""
    if row.state is JobState.DONE:
        row.finished_at = None
        row.state = JobState.RUNNING  # within this transaction only, so nobody ever saw it done
    session.flush()
    row.state = move(JOB_MOVES, row.state, JobState.QUEUED)
    row.run_at, row.hold_id = now, None


def _tell_groups(session: Session, run: Run, now: datetime) -> None:
    """Have lists written that waited for this person's mailbox, once the last of their members is through."""
    person_id = run.lease.subject.person_id
    if person_id is None:
        return
    made = any(
        row.operation == Operation.CREATE_MAILBOX and row.state is StepState.CONFIRMED
        for row in steps.of_job(session, run.lease.job_id)
    )
    since = now - run.execution.patience.creations
    for key in sorted(memberships.of_person(session, person_id)):
        subject = shared_subject(key)
        if memberships.creations_under_way(session, key, since=since, but_person=person_id):
            continue
        if not jobs.wake(session, subject, now) and made:
            jobs.refresh(session, subject, urgency=Urgency.CHANGE, now=now)


def _end_pause(session: Session, row: JobRow, now: datetime) -> None:
    """A job that made a mailbox shows that there is room again."""
    if any(step["operation"] == Operation.CREATE_MAILBOX for step in row.plan or ()):
        pauses.end(session, PauseKind.CREATIONS, now)
