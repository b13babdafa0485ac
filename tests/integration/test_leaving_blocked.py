"""Closing a mailbox in full: with the identities that sign in on their own, and every way back from it."""

import pytest

from tests.integration.office import DAY, Office
from worker.bell import SilentBell
from worker.execution import verbs

OPEN = {"may_send": True, "may_access_imap": True, "may_access_pop3": True, "may_access_managesieve": False}
CLOSED = dict.fromkeys(OPEN, False)


def login(office: Office, local_part: str, **more: object) -> None:
    """Have an administrator give Ada an identity that signs in on its own."""
    fields = {"name": "Ada", "password_use": "custom", "password": "s3cret-s3cret"} | more
    office.host("POST", "mailboxes/ada.lovelace/identities", local_part=local_part, **fields)


def doors(office: Office, local_part: str) -> dict[str, bool]:
    """Return the doors of one of Ada's identities."""
    found = office.mailboxes()["ada.lovelace"]["identities"]
    (identity,) = (each for each in found if each["local_part"] == local_part)
    return {door: identity[door] for door in OPEN}


def test_block_closes_identities_that_sign_in_on_their_own(office: Office) -> None:
    """An identity with a password of its own gets a random one and closed doors; one without is left alone."""
    office.employ("Ada Lovelace")
    login(office, "ada.phone")
    login(office, "ada.alone", password_use="none", password="")
    before = len(office.writes())

    office.tell("left", "E1")
    office.drain()

    assert office.writes()[before:] == [
        ("PUT", "mailboxes/ada.lovelace"),
        ("PUT", "mailboxes/ada.lovelace/identities/ada.phone"),
    ]
    assert office.bodies("PUT", "ada.phone")[-1]["password"] == "[redacted]"
    assert doors(office, "ada.phone") == CLOSED
    assert doors(office, "ada.alone") == OPEN


def test_return_after_a_block_gives_each_login_its_doors_back(office: Office) -> None:
    """Each door is as it was, of mailbox and identity; the job names whose passwords are to be set."""
    office.employ("Ada Lovelace")
    login(office, "ada.phone", may_access_pop3=False)
    office.host("PUT", "mailboxes/ada.lovelace", may_access_imap=False)
    before = office.mailboxes()["ada.lovelace"]
    office.tell("left", "E1")
    office.drain()
    office.move(5 * DAY)

    office.tell("leaving_cancelled", "E1")
    office.drain()

    after = office.mailboxes()["ada.lovelace"]
    assert {name: value for name, value in after.items() if name != "changed_at"} == {
        name: value for name, value in before.items() if name != "changed_at"
    }
    reason = str(office.job_of(1).reason)
    assert "mailroster people reset-password" in reason
    assert "ada.phone@example.org" in reason


def test_second_block_after_a_return_closes_everything_again(office: Office) -> None:
    """Nothing of the first block is taken for the second: passwords are replaced once more."""
    office.employ("Ada Lovelace")
    login(office, "ada.phone")
    for _ in range(2):
        office.tell("left", "E1")
        office.drain()
        office.move(DAY)
        office.tell("leaving_cancelled", "E1")
        office.drain()
        office.move(DAY)

    assert [("password" in body) for body in office.bodies("PUT", "ada.phone")] == [True, False, True, False]


@pytest.mark.parametrize("use", ["custom", "mailbox"])
def test_suspension_closes_logins_and_touches_flags_only(office: Office, use: str) -> None:
    """Whatever lets somebody in is closed without a password being set, and afterwards everything is as before."""
    office.employ("Ada Lovelace")
    login(office, "ada.phone", password_use=use, may_access_imap=False)
    before = office.mailboxes()["ada.lovelace"]

    office.tell("suspended", "E1")
    office.drain()
    assert doors(office, "ada.phone") == CLOSED
    office.move(DAY)
    office.tell("resumed", "E1")
    office.drain()

    after = office.mailboxes()["ada.lovelace"]
    assert after["identities"] == before["identities"]
    assert {name: after[name] for name in OPEN} == OPEN
    assert not any("password" in body for body in office.bodies("PUT", "ada.phone"))


def test_identity_made_for_somebody_blocked_is_closed_with_the_next_look(office: Office) -> None:
    """A login that an administrator adds to a blocked mailbox is closed as soon as the mailbox is looked at."""
    office.employ("Ada Lovelace")
    office.tell("left", "E1")
    office.drain()
    login(office, "ada.phone")

    office.tell("renamed", "E1", familyName="King")
    office.drain()

    assert doors(office, "ada.phone") == CLOSED
    assert "password" in office.bodies("PUT", "ada.phone")[-1]


def test_block_whose_answer_was_lost_is_settled_by_reading_back(office: Office) -> None:
    """The identity's doors are seen closed, so the password was set with them, and nothing is sent twice."""
    office.employ("Ada Lovelace")
    login(office, "ada.phone")
    match = {"method": "PUT", "path": "/v1/domains/*/mailboxes/*/identities/*"}
    office.fail({"match": match, "times": 1, "fault": "drop-after-apply"})

    office.tell("left", "E1")
    office.work_on(for_=DAY / 24)
    office.move(DAY)
    office.tell("leaving_cancelled", "E1")
    office.drain()

    assert [("password" in body) for body in office.bodies("PUT", "ada.phone")] == [True, False]
    assert doors(office, "ada.phone") == OPEN
    assert office.outstanding() == []


@pytest.mark.parametrize("what", ["left", "suspended"])
def test_mailbox_that_may_be_theirs_and_is_not_ours_is_not_left_open_in_silence(office: Office, what: str) -> None:
    """Who was held because a mailbox exists stays held when it should be closed; adopted, it is closed."""
    office.host("POST", "mailboxes", local_part="ada.lovelace", name="Ada Lovelace", password="s3cret-s3cret")
    office.join("E1", "Ada Lovelace")
    office.drain()
    office.tell(what, "E1")
    office.drain()

    ((_, state, reason),) = office.outstanding()
    assert state == "held"
    assert str(reason).startswith("ada.lovelace@example.org exists and was not made here, so it was not closed: ")
    assert office.doors("ada.lovelace")["imap"]

    office.host("DELETE", "mailboxes/ada.lovelace")
    office.move(DAY)
    verbs.retry(office.execution.database, office.clock, SilentBell(), office.job_of(1).id, "somebody")
    office.drain()

    assert office.outstanding() == []


def test_hire_that_is_cancelled_leaves_a_namesakes_mailbox_and_asks_no_more(office: Office) -> None:
    """Whoever never came has nothing that could be closed."""
    office.host("POST", "mailboxes", local_part="ada.lovelace", name="Ada Lovelace", password="s3cret-s3cret")
    office.join("E1", "Ada Lovelace")
    office.drain()
    office.tell("joining_cancelled", "E1")
    office.drain()

    assert office.outstanding() == []
