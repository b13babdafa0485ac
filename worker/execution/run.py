"""Run: claim the most urgent due job, take its subject towards what is desired, and record how it ended."""

from datetime import datetime, timedelta
from typing import assert_never

import structlog

from worker.execution.collisions import look_around
from worker.execution.context import LEASE, Execution
from worker.execution.domain import run_domain
from worker.execution.finish import finish
from worker.execution.outcomes import PAUSES, Outcome, Parked, Retry, Waiting, outcome_of
from worker.execution.perform import Run
from worker.execution.person import run_person
from worker.execution.recorder import Recorder
from worker.execution.shared import run_shared
from worker.migadu import MigaduError, NotFound, Refused
from worker.planning.urgency import Urgency
from worker.store import calls, jobs, pauses
from worker.store.calls import CallLimit, LimitReached
from worker.store.database import DatabaseBusy, Session
from worker.store.jobs import LeaseLost, SubjectKind
from worker.store.pauses import PauseKind

_log = structlog.get_logger(__name__)
_MOMENT = timedelta(seconds=1)


def run_next(execution: Execution) -> bool:
    """Run the most urgent due job. Returns whether there was one that may be run now."""
    now = execution.clock.now()
    with execution.database.read() as session:
        if not jobs.due_count(session, now, at_most=1):
            return False  # most bells ring for work that is done; on SQLite asking so waits for no writer
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
        finish(run, _outcome(run))
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
    _log.warning("the mail host is left alone", pause=kind.value, until=until.isoformat(), reason=str(error))
    return Waiting(until, str(error))
