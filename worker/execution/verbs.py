"""What an operator does with jobs and holds: one transaction with its line in the audit, and the bell after it."""

from collections.abc import Iterator
from contextlib import contextmanager

from worker.bell import Bell
from worker.clock import Clock
from worker.intake.admission import let_in
from worker.store import audit, holds, jobs, people, quarantines
from worker.store.database import Database, Session
from worker.store.holds import Hold, HoldChanged
from worker.store.jobs import RESUMABLE
from worker.store.states import OUTSTANDING, IllegalMove, JobState
from worker.store.subjects import subject_of
from worker.store.tables import JobRow


class VerbRefused(Exception):
    """An operator's act that could not be done; nothing was changed.

    VerbRefused
    ├── NoSuchJob
    ├── NoSuchHold
    ├── NoSuchEvent
    └── NotAllowedNow
    """


class NoSuchJob(VerbRefused, LookupError):
    """There is no such job."""


class NoSuchHold(VerbRefused, LookupError):
    """There is no such hold."""


class NoSuchEvent(VerbRefused, LookupError):
    """There is no such event."""


class NotAllowedNow(VerbRefused):
    """The job, hold or event is not in a state in which this may be done; the sentence says what it is in."""


def retry(database: Database, clock: Clock, bell: Bell, job_id: int, actor: str) -> int:
    """Have a waiting, held or parked job run now; a dismissed one is made anew. Returns the id of the queued job.

    A job that a brake stopped is let through by ``approve_hold`` alone. Raises NoSuchJob, NotAllowedNow.
    """
    now = clock.now()
    with database.write() as session:
        seen = jobs.get(session, job_id)
        if seen is not None and seen.person_id is not None:
            people.lock(session, seen.person_id)  # a new job names the person: before the job's row, as everywhere
        row = _job(session, job_id)
        queued = job_id
        detail = {"from": row.state.value, "failures": row.failures}
        if row.state is JobState.DISMISSED:
            queued = jobs.refresh(session, subject_of(row), urgency=row.urgency, now=now, event_id=row.event_id)
        else:
            _require_resumable(row)
            jobs.requeue(row, now)
            quarantines.try_now(session, job_id, now)
        audit.record(session, actor, "job.retry", f"job {job_id}", detail, now)
    bell.ring_run()
    return queued


def dismiss(database: Database, clock: Clock, bell: Bell, job_id: int, actor: str, *, reason: str) -> None:
    """End a job without its outcome. The next event about a person, or the next change of members, makes a new one.

    Raises NoSuchJob, NotAllowedNow.
    """
    now = clock.now()
    with database.write() as session:
        seen = jobs.get(session, job_id)
        if seen is not None and seen.person_id is not None:
            people.want_anew(session, [seen.person_id])  # before the job's row is locked, as everywhere
        row = _job(session, job_id)
        detail = {"from": row.state.value, "reason": reason}
        try:
            jobs.dismiss(session, row, now, reason)
        except IllegalMove as error:
            raise NotAllowedNow(f"job {job_id} is {row.state.value}: {_why_not_dismissed(row)}") from error
        audit.record(session, actor, "job.dismiss", f"job {job_id}", detail, now)
    bell.ring_run()


def approve_hold(database: Database, clock: Clock, bell: Bell, hold_id: int, actor: str, *, plan: str) -> int:
    """Let pass what a brake stopped, if it is still what the hash ``plan`` names. Returns how many jobs go on.

    A policy that is held comes into force; everybody is then evaluated under it, and the brakes count what comes of
    that. Raises NoSuchHold, NotAllowedNow.
    """
    now = clock.now()
    with database.write() as session, _changed_is_refused():
        hold = _require_hold(session, hold_id)
        if hold.policy is not None:
            let_in(session, hold.policy, now)
        number = holds.approve(session, hold_id, plan, actor, now)
        audit.record(session, actor, "hold.approve", f"hold {hold_id}", {"jobs": number, "plan": plan}, now)
    if hold.policy is not None:
        bell.ring_apply()
    for _ in range(number):
        bell.ring_run()
    return number


def reject_hold(database: Database, clock: Clock, bell: Bell, hold_id: int, actor: str) -> int:
    """Dismiss the jobs that a brake stopped. Returns how many. Raises NoSuchHold, NotAllowedNow.

    A policy that is held stays out, and is not asked about again while the one in force is.
    """
    now = clock.now()
    with database.write() as session, _changed_is_refused():
        _require_hold(session, hold_id)
        number = holds.reject(session, hold_id, actor, now)
        audit.record(session, actor, "hold.reject", f"hold {hold_id}", {"jobs": number}, now)
    bell.ring_run()
    return number


def _job(session: Session, job_id: int) -> JobRow:
    row = jobs.get(session, job_id, lock=True)
    if row is None:
        raise NoSuchJob(f"there is no job {job_id}")
    return row


def _require_resumable(row: JobRow) -> None:
    if row.state not in RESUMABLE:
        raise NotAllowedNow(f"job {row.id} is {row.state.value}: {_why_not_retried(row)}")
    if row.state is JobState.HELD and row.hold_id is not None:
        raise NotAllowedNow(f"job {row.id} is stopped by hold {row.hold_id}: approve or reject that")


def _why_not_retried(row: JobRow) -> str:
    if row.state is JobState.DONE:
        return "it is over; `mailroster reconcile` looks whether what it did is still so"
    return "it runs as soon as a worker is free" if row.state is JobState.QUEUED else "a worker is in it"


def _why_not_dismissed(row: JobRow) -> str:
    if row.state in OUTSTANDING:
        return "a worker is in it; dismiss it when it has stopped"
    return "it is over"


def _require_hold(session: Session, hold_id: int) -> Hold:
    hold = holds.find_hold(session, hold_id)
    if hold is None:
        raise NoSuchHold(f"there is no hold {hold_id}")
    return hold


@contextmanager
def _changed_is_refused() -> Iterator[None]:
    try:
        yield
    except HoldChanged as error:
        raise NotAllowedNow(str(error)) from error
