"""Run: claim the most urgent due job, take its subject towards what is desired, and record how it ended."""

from datetime import timedelta
from threading import get_ident
from typing import assert_never

import structlog

from worker.execution.collisions import look_around
from worker.execution.context import LEASE, Execution, GivesWay
from worker.execution.domain import DomainGone, require_domain, run_domain
from worker.execution.finish import finish
from worker.execution.outcomes import GivenBack, Outcome, Parked, Retry, Waiting, outcome_of, spread
from worker.execution.perform import Run
from worker.execution.person import run_person
from worker.execution.recorder import Recorder
from worker.execution.shared import run_shared
from worker.migadu import AccountRefused, Full, MigaduError, NotFound, Refused, Throttled
from worker.planning.urgency import Urgency
from worker.store import jobs, leases, pauses
from worker.store.budget import NoCallNow, Room
from worker.store.database import DatabaseBusy
from worker.store.leases import Lease, LeaseLost
from worker.store.pauses import PauseKind
from worker.store.progress import MAY_BE_CLAIMED
from worker.store.subjects import SubjectKind

_log = structlog.get_logger(__name__)
_MOMENT = timedelta(seconds=1)


def run_next(execution: Execution) -> bool:
    """Run the most urgent due job. Returns whether there was one that may be run now; none is where we are to stop."""
    if execution.stopping.is_set():
        return False
    lease = _claim(execution)
    if lease is None:
        return False
    recorder = Recorder(execution, lease, gives_way=lease.urgency != Urgency.REVOCATION)
    run = Run(execution, lease, recorder, execution.connect(recorder))
    try:
        finish(run, _outcome(run))
    except LeaseLost:
        _log.warning("the lane was taken over; this run's outcome is void", job=lease.job_id, fence=lease.fence)
    return True


def _claim(execution: Execution) -> Lease | None:
    """Take the most urgent due job for which there is room in the call budget."""
    now = execution.clock.now()
    if execution.database.is_sqlite:  # most bells ring for work that is done, and asking so waits for no writer
        with execution.database.read() as session:
            if not jobs.due_count(session, now, at_most=1) or execution.budget.room(session) is Room.NOBODY:
                return None
    with execution.database.write(durable=False) as session:
        urgency = max(MAY_BE_CLAIMED[execution.budget.room(session)], default=None)
        if urgency is None:
            return None
        # A token that a power cut took back may be given out again to a thread beside, while the former still goes on.
        worker = f"{execution.worker}-{get_ident():x}"
        return leases.claim(session, worker=worker, lease=LEASE, now=now, least_urgent=urgency)


def _outcome(run: Run) -> Outcome:
    """Run the lane, and turn whatever happens into an outcome: the one place where any exception is caught."""
    try:
        return _look_twice(run)
    except DomainGone as gone:
        return gone.held(run.now)
    except MigaduError as error:
        return _after(run, error)
    except (NoCallNow, GivesWay, DatabaseBusy) as why:
        return _put_off(run, why)
    except LeaseLost:
        raise
    except Exception:  # noqa: BLE001 - the rim of a run: whatever it is becomes a recorded outcome
        _log.exception("a defect stopped the run", job=run.lease.job_id)
        return Retry("a defect of ours stopped the run; the log has the details")


def _put_off(run: Run, why: NoCallNow | GivesWay | DatabaseBusy) -> Outcome:
    """Come back to what nobody failed at."""
    match why:
        case NoCallNow():
            return Waiting(run.now + spread(why.wait), str(why))
        case GivesWay():
            return GivenBack(str(why))
        case DatabaseBusy():
            return Waiting(run.now + _MOMENT, "the database was busy")
        case _:
            assert_never(why)


def _look_twice(run: Run) -> Outcome:
    """Run; where the host refuses, observe anew and plan once more; refused again, a person must look."""
    try:
        return _dispatch(run)
    except (Refused, NotFound) as error:
        if isinstance(error, NotFound) and (domain := _domain_of(error)):
            require_domain(run, domain)  # an object that is gone is looked for anew, a domain is not
        look_around(run)
    try:
        return _dispatch(run)
    except (Refused, NotFound) as error:
        return Parked(f"{error} Answer: {error.excerpt or 'none'}")


def _domain_of(error: NotFound) -> str | None:
    """Return the domain in which something was not there."""
    _, found, rest = error.path.partition("/domains/")
    return rest.partition("/")[0] if found else None


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
