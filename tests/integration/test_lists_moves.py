"""Whoever moves from list to list is written into the one before the other drops them, whichever is written first."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import update

from tests.integration.office import DAY, POLICY, Office
from worker.sandbox import RunningSandbox
from worker.store.database import Database
from worker.store.states import JobState
from worker.store.tables import JobRow

MINUTE = timedelta(minutes=1)
PUT_OLD, PUT_NEW = ("PUT", "aliases/engineering"), ("PUT", "aliases/support")
NEW_FAILS = {"match": {"method": "PUT", "path": "/v1/domains/*/aliases/support"}, "fault": "503"}
NEW_IS_REFUSED = NEW_FAILS | {"fault": "poison"}
REASON = "waits until those who moved are named by the list they moved to"
WITH_STAGES = POLICY + '[[leaving.stages]]\nafter = "0d"\ndo = ["block", "leave-groups"]\n'


@pytest.fixture
def office(database: Database, sandbox: RunningSandbox) -> Iterator[Office]:
    """Two people in each of two lists, E1 and E2 in the first."""
    with closing(Office(database, sandbox, policy=WITH_STAGES)) as opened:
        opened.employ("Ada Lovelace", "Grace Hopper", department="Engineering")
        opened.join("E3", "Alan Turing", department="Support")
        opened.join("E4", "Emmy Noether", department="Support")
        opened.drain()
        opened.move(DAY)
        yield opened


def _move(office: Office, subject: str, department: str) -> None:
    office.tell("updated", subject, department=department)
    office.apply_all()


def _outstanding(shared: str) -> tuple[object, ...]:
    return JobRow.subject_key == f"{shared}@example.org", JobRow.finished_at.is_(None)


def _change(office: Office, shared: str, **values: object) -> None:
    with office.database.write() as session:
        session.execute(update(JobRow).where(*_outstanding(shared)).values(**values))  # type: ignore[arg-type]


def _put_last(office: Office, shared: str) -> None:
    """Have a list come after the others, as when another worker is at it."""
    _change(office, shared, run_at=office.clock.now() + timedelta(seconds=1))


def test_mover_stays_when_the_list_they_left_comes_first(office: Office) -> None:
    """The order of jobs is not what they rely on, and each list is written once."""
    before = len(office.writes())
    _move(office, "E1", "Support")
    _put_last(office, "support")
    office.drain()
    assert office.aliases()["engineering"] == {"ada.lovelace", "grace.hopper"}
    assert office.job_on("engineering").reason == REASON

    office.work_on(timedelta(seconds=1), every=timedelta(seconds=1))  # then it is woken, and waits no longer

    assert office.writes()[before:] == [PUT_NEW, PUT_OLD]
    assert office.aliases()["engineering"] == {"grace.hopper"}
    assert office.outstanding() == []


def test_mover_stays_while_a_worker_is_at_the_list_they_joined(office: Office) -> None:
    """What another worker is about to write is not written yet."""
    _move(office, "E1", "Support")
    _change(office, "support", state=JobState.RUNNING, lease_until=office.clock.now() + MINUTE)
    office.drain()

    assert office.aliases()["engineering"] == {"ada.lovelace", "grace.hopper"}


def test_mover_stays_while_the_list_they_joined_fails(office: Office) -> None:
    """The one fails, the other keeps them and makes no call; then it drops them."""
    office.fail(NEW_FAILS)
    before = len(office.calls())
    _move(office, "E1", "Support")
    office.drain()
    office.work_on(5 * MINUTE)
    assert office.aliases()["engineering"] == {"ada.lovelace", "grace.hopper"}
    assert not [call for call in office.calls()[before:] if call[1] == PUT_OLD[1]]

    office.fail()
    office.work_on(10 * MINUTE)

    assert office.aliases() == {
        "engineering": {"grace.hopper"},
        "support": {"ada.lovelace", "alan.turing", "emmy.noether"},
    }
    assert office.writes()[-2:] == [PUT_NEW, PUT_OLD]
    assert office.outstanding() == []


def test_what_fails_for_long_is_not_waited_for(office: Office) -> None:
    """A list that cannot be written keeps nobody in another for more than a quarter of an hour."""
    office.fail(NEW_FAILS)
    _move(office, "E1", "Support")
    office.drain()
    office.work_on(14 * MINUTE)
    assert "ada.lovelace" in office.aliases()["engineering"]

    office.work_on(20 * MINUTE)

    assert office.aliases()["engineering"] == {"grace.hopper"}
    assert "ada.lovelace" not in office.aliases()["support"]


def test_what_needs_a_person_is_not_waited_for(office: Office) -> None:
    """Nobody knows when a person comes: the list they left says what the roster says."""
    office.fail(NEW_IS_REFUSED)
    _move(office, "E1", "Support")
    office.drain()
    office.work_on(10 * MINUTE)

    assert office.job_on("support").state in (JobState.HELD, JobState.PARKED)
    assert office.aliases()["engineering"] == {"grace.hopper"}


def test_newcomers_do_not_wait_for_a_list_that_fails(office: Office) -> None:
    """What a list gains is written at once, with those who moved still in it; they are dropped afterwards."""
    office.fail(NEW_FAILS)
    _move(office, "E1", "Support")
    office.drain()
    office.join("E5", "Edith Clarke", department="Engineering")
    office.drain()
    office.work_on(2 * MINUTE)
    assert office.aliases()["engineering"] == {"ada.lovelace", "grace.hopper", "edith.clarke"}

    office.fail()
    office.work_on(10 * MINUTE)

    assert office.aliases()["engineering"] == {"grace.hopper", "edith.clarke"}
    assert office.outstanding() == []


def test_revocation_does_not_wait_and_keeps_who_moved(office: Office) -> None:
    """Whoever leaves is taken out at once, though somebody else of that list has moved and is not written yet."""
    office.fail(NEW_FAILS)
    _move(office, "E1", "Support")
    office.drain()
    office.tell("left", "E2")
    office.drain()
    assert office.aliases()["engineering"] == {"ada.lovelace"}

    office.fail()
    office.work_on(10 * MINUTE)

    assert set(office.aliases()) == {"support"}
    assert office.outstanding() == []


def test_fallback_gets_no_mail_while_somebody_who_moved_does(office: Office) -> None:
    """Only a list without members goes to its fallback."""
    office.activate(WITH_STAGES.replace('address = "engineering"', 'address = "engineering"\nfallback = "alan.turing"'))
    office.drain()
    office.fail(NEW_FAILS)
    _move(office, "E1", "Support")
    office.tell("left", "E2")
    office.drain()
    seen = len(office.calls())
    office.work_on(MINUTE / 6, every=MINUTE / 30)
    assert office.aliases()["engineering"] == {"ada.lovelace"}
    assert not [path for _, path in office.calls()[seen:] if path == PUT_OLD[1]]  # nor does it look again and again

    office.fail()
    office.work_on(10 * MINUTE)

    assert office.aliases()["engineering"] == {"alan.turing"}


def test_lists_that_swap_members_are_written_once_each(office: Office) -> None:
    """They do not wait for each other."""
    before = len(office.writes())
    _move(office, "E1", "Support")
    _move(office, "E3", "Engineering")
    office.drain()

    assert office.aliases() == {
        "engineering": {"alan.turing", "grace.hopper"},
        "support": {"ada.lovelace", "emmy.noether"},
    }
    assert sorted(office.writes()[before:]) == [PUT_OLD, PUT_NEW]
    assert office.outstanding() == []


def test_lists_of_a_chain_are_written_from_its_end(office: Office) -> None:
    """One takes in whom the next drops: each is written once, and nobody is in neither at any time."""
    office.activate(WITH_STAGES + '[[groups]]\naddress = "advice"\nmembers = { department = "Advice" }\n')
    office.join("E5", "Edith Clarke", department="Advice")
    office.drain()
    office.work_on(MINUTE)
    before = len(office.writes())
    _move(office, "E5", "Engineering")
    _move(office, "E1", "Support")
    _put_last(office, "support")
    office.drain()
    office.work_on(10 * timedelta(seconds=1), every=timedelta(seconds=1))

    assert office.writes()[before:] == [PUT_NEW, PUT_OLD, ("DELETE", "aliases/advice")]
    assert office.outstanding() == []


def test_last_member_who_moves_keeps_the_list_meanwhile(office: Office) -> None:
    """It is not deleted before the other list names them."""
    office.fail(NEW_FAILS)
    _move(office, "E1", "Support")
    _move(office, "E2", "Support")
    office.drain()
    assert office.aliases()["engineering"] == {"ada.lovelace", "grace.hopper"}

    office.fail()
    office.work_on(10 * MINUTE)

    assert set(office.aliases()) == {"support"}
    assert office.writes()[-2:] == [PUT_NEW, ("DELETE", "aliases/engineering")]


def test_who_only_leaves_a_list_is_dropped_at_once(office: Office) -> None:
    """Nobody waits for a list in which nobody is written."""
    _move(office, "E1", "Elsewhere")
    office.drain()

    assert office.aliases()["engineering"] == {"grace.hopper"}
    assert office.outstanding() == []
