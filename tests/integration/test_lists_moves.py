"""Whoever moves from list to list is written into the one before the other drops them, whichever is written first."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import update

from tests.integration.office import DAY, Office
from worker.sandbox import RunningSandbox
from worker.store.database import Database
from worker.store.tables import JobRow

MINUTE = timedelta(minutes=1)
PUT_OLD, PUT_NEW = ("PUT", "aliases/engineering"), ("PUT", "aliases/support")
NEW_FAILS = {"match": {"method": "PUT", "path": "/v1/domains/*/aliases/support"}, "fault": "503"}


@pytest.fixture
def office(database: Database, sandbox: RunningSandbox) -> Iterator[Office]:
    """Two people in each of two lists, E1 and E2 in the first."""
    with closing(Office(database, sandbox)) as opened:
        opened.employ("Ada Lovelace", "Grace Hopper", department="Engineering")
        opened.join("E3", "Alan Turing", department="Support")
        opened.join("E4", "Emmy Noether", department="Support")
        opened.drain()
        opened.move(DAY)
        yield opened


def _work(office: Office, for_: timedelta = 3 * MINUTE) -> None:
    office.drain()
    office.work_on(for_)


def _left_first(office: Office) -> None:
    """Have the lists that lose somebody come first, as when another worker is at the others."""
    office.execute("update jobs set urgency = 0 where subject_key like 'engineering@%' and finished_at is null")


def _put_off(office: Office, shared: str, by: timedelta) -> None:
    with office.database.write() as session:
        outstanding = JobRow.subject_key == f"{shared}@example.org", JobRow.finished_at.is_(None)
        session.execute(update(JobRow).where(*outstanding).values(run_at=office.clock.now() + by))


def test_mover_stays_until_the_list_they_joined_is_written(office: Office) -> None:
    """While the one fails, the other keeps them and makes no call; then it drops them at once."""
    office.fail(NEW_FAILS)
    before = len(office.calls())
    office.tell("updated", "E1", department="Support")
    office.drain()

    assert office.aliases()["engineering"] == {"ada.lovelace", "grace.hopper"}
    assert not [call for call in office.calls()[before:] if call[1] == PUT_OLD[1]]

    office.fail()
    _work(office, 10 * MINUTE)

    assert office.aliases() == {
        "engineering": {"grace.hopper"},
        "support": {"ada.lovelace", "alan.turing", "emmy.noether"},
    }
    assert office.writes()[-2:] == [PUT_NEW, PUT_OLD]
    assert office.outstanding() == []


def test_mover_stays_though_the_list_they_left_is_written(office: Office) -> None:
    """What that list gains it gets at once."""
    office.fail(NEW_FAILS)
    office.tell("updated", "E1", department="Support")
    office.drain()

    office.join("E5", "Edith Clarke", department="Engineering")
    _work(office)

    assert office.aliases()["engineering"] == {"ada.lovelace", "grace.hopper", "edith.clarke"}


def test_mover_is_waited_for_a_day_at_most(office: Office) -> None:
    """A list that cannot be written for long keeps nobody in another for good."""
    office.fail(NEW_FAILS)
    office.tell("updated", "E1", department="Support")
    office.drain()
    office.work_on(DAY - 15 * MINUTE, every=15 * MINUTE)
    assert "ada.lovelace" in office.aliases()["engineering"]
    waiting = office.job_on("engineering")
    assert str(waiting.reason).startswith("waits until the lists that members moved to name them")

    office.work_on(30 * MINUTE, every=15 * MINUTE)

    assert office.aliases()["engineering"] == {"grace.hopper"}
    assert "ada.lovelace" not in office.aliases()["support"]


def test_lists_that_swap_members_do_not_wait_for_each_other(office: Office) -> None:
    """Each takes in its newcomer at once, and then drops who is named by the other."""
    before = len(office.writes())
    office.tell("updated", "E1", department="Support")
    office.tell("updated", "E3", department="Engineering")
    office.drain()

    assert office.aliases() == {
        "engineering": {"alan.turing", "grace.hopper"},
        "support": {"ada.lovelace", "emmy.noether"},
    }
    assert len(office.writes()) - before <= 3
    assert office.outstanding() == []


@pytest.mark.parametrize("minutes", [0, 2])
def test_mover_stays_when_the_list_they_left_comes_first(office: Office, minutes: int) -> None:
    """A worker may come to it while the other still waits: the order of jobs is not what they rely on."""
    office.tell("updated", "E1", department="Support")
    office.apply_all()
    _left_first(office)
    _put_off(office, "support", 5 * MINUTE)
    office.move(minutes * MINUTE)
    office.run_all()
    assert office.aliases()["engineering"] == {"ada.lovelace", "grace.hopper"}

    _work(office, 10 * MINUTE)

    assert office.writes()[-2:] == [PUT_NEW, PUT_OLD]
    assert office.aliases()["engineering"] == {"grace.hopper"}
    assert office.outstanding() == []


def test_who_only_leaves_a_list_is_dropped_at_once(office: Office) -> None:
    """Nobody waits for a list in which nobody is written."""
    office.tell("updated", "E1", department="Elsewhere")
    office.drain()

    assert office.aliases()["engineering"] == {"grace.hopper"}


def test_last_member_who_moves_keeps_the_list_meanwhile(office: Office) -> None:
    """It is not deleted before the other list names them."""
    office.fail(NEW_FAILS)
    office.tell("updated", "E1", department="Support")
    office.tell("updated", "E2", department="Support")
    office.drain()
    assert office.aliases()["engineering"] == {"ada.lovelace", "grace.hopper"}

    office.fail()
    _work(office, 10 * MINUTE)

    assert set(office.aliases()) == {"support"}
    assert office.writes()[-2:] == [PUT_NEW, ("DELETE", "aliases/engineering")]


def test_list_in_which_a_worker_is_hears_of_the_other(office: Office) -> None:
    """It has looked already, perhaps, and looks again."""
    office.tell("updated", "E1", department="Support")
    office.apply_all()
    office.execute("update jobs set state = 'running' where subject_key like 'engineering@%' and finished_at is null")
    before = office.job_on("engineering").generation

    office.run_all()

    assert office.job_on("engineering").generation == before + 1
