"""Run: claim the most urgent due job, take its subject towards what is desired, and record how it ended."""

from datetime import timedelta
from typing import assert_never

import structlog

from worker.execution.collisions import look_around
from worker.execution.context import LEASE, Execution
from worker.execution.domain import run_domain
from worker.execution.finish import finish
from worker.execution.outcomes import Outcome, Parked, Retry, Waiting, outcome_of, spread
from worker.execution.perform import Run
from worker.execution.person import run_person
from worker.execution.recorder import Recorder
from worker.execution.shared import run_shared
from worker.migadu import AccountRefused, Full, MigaduError, NotFound, Refused, Throttled
from worker.planning.urgency import Urgency
from worker.store import jobs, leases, pauses
from worker.store.budget import NoCallNow, Room
from worker.store.database import DatabaseBusy
from worker.store.jobs import SubjectKind
from worker.store.leases import LeaseLost
from worker.store.pauses import PauseKind

_log = structlog.get_logger(__name__)
_MOMENT = timedelta(seconds=1)
_LEAST_URGENT = {Room.NOBODY: None, Room.REVOCATIONS: Urgency.REVOCATION, Room.EVERYBODY: Urgency.DRIFT}
"""What may be claimed, by the room that there is in the call budget."""


def run_next(execution: Execution) -> bool:
    """Run the most urgent due job. Returns whether there was one that may be run now."""
    now = execution.clock.now()
    with execution.database.read() as session:
        if not jobs.due_count(session, now, at_most=1):
            return False  # most bells ring for work that is done; on SQLite asking so waits for no writer
        urgency = _LEAST_URGENT[execution.budget.room(session)]
    if urgency is None:
        return False
    with execution.database.write() as session:
        lease = leases.claim(session, worker=execution.worker, lease=LEASE, now=now, least_urgent=urgency)
    if lease is None:
        return False
    recorder = Recorder(execution, lease)
    run = Run(execution, lease, recorder, execution.connect(recorder))
    try:
        finish(run, _outcome(run))
    except LeaseLost:
        _log.warning("the lane was taken over; this run's outcome is void", job=lease.job_id, fence=lease.fence)
    return True


def _outcome(run: Run) -> Outcome:
    """Run the lane, and turn whatever happens into an outcome: the one place where any exception is caught."""
    try:
        return _look_twice(run)
    except MigaduError as error:
        return _after(run, error)
    except NoCallNow as refused:
        return Waiting(run.now + spread(refused.wait), str(refused))
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
        case SubjectKind.SHARED | SubjectKind.REWRITE:
            return run_shared(run)
        case SubjectKind.DOMAIN:
            return run_domain(run)
        case _:
            assert_never(run.lease.subject.kind)


def _after(run: Run, error: MigaduError) -> Outcome:
    match error:
        case Full():
            return _without_creations(run, error)
        case Throttled() | AccountRefused():
            return _until_the_gate_opens(run, error)
        case _:
            return outcome_of(error)


def _without_creations(run: Run, error: Full) -> Waiting:
    """Pause creations, which is nobody's fault and burns no attempt of this job; everything else goes on."""
    at_least = timedelta(seconds=error.retry_after_s) if error.retry_after_s else None
    with run.execution.database.write() as session:
        until = pauses.pause(session, PauseKind.CREATIONS, str(error), run.now, at_least)
    _log.warning("no mailbox is made for a while", until=until.isoformat(), reason=str(error))
    return Waiting(until, str(error))


def _until_the_gate_opens(run: Run, error: MigaduError) -> Waiting:
    """Wait with everybody: the recorder has closed the gate. It is nobody's fault and burns no attempt of this job."""
    with run.execution.database.read() as session:
        closed_for = run.execution.budget.closed_for(session)
    return Waiting(run.now + spread(closed_for), str(error))
