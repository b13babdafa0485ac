"""Claims, leases and tokens, straight at the store: what both engines must do alike."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import update

from tests.integration.office import MONDAY, ON_POSTGRESQL
from worker.planning.urgency import Urgency
from worker.store import jobs, leases
from worker.store.database import Database, Session, database_now
from worker.store.leases import Lease
from worker.store.states import JobState
from worker.store.subjects import Subject, SubjectKind
from worker.store.tables import JobRow

MINUTE = timedelta(minutes=1)


def _queue(database: Database, *due: tuple[Urgency, datetime]) -> list[int]:
    """Queue a job for each, and return their ids."""
    with database.write() as session:
        return [
            jobs.refresh(session, Subject(SubjectKind.PERSON, str(number)), urgency=urgency, now=MONDAY, due_at=due_at)
            for number, (urgency, due_at) in enumerate(due, 1)
        ]


@pytest.fixture
def _people(database: Database) -> None:
    with database.write() as session:
        for number in range(1, 41):
            session.connection().exec_driver_sql(
                f"insert into people (id, created_at, name, phase) values ({number}, '2026-03-02', '', '')"
            )


pytestmark = pytest.mark.usefixtures("_people")


def _claim(session: Session, *, worker: str = "w", least_urgent: Urgency = Urgency.DRIFT) -> Lease | None:
    return leases.claim(session, worker=worker, lease=MINUTE, now=MONDAY, least_urgent=least_urgent)


def _claimed(database: Database, **wanted: Urgency) -> int | None:
    with database.write() as session:
        lease = _claim(session, **wanted)
    return lease.job_id if lease else None


def test_the_most_urgent_goes_first_and_within_one_urgency_the_oldest(database: Database) -> None:
    """Urgency, then since when it is due, then which came first; what is not due yet is nobody's."""
    later, drift, joiner, revocation, older, same = _queue(
        database,
        (Urgency.REVOCATION, MONDAY + MINUTE),
        (Urgency.DRIFT, MONDAY - 9 * MINUTE),
        (Urgency.JOINER, MONDAY),
        (Urgency.REVOCATION, MONDAY),
        (Urgency.JOINER, MONDAY - MINUTE),
        (Urgency.JOINER, MONDAY),
    )

    assert [_claimed(database) for _ in range(6)] == [revocation, older, joiner, same, drift, None]
    with database.read() as session:
        assert jobs.get(session, later).state is JobState.QUEUED


def test_what_is_less_urgent_than_asked_for_is_left(database: Database) -> None:
    """Where there is room for revocations alone, a joiner is not claimed."""
    _, revocation = _queue(database, (Urgency.JOINER, MONDAY - MINUTE), (Urgency.REVOCATION, MONDAY))

    assert _claimed(database, least_urgent=Urgency.REVOCATION) == revocation
    assert _claimed(database, least_urgent=Urgency.REVOCATION) is None


def test_a_claim_is_for_so_long_by_the_clock_of_the_database(database: Database) -> None:
    """It counts the token up, names the worker, and ends a lease from now."""
    (job_id,) = _queue(database, (Urgency.JOINER, MONDAY))
    with database.write() as session:
        before = database_now(session)
        lease = _claim(session, worker="first")

    with database.read() as session:
        row, after = jobs.get(session, job_id), database_now(session)
        assert (row.state, row.worker, row.fence) == (JobState.RUNNING, "first", lease.fence)
        assert before + MINUTE <= row.lease_until <= after + MINUTE


def test_a_lease_is_given_back_once_it_has_run_out_and_not_before(database: Database) -> None:
    """Given back, it is claimed anew under the next token; the old one extends and locks nothing."""
    _queue(database, (Urgency.JOINER, MONDAY))
    with database.write() as session:
        old = _claim(session)
    with database.write() as session:
        assert leases.give_back_expired(session, MONDAY) == 0
        session.execute(update(JobRow).values(lease_until=database_now(session) - timedelta(seconds=1)))
    with database.write() as session:
        assert leases.give_back_expired(session, MONDAY) == 1
        new = _claim(session)

    assert new.fence == old.fence + 1
    for used in (
        lambda session: leases.locked(session, old),
        lambda session: leases.hold_lease(session, old, MINUTE, MONDAY),
    ):
        with pytest.raises(leases.LeaseLost), database.write() as session:
            used(session)


def test_a_token_that_is_given_out_twice_is_the_later_workers_alone(database: Database) -> None:
    """A power cut can take back a claim that nothing was sent under; who made it may still believe in it."""
    _queue(database, (Urgency.JOINER, MONDAY))
    with database.write() as session:
        lost = _claim(session, worker="first")
        session.rollback()
    with database.write() as session:
        given = _claim(session, worker="second")

    assert given.fence == lost.fence
    with database.write() as session:
        assert leases.locked(session, given).worker == "second"
    for used in (leases.locked, lambda session, lease: leases.hold_lease(session, lease, MINUTE, MONDAY)):
        with pytest.raises(leases.LeaseLost), database.write() as session:
            used(session, lost)


def test_whoever_extends_a_lease_hears_of_a_revocation_that_nobody_has_taken(database: Database) -> None:
    """One that is due tells the worker to step aside; one that comes later, or that somebody runs, does not."""
    then = MONDAY + MINUTE
    _queue(database, (Urgency.JOINER, MONDAY), (Urgency.REVOCATION, then))
    with database.write() as session:
        joiner = _claim(session)
        early = leases.hold_lease(session, joiner, MINUTE, MONDAY)
        due = leases.hold_lease(session, joiner, MINUTE, then)
        leases.claim(session, worker="other", lease=MINUTE, now=then, least_urgent=Urgency.DRIFT)
        taken = leases.hold_lease(session, joiner, MINUTE, then)

    assert [each.revocation_waits for each in (early, due, taken)] == [False, True, False]
    assert {each.urgency for each in (early, due, taken)} == {Urgency.JOINER}


@pytest.mark.parametrize("state", [JobState.HELD, JobState.PARKED, JobState.RUNNING])
def test_what_waits_for_somebody_is_not_claimed(database: Database, state: JobState) -> None:
    """A job that is held, parked or run by another is nobody's, though it were due."""
    (job_id,) = _queue(database, (Urgency.JOINER, MONDAY))
    with database.write() as session:
        jobs.get(session, job_id).state = state

    assert _claimed(database) is None


def test_many_claim_at_once_and_nothing_twice(database: Database) -> None:
    """Eight workers that begin together share forty jobs among them."""
    queued = _queue(database, *[(Urgency.JOINER, MONDAY)] * 40)
    start = Barrier(8)

    def claim_all(_: int) -> list[int]:
        start.wait()
        return [job_id for job_id in iter(lambda: _claimed(database), None) if job_id is not None]

    with ThreadPoolExecutor(8) as pool:
        claimed = [job_id for each in pool.map(claim_all, range(8)) for job_id in each]

    assert sorted(claimed) == queued


@ON_POSTGRESQL
def test_a_row_that_another_has_locked_is_skipped_and_not_waited_for(database: Database) -> None:
    """While one claim is not committed, another takes the next job; so does giving back."""
    first, second = _queue(database, (Urgency.JOINER, MONDAY), (Urgency.JOINER, MONDAY))
    with database.write() as one, database.write() as another:
        found = _claim(one), _claim(another)
        assert [lease.job_id for lease in found] == [first, second]
        assert _claim(another) is None
    with database.write() as session:
        session.execute(update(JobRow).values(lease_until=MONDAY))

    with database.write() as one, database.write() as another:
        leases.locked(one, found[0])
        assert leases.give_back_expired(another, MONDAY) == 1
