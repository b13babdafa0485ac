"""Fields of a mailbox: those that the policy names follow its rules and the person; all others are the person's own."""

import pytest

from tests.integration.office import DAY, Office

POLICY = """
[organisation]
domain = "example.org"
language = "de"

[mailbox]
may_send = true
footer_active = true
footer_html_body = "<p>{displayName} &middot; {title} &middot; {address}</p>"

[[overrides]]
people = { userType = "intern" }
mailbox = { may_send = false, footer_html_body = "<p>{preferred}, intern</p>" }
"""


@pytest.fixture
def managed(office: Office) -> Office:
    """An office whose policy manages sending and the footer in HTML."""
    office.activate(POLICY)
    return office


def test_an_intern_may_not_send_until_the_internship_is_over(managed: Office) -> None:
    """The exception holds from the first call on, and what others have comes back in one write."""
    managed.employ("Ada Lovelace", userType="intern", title="Intern")
    assert managed.doors("ada.lovelace")["send"] is False
    assert managed.mailboxes()["ada.lovelace"]["footer_html_body"] == "<p>Ada, intern</p>"
    before = len(managed.writes())

    managed.tell("updated", "E1", userType="employee", title="Countess")
    managed.drain()

    assert managed.doors("ada.lovelace")["send"] is True
    shown = managed.mailboxes()["ada.lovelace"]["footer_html_body"]
    assert shown == "<p>Ada Lovelace &middot; Countess &middot; ada.lovelace@example.org</p>"
    assert managed.writes()[before:] == [("PUT", "mailboxes/ada.lovelace")]


def test_a_suspension_gives_an_intern_back_what_interns_have(managed: Office) -> None:
    """Reopening opens no door that the exception keeps closed, and those of whoever ceased to be an intern."""
    managed.employ("Ada Lovelace", userType="intern")
    before = managed.doors("ada.lovelace")

    managed.tell("suspended", "E1")
    managed.drain()
    managed.tell("resumed", "E1")
    managed.drain()
    assert managed.doors("ada.lovelace") == before

    managed.tell("suspended", "E1")
    managed.tell("updated", "E1", userType="employee")
    managed.drain()
    managed.tell("resumed", "E1")
    managed.drain()
    assert managed.doors("ada.lovelace") == before | {"send": True}


def test_a_footer_follows_a_rename_and_markup_in_a_name_is_text(managed: Office) -> None:
    """The write that changes the name brings the footer, too."""
    managed.employ("Ada Lovelace", title="<b>Countess</b>")
    before = len(managed.writes())

    managed.tell("renamed", "E1", familyName="Müller-King")
    managed.drain()

    box = managed.mailboxes()["ada.lovelace"]
    title = "&lt;b&gt;Countess&lt;/b&gt;"
    assert box["footer_html_body"] == f"<p>Ada Müller-King &middot; {title} &middot; ada.lovelace@example.org</p>"
    assert managed.identities("ada.lovelace") == {"ada.mueller-king"}
    assert managed.writes()[before:] == [
        ("PUT", "mailboxes/ada.lovelace"),
        ("POST", "mailboxes/ada.lovelace/identities"),
    ]


def test_what_the_policy_does_not_name_is_the_persons_own(managed: Office) -> None:
    """A footer in plain text and an automatic reply of one's own stay through changes, suspension and return."""
    own = {"footer_plain_body": "Yours, Ada", "autorespond_active": True, "autorespond_subject": "At sea"}
    managed.employ("Ada Lovelace")
    managed.host("PUT", "mailboxes/ada.lovelace", **own)

    managed.tell("renamed", "E1", familyName="King")
    managed.drain()
    managed.tell("suspended", "E1")
    managed.drain()
    managed.tell("resumed", "E1")
    managed.drain()

    box = managed.mailboxes()["ada.lovelace"]
    assert {name: box[name] for name in own} == own
    sent = [body for body in managed.bodies("PUT", "mailboxes/ada.lovelace")[1:] if own.keys() & body.keys()]
    assert sent == []


def test_a_hire_cancelled_after_the_mailbox_was_made_takes_it_back_in_stages(managed: Office) -> None:
    """Blocked at once, deleted after the grace; a new hire in between opens it again with all that was there."""
    managed.join("E1", "Ada Lovelace", hireDate="2026-03-03")
    managed.drain()
    doors = managed.doors("ada.lovelace")
    managed.tell("joining_cancelled", "E1")
    managed.drain()
    assert not any(managed.doors("ada.lovelace").values())

    managed.move(DAY * 5)
    managed.join("E1", "Ada Lovelace", hireDate="2026-03-08")
    managed.drain()
    assert managed.doors("ada.lovelace") == doors

    managed.tell("joining_cancelled", "E1")
    managed.work_on(DAY * 31, every=DAY)
    assert managed.mailboxes() == {}
    assert managed.outstanding() == []


@pytest.mark.parametrize(
    ("zone", "hours"), [("Pacific/Kiritimati", -14), ("Europe/Berlin", -1), ("Etc/GMT+12", 12)], ids=str
)
def test_the_mailbox_is_made_at_midnight_where_the_person_is(managed: Office, zone: str, hours: int) -> None:
    """Two days before the first day, by the person's own calendar, and not a minute earlier."""
    managed.join("E1", "Ada Lovelace", hireDate="2026-03-20", timezone=zone)
    managed.drain()
    monday_midnight = managed.clock.now().replace(hour=0)
    due_in = monday_midnight + 16 * DAY + hours * DAY / 24 - managed.clock.now()

    managed.move(due_in - DAY / 1440)
    managed.drain()
    assert managed.mailboxes() == {}

    managed.move(DAY / 1440)
    managed.drain()
    assert set(managed.mailboxes()) == {"ada.lovelace"}
