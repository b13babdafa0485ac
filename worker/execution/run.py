"""Run: claim the most urgent due job, take its subject towards what is desired, and record how it ended."""

from datetime import datetime, timedelta
from typing import assert_never

import structlog

from worker.execution.collisions import look_around
from worker.execution.context import LEASE, Execution
from worker.execution.domain import run_domain
from worker.execution.outcomes import PAUSES, Done, Held, Outcome, Parked, Retry, Waiting, outcome_of
from worker.execution.perform import Run
from worker.execution.person import run_person
from worker.execution.recorder import Recorder
from worker.execution.shared import run_shared
from worker.migadu import MigaduError, NotFound, Refused
from worker.planning.step import Operation
from worker.planning.urgency import Urgency
from worker.store import addresses, calls, jobs, pauses, people, steps
from worker.store.calls import CallLimit, LimitReached
from worker.store.database import DatabaseBusy, Session
from worker.store.jobs import LeaseLost, Subject, SubjectKind
from worker.store.pauses import PauseKind
from worker.store.states import JOB_MOVES, JobState, StepState, move
from worker.store.tables import JobRow

_log = structlog.get_logger(__name__)
_MOMENT = timedelta(seconds=1)
_GROWTH = 2
_LONGEST_EXPONENT = 16


def run_next(execution: Execution) -> bool:
    """Run the most urgent due job. Returns whether there was one that may be run now."""
    now = execution.clock.now()
    with execution.database.write() as session:
        if _all_calls_paused(session, now):
            return False
        urgency = _least_urgent_now(session, execution.limit)
        if urgency is None:
            return False
        lease = jobs.claim(session, worker=execution.worker, lease=LEASE, now=now, least_urgent=urgency)
    if lease is None:
        return False
    recorder = Recorder(execution, lease)
    run = Run(execution, lease, recorder, execution.connect(recorder))
    try:
        _finish(run, _outcome(run))
    except LeaseLost:
        _log.warning("the lane was taken over; this run's outcome is void", job=lease.job_id, fence=lease.fence)
    return True


def _all_calls_paused(session: Session, now: datetime) -> bool:
    return any(pauses.until(session, kind, now) for kind in (PauseKind.THROTTLED, PauseKind.ACCOUNT))


def _least_urgent_now(session: Session, limit: CallLimit | None) -> Urgency | None:
    """Ask the call limit before claiming: what may run now; None if not even a revocation."""
    free = calls.free(session, limit) if limit else None
    if limit is None or free is None or free > limit.reserve:
        return Urgency.DRIFT
    return Urgency.REVOCATION if free else None


def _outcome(run: Run) -> Outcome:
    """Run the lane, and turn whatever happens into an outcome: the one place where any exception is caught."""
    try:
        return _look_twice(run)
    except MigaduError as error:
        if (kind := PAUSES.get(type(error))) is not None:
            return _pause(run, kind, error)
        return outcome_of(error)
    except LimitReached as reached:
        return Waiting(run.now + reached.wait, "the call limit is reached")
    except LeaseLost:
        raise
    except DatabaseBusy:
        return Waiting(run.now + _MOMENT, "the database was busy")
    except Exception:  # noqa: BLE001 - the rim of a run: whatever it is becomes a recorded outcome
        _log.exception("a defect stopped the run", job=run.lease.job_id)
        return Retry("a defect of ours stopped the run; the log has the details")


def _look_twice(run: Run) -> Outcome:
    """Run; where the host refuses, observe anew and plan once more; refused again, a person must look."""
    try:
        return _dispatch(run)
    except (Refused, NotFound):
        look_around(run)
    try:
        return _dispatch(run)
    except (Refused, NotFound) as error:
        return Parked(f"{error} Answer: {error.excerpt or 'none'}")


def _dispatch(run: Run) -> Outcome:
    match run.lease.subject.kind:
        case SubjectKind.PERSON:
            return run_person(run)
        case SubjectKind.SHARED:
            return run_shared(run)
        case SubjectKind.DOMAIN:
            return run_domain(run)
        case _:
            assert_never(run.lease.subject.kind)


def _pause(run: Run, kind: PauseKind, error: MigaduError) -> Waiting:
    at_least = timedelta(seconds=error.retry_after_s) if error.retry_after_s else None
    with run.execution.database.write() as session:
        until = pauses.pause(session, kind, str(error), run.now, at_least)
    return Waiting(until, str(error))


def _finish(run: Run, outcome: Outcome) -> None:
    """Record how the run ended and free the lane. Locks person, own job, shared addresses' jobs, in this order."""
    now = run.now
    with run.execution.database.write() as session:
        if isinstance(outcome, Done) and run.lease.subject.person_id is not None:
            people.evaluate_soon(session, [run.lease.subject.person_id], now)  # a confirmed block starts its clocks
        row = jobs.locked(session, run.lease)
        run.recorder.flush(session)
        _settle(run, row, outcome, now)
        if row.generation != run.lease.generation:
            _again(session, row, now)
        row.updated_at, row.worker, row.lease_until = now, None, None
        _tell_groups(session, run, now)
        if row.state is JobState.DONE:
            _end_pauses(session, row, now)
    run.execution.bell.ring_apply()
    run.execution.bell.ring_run()


def _settle(run: Run, row: JobRow, outcome: Outcome, now: datetime) -> None:
    match outcome:
        case Done(note):
            row.state, row.reason = move(JOB_MOVES, row.state, JobState.DONE), note
            row.finished_at, row.failures, row.failing_since = now, 0, None
        case Waiting(until, reason):
            row.state, row.reason, row.run_at = move(JOB_MOVES, row.state, JobState.WAITING), reason, until
        case Retry():
            _retry_later(run, row, outcome, now)
        case Held(reason, hold_id):
            row.state, row.reason, row.hold_id = move(JOB_MOVES, row.state, JobState.HELD), reason, hold_id
        case Parked(reason):
            row.state, row.reason = move(JOB_MOVES, row.state, JobState.PARKED), reason
        case _:
            assert_never(outcome)


def _retry_later(run: Run, row: JobRow, retry: Retry, now: datetime) -> None:
    patience = run.execution.patience
    row.failures, row.failing_since = row.failures + 1, row.failing_since or now
    if now - row.failing_since >= patience.give_up_after:
        row.state = move(JOB_MOVES, row.state, JobState.PARKED)
        since = f"{row.failing_since:%Y-%m-%d %H:%M} UTC"
        row.reason = f"it failed {row.failures} times since {since}; last: {retry.reason}"
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
    """Have the shared addresses written that waited for this person's mailbox, once the last member is through."""
    person_id = run.lease.subject.person_id
    if person_id is None:
        return
    made = any(
        row.operation == Operation.CREATE_MAILBOX and row.state is StepState.CONFIRMED
        for row in steps.of_job(session, run.lease.job_id)
    )
    since = now - run.execution.patience.creations
    for address in sorted(addresses.memberships(session, person_id)):
        subject = Subject(SubjectKind.SHARED, address)
        if addresses.creations_under_way(session, address, since=since, but_person=person_id):
            continue
        if not jobs.wake(session, subject, now) and made:
            jobs.refresh(session, subject, urgency=Urgency.CHANGE, now=now)


def _end_pauses(session: Session, row: JobRow, now: datetime) -> None:
    """A job that came through shows that the host answers again, and one that made a mailbox that there is room."""
    pauses.end(session, PauseKind.THROTTLED, now)
    pauses.end(session, PauseKind.ACCOUNT, now)
    if any(step["operation"] == Operation.CREATE_MAILBOX for step in row.plan or ()):
        pauses.end(session, PauseKind.CREATIONS, now)
