"""A hold that stops nothing any more ends by itself, whatever took its jobs another way."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.integration.office import DAY, Office
from tests.integration.test_doors_closed import NAMES, POLICY
from worker.bell import SilentBell
from worker.execution import sweep_once, verbs
from worker.intake import admit
from worker.sandbox import RunningSandbox
from worker.store import holds
from worker.store.database import Database
from worker.store.holds import HoldState

IN_STAGES = """
[organisation]
domain = "example.org"
timezone = "UTC"
[leaving]
fallback = "grace.hopper"
[[leaving.stages]]
after = "0d"
do = ["block"]
[[leaving.stages]]
after = "30d"
do = ["delete-mailbox", "alias-to-manager"]
[[leaving.stages]]
after = "90d"
do = ["release-address"]
[brakes]
delete = { floor = 1, share = 0.0, per = "24h" }
"""
DOOR = "may_send = false, may_access_imap = false, may_access_pop3 = false, may_access_managesieve = false"


def _take_the_policy_back(office: Office) -> None:
    admit(office.intake, POLICY.replace(DOOR, "may_send = false"))


def _take_the_facts_back(office: Office) -> None:
    for number in range(1, len(NAMES) + 1):
        office.tell("updated", f"E{number}", department="Engineering")


@pytest.mark.parametrize("end", [_take_the_policy_back, _take_the_facts_back])
def test_a_hold_without_jobs_lapses(database: Database, sandbox: RunningSandbox, end: Callable[[Office], None]) -> None:
    """Nobody is asked about what nobody wants any more."""
    with closing(Office(database, sandbox, policy=None)) as office:
        admit(office.intake, POLICY)
        office.employ(*NAMES, department="Closed")
        for number in range(1, len(NAMES) + 1):
            office.tell("updated", f"E{number}", department="Engineering")
        office.drain()
        for number in range(1, len(NAMES) + 1):
            office.tell("updated", f"E{number}", department="Closed")
        office.drain()
        hold = office.hold()

        end(office)
        office.drain()
        sweep_once(office.execution, 1)
        office.drain()

        with office.database.read() as session:
            assert holds.list_holds(session) == []
            ended = holds.find_hold(session, hold.id)
        assert ended is not None
        assert ended.state is HoldState.LAPSED
        assert office.outstanding() == []


@pytest.fixture
def left(database: Database, sandbox: RunningSandbox) -> Iterator[Office]:
    """Two people left, and the brake stopped the deletion of the second mailbox."""
    with closing(Office(database, sandbox, policy=IN_STAGES)) as office:
        office.employ("Grace Hopper", "Ada Lovelace", "Alan Turing")
        office.tell("left", "E2")
        office.tell("left", "E3")
        office.drain()
        office.move(31 * DAY)
        office.drain()
        assert len(office.mailboxes()) == 2
        assert len(office.hold().job_ids) == 1
        yield office


def _another_stage(office: Office) -> None:
    office.move(60 * DAY)


def _another_event(office: Office) -> None:
    office.move(2 * DAY)
    office.tell("updated", "E2", title="Countess")
    office.tell("updated", "E3", title="Fellow")


@pytest.mark.parametrize("look_again", [_another_stage, _another_event])
def test_a_deletion_waits_for_a_decision_however_often_it_is_looked_at(
    left: Office, look_again: Callable[[Office], None]
) -> None:
    """When the window has room again nobody has decided yet; the approval of what is shown then lets it pass."""
    hold = left.hold()
    look_again(left)
    left.apply_all()
    sweep_once(left.execution, 1)
    left.drain()
    assert len(left.mailboxes()) == 2
    same = left.hold()
    assert (same.id, same.job_ids) == (hold.id, hold.job_ids)

    verbs.approve_hold(left.database, left.clock, SilentBell(), same.id, "test", plan=same.hash)
    left.drain()

    assert set(left.mailboxes()) == {"grace.hopper"}
    assert left.outstanding() == []


def test_who_comes_back_needs_no_decision(left: Office) -> None:
    """The deletion is wanted no more: what is wanted now is done, and the hold lapses."""
    left.move(DAY)
    back = "E2" if "ada.lovelace" in left.mailboxes() else "E3"
    left.join(back, {"E2": "Ada Lovelace", "E3": "Alan Turing"}[back])
    left.drain()
    sweep_once(left.execution, 1)

    with left.database.read() as session:
        assert holds.list_holds(session) == []
    assert len(left.mailboxes()) == 2
    assert left.outstanding() == []
