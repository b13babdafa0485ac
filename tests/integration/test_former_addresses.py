"""Addresses that were given up: barred for others for a while, never for whoever had them."""

import pytest

from tests.integration.office import DAY, Office
from worker.execution.preview import OfPerson, preview

POLICY = """
[organisation]
domain = "example.org"

[naming]
reuse_after = "20d"

[[leaving.stages]]
after = "0d"
do = ["block"]
[[leaving.stages]]
after = "5d"
do = ["delete-mailbox"]
[[leaving.stages]]
after = "10d"
do = ["release-address"]
"""


@pytest.fixture
def given_up(office: Office) -> Office:
    """An office in which ada.lovelace was given up ten days after Ada left."""
    gave_up(office)
    assert office.mailboxes() == {}
    return office


def gave_up(office: Office) -> None:
    """Have Ada join, leave and give her address up."""
    office.activate(POLICY)
    office.employ("Ada Lovelace")
    office.tell("left", "E1")
    office.work_on(DAY * 11, every=DAY)


def test_a_namesake_gets_another_name_during_the_quarantine(given_up: Office) -> None:
    """Mail for the one must not reach the other."""
    given_up.join("E2", "Ada Lovelace")
    given_up.drain()

    assert set(given_up.mailboxes()) == {"a.lovelace"}


def test_a_namesake_gets_the_name_after_the_quarantine(given_up: Office) -> None:
    """The days count from the release."""
    given_up.move(DAY * 20)
    given_up.join("E2", "Ada Lovelace")
    given_up.drain()

    assert set(given_up.mailboxes()) == {"ada.lovelace"}
    assert given_up.outstanding() == []


def test_a_foreign_mailbox_behind_a_name_in_quarantine_is_named(office: Office) -> None:
    """The second name is somebody else's at the host, and the first is barred: the job and a plan say which to free."""
    office.seed(mailboxes=({"local_part": "a.lovelace", "name": "Somebody"},))
    gave_up(office)
    office.join("E2", "Ada Lovelace")
    office.drain()

    why = "a.lovelace@example.org exists already and was not made here: adopt it, free it, or state a workEmail"
    assert office.outstanding() == [("person", "held", why)]
    (plan,) = preview(office.execution, office.intake, OfPerson(2)).subjects
    assert plan.stopped == why

    office.host("DELETE", "mailboxes/a.lovelace")
    office.move(DAY)
    office.tell("updated", "E2", department="Sales")
    office.work_on(DAY, every=DAY / 4)
    assert set(office.mailboxes()) == {"a.lovelace"}
    assert office.outstanding() == []


def test_whoever_had_the_address_gets_it_back_at_once(given_up: Office) -> None:
    """The quarantine bars others only."""
    given_up.join("E1", "Ada Lovelace")
    given_up.drain()

    assert set(given_up.mailboxes()) == {"ada.lovelace"}
    assert given_up.outstanding() == []


def test_a_pinned_address_in_quarantine_is_held_until_it_is_over(given_up: Office) -> None:
    """A stated work address has no second choice; the job says what it waits for, and goes on by itself."""
    given_up.join("E2", "Grace Hopper", workEmail="ada.lovelace@example.org")
    given_up.drain()
    assert given_up.mailboxes() == {}
    sentence = "ada.lovelace@example.org was somebody else's and is barred until 2026-04-02 09:00 UTC"
    assert given_up.outstanding() == [("person", "held", sentence)]

    given_up.work_on(DAY * 20, every=DAY)
    assert set(given_up.mailboxes()) == {"ada.lovelace"}
    assert given_up.outstanding() == []


def test_a_pinned_address_that_a_colleague_has_is_held_and_never_shared(given_up: Office) -> None:
    """The sentence says so, and the preview says the same."""
    given_up.join("E2", "Ada Byron")
    given_up.join("E3", "Grace Hopper", hireDate="2026-03-20")
    given_up.drain()
    given_up.tell("updated", "E3", workEmail="ada.byron@example.org")
    given_up.work_on(DAY * 8, every=DAY)

    sentence = "ada.byron@example.org is held by somebody else (primary): state another workEmail"
    assert [reason for _, state, reason in given_up.outstanding() if state == "held"] == [sentence]
    stopped = preview(given_up.execution, given_up.intake, OfPerson(3)).subjects[0].stopped
    assert stopped == sentence
