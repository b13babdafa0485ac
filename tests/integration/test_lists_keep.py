"""Whoever is gone and still gets into their mailbox stays in the lists that name them, until the block is confirmed."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.integration.office import DAY, Office
from tests.integration.test_lanes import Killed, When, _die, _interrupt
from worker.bell import SilentBell
from worker.execution import sweep_once, verbs
from worker.sandbox import RunningSandbox
from worker.store.database import Database
from worker.store.states import JobState

POLICY = """
[organisation]
domain = "example.org"
timezone = "UTC"
[[groups]]
address = "engineering"
members = { department = "Engineering" }
[[groups]]
address = "support"
members = { department = "Support" }
[leaving]
fallback = "grace.hopper"
[[leaving.stages]]
after = "0d"
do = ["block", "leave-groups", "forward-to-manager"]
[brakes]
block = { floor = 0, share = 0.0, per = "24h" }
"""
WITHOUT_BRAKE = POLICY.replace("floor = 0", "floor = 9")
PUT = ("PUT", "aliases/engineering")
NO_FORWARDING = {"match": {"method": "POST", "path": "/v1/domains/*/mailboxes/*/forwardings"}, "fault": "503"}


@pytest.fixture
def office(database: Database, sandbox: RunningSandbox) -> Iterator[Office]:
    """Two people in a list, under a brake that stops every block."""
    with closing(Office(database, sandbox, policy=POLICY)) as opened:
        opened.employ("Ada Lovelace", "Grace Hopper", department="Engineering")
        yield opened


def _leave(office: Office) -> None:
    office.move(DAY)
    office.tell("left", "E1")
    office.drain()


def _approve(office: Office, and_then: Callable[[], None] | None = None) -> None:
    hold = office.hold()
    verbs.approve_hold(office.database, office.clock, SilentBell(), hold.id, "test", plan=hold.hash)
    (and_then or office.drain)()


def test_who_is_held_stays_listed_until_an_approval(office: Office) -> None:
    """Nothing is written while a brake holds the block; with the approval the block comes first, then the list."""
    _leave(office)
    assert office.aliases()["engineering"] == {"ada.lovelace", "grace.hopper"}
    assert [(kind, state) for kind, state, _ in office.outstanding()] == [("person", "held")]
    before = len(office.writes())

    _approve(office)

    assert office.aliases()["engineering"] == {"grace.hopper"}
    assert not any(office.doors("ada.lovelace").values())
    after = office.writes()[before:]
    assert after[0] == ("PUT", "mailboxes/ada.lovelace")
    assert after.count(PUT) == 1
    assert office.outstanding() == []


def test_who_is_held_stays_in_a_list_that_changes(office: Office) -> None:
    """The next joiner is added beside them."""
    _leave(office)

    office.join("E3", "Edith Clarke", department="Engineering")
    office.drain()

    assert office.aliases()["engineering"] == {"ada.lovelace", "grace.hopper", "edith.clarke"}


def test_who_is_held_joins_no_list(office: Office) -> None:
    """A department that is told of somebody gone brings them into no list; what names them goes on to."""
    _leave(office)

    office.tell("updated", "E1", department="Support")
    office.drain()

    assert office.aliases() == {"engineering": {"ada.lovelace", "grace.hopper"}}


def test_the_last_member_who_is_held_keeps_the_list(office: Office) -> None:
    """A list is not deleted while somebody who reads its mail is in it."""
    office.tell("updated", "E2", department="Support")
    office.drain()
    _leave(office)

    assert office.aliases() == {"engineering": {"ada.lovelace"}, "support": {"grace.hopper"}}


def test_a_rejected_block_leaves_them_listed(office: Office) -> None:
    """They stay for good, and go on being there when the list is written next."""
    _leave(office)
    verbs.reject_hold(office.database, office.clock, SilentBell(), office.hold().id, "test")
    office.drain()

    office.join("E3", "Edith Clarke", department="Engineering")
    office.drain()

    assert office.aliases()["engineering"] == {"ada.lovelace", "grace.hopper", "edith.clarke"}
    assert office.outstanding() == []


def test_a_dismissed_block_that_is_made_anew_takes_them_out(office: Office) -> None:
    """Who is blocked after all, by the next word on them and an approval, is taken out."""
    _leave(office)
    verbs.reject_hold(office.database, office.clock, SilentBell(), office.hold().id, "test")
    office.drain()
    office.tell("left", "E1", lastWorkingDay="2026-03-01")
    office.drain()
    assert "ada.lovelace" in office.aliases()["engineering"]

    _approve(office)

    assert office.aliases()["engineering"] == {"grace.hopper"}


def test_who_comes_back_while_held_was_never_out(office: Office) -> None:
    """Nothing at the host shows that somebody was said to be gone."""
    before = office.mail_state()
    _leave(office)
    writes = office.writes()

    office.move(DAY)
    office.tell("leaving_cancelled", "E1")
    office.drain()

    assert (office.mail_state(), office.writes()) == (before, writes)
    assert office.outstanding() == []


def test_who_is_blocked_is_out_though_the_rest_fails(office: Office) -> None:
    """The lists wait for the block alone: a forwarding that fails at the host delays nothing."""
    _leave(office)
    office.fail(NO_FORWARDING)

    _approve(office)

    assert office.job_of(1).state is JobState.WAITING
    assert "503" in str(office.job_of(1).reason)
    assert not any(office.doors("ada.lovelace").values())
    assert office.aliases()["engineering"] == {"grace.hopper"}


@pytest.mark.parametrize(
    ("operation", "when"),
    [("update-mailbox", When.AFTER), ("create-forwarding", When.SENDING)],
    ids=["before it is written down", "behind"],
)
def test_who_is_blocked_is_out_though_the_worker_died_and_the_rest_fails(
    office: Office, operation: str, when: When
) -> None:
    """Whoever takes over does not come to the end either, and finds in the database that the block was made."""
    _leave(office)
    office.fail(NO_FORWARDING)
    second = office.colleague()
    _interrupt(office, operation, _die, when)
    with pytest.raises(Killed):
        _approve(office)
    assert office.aliases()["engineering"] == {"ada.lovelace", "grace.hopper"}

    office.execution = second
    office.let_leases_run_out()
    sweep_once(second, 4)
    office.drain()

    assert office.job_of(1).state is JobState.WAITING
    assert not any(office.doors("ada.lovelace").values())
    assert office.aliases()["engineering"] == {"grace.hopper"}


def test_who_is_blocked_is_out_though_something_is_told_of_them_just_then(office: Office) -> None:
    """An event that comes before the evaluation that the block asks for takes them out as well."""
    _leave(office)
    office.fail(NO_FORWARDING)
    _approve(office, and_then=office.run_all)
    assert not any(office.doors("ada.lovelace").values())

    office.tell("updated", "E1", title="Countess")
    office.drain()

    assert office.aliases()["engineering"] == {"grace.hopper"}


def test_a_protected_mailbox_that_is_never_blocked_keeps_nobody_listed(office: Office) -> None:
    """What is never to be blocked is not waited for."""
    office.activate(POLICY.replace("[leaving]", '[naming]\nprotected = ["ada.lovelace"]\n[leaving]'))
    office.drain()

    _leave(office)

    assert office.aliases()["engineering"] == {"grace.hopper"}


def test_list_waits_for_a_block_that_is_about_to_be_made(office: Office) -> None:
    """A worker that comes to the list while another is at the block leaves it alone, and no look is wasted."""
    office.activate(WITHOUT_BRAKE)
    office.drain()
    office.move(DAY)
    office.tell("left", "E1")
    office.apply_all()
    office.execute("update jobs set run_at = run_at, urgency = 1 where person_id = 1 and finished_at is null")
    before = len(office.calls())

    office.drain()

    assert [call for call in office.calls()[before:] if "aliases" in call[1]] == [("GET", PUT[1]), PUT]
    assert office.aliases()["engineering"] == {"grace.hopper"}
    assert office.outstanding() == []
