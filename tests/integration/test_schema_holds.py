"""Reading holds on both engines: which jobs they stop, and what their hash names."""

from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session

from worker.planning.step import Brake
from worker.store.database import Database
from worker.store.holds import HoldState, find_hold, list_holds
from worker.store.states import JobState
from worker.store.tables import HoldRow, JobRow

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def add_hold(session: Session, state: HoldState = HoldState.OPEN) -> int:
    """A tripped brake."""
    row = HoldRow(brake="block", source="hr", state=state, opened_at=NOON, counted=5, allowed=5, population=40)
    session.add(row)
    session.flush()
    return row.id


def add_job(session: Session, key: str, hold: int, braked_hash: str, state: JobState = JobState.HELD) -> JobRow:
    """A job that a brake stopped."""
    row = JobRow(
        subject_kind="shared",
        subject_key=key,
        state=state,
        urgency=5,
        run_at=NOON,
        braked_hash=braked_hash,
        hold_id=hold,
        created_at=NOON,
        updated_at=NOON,
    )
    session.add(row)
    session.flush()
    return row


def test_a_hold_names_its_jobs(database: Database) -> None:
    """A hold is read with its figures and exactly the jobs that it stops now."""
    with database.write() as session:
        other, hold = add_hold(session, HoldState.REJECTED), add_hold(session)
        stopped = [add_job(session, key, hold, "aa").id for key in "xy"]
        add_job(session, "z", hold, "aa", JobState.QUEUED)
        add_job(session, "w", other, "aa")
        found = find_hold(session, hold)

    assert found is not None
    assert found.job_ids == tuple(stopped)
    assert (found.brake, found.source, found.state) == (Brake.BLOCK, "hr", HoldState.OPEN)
    assert (found.counted, found.allowed, found.population) == (5, 5, 40)


def test_the_hash_changes_with_the_jobs_and_their_steps(database: Database) -> None:
    """What an approver saw is named by the hash: a job more or another plan makes another hash, time alone does not."""
    with database.write() as session:
        hold = add_hold(session)
        job = add_job(session, "x", hold, "aa")
        hashes = [find_hold(session, hold).hash, find_hold(session, hold).hash]
        add_job(session, "y", hold, "aa")
        hashes.append(find_hold(session, hold).hash)
        job.braked_hash = "bb"
        session.flush()
        hashes.append(find_hold(session, hold).hash)

    assert hashes[0] == hashes[1]
    assert len(set(hashes[1:])) == 3


@pytest.mark.parametrize(
    ("state", "expected"), [(HoldState.OPEN, [2]), (HoldState.APPROVED, [1]), (HoldState.REJECTED, []), (None, [1, 2])]
)
def test_holds_are_listed_by_state(database: Database, state: HoldState | None, expected: list[int]) -> None:
    """Holds are listed by their state, or all of them, oldest first."""
    with database.write() as session:
        add_hold(session, HoldState.APPROVED)
        add_hold(session)
        listed = list_holds(session, state)

    assert [hold.id for hold in listed] == expected


def test_an_unknown_hold_is_none(database: Database) -> None:
    """Asking for a hold that never was gives nothing."""
    with database.read() as session:
        assert find_hold(session, 1) is None
