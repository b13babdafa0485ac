"""POST of a mailbox: what must be there, what may be, what is refused, and who sets the password."""

import httpx
import pytest

from tests.conformance.bodies import BAD_REQUEST, FAR_AHEAD, LONG_AGO, PASSWORD, mailbox

INVITATION = {"password_method": "invitation", "password_recovery_email": "ada@home.example"}


def invited(**fields: object) -> dict[str, object]:
    """Return a mailbox whose owner is asked to set a password."""
    body = mailbox(**INVITATION, **fields)
    del body["password"]
    return body


def test_create_answers_200_with_the_mailbox_and_its_defaults(api: httpx.Client, domain: str) -> None:
    """POST answers what was sent and a default for the rest (migadu-behaviour.md 5, POST mailboxes)."""
    body = mailbox()
    answer = api.post("mailboxes", json=body)

    expected = {
        "local_part": body["local_part"],
        "domain_name": domain,
        "address": f"{body['local_part']}@{domain}",
        "name": "Ada Lovelace",
        "may_send": True,
        "may_receive": True,
        "may_access_imap": True,
        "may_access_pop3": True,
        "may_access_managesieve": False,
        "spam_action": "folder",
        "spam_aggressiveness": "default",
        "sender_denylist": [],
        "sender_allowlist": [],
        "recipient_denylist": [],
        "delegations": [],
        "identities": [],
        "forwardings": [],
    }
    assert answer.status_code == 200
    assert expected.items() <= answer.json().items()
    assert not answer.json()["is_internal"]


@pytest.mark.parametrize("missing", ["local_part", "name", "password"])
def test_create_requires(api: httpx.Client, missing: str) -> None:
    """Local part, name and, without an invitation, a password must be there (migadu-behaviour.md 5, POST mailboxes)."""
    body = mailbox()
    del body[missing]
    answer = api.post("mailboxes", json=body)

    assert (answer.status_code, answer.json()) == BAD_REQUEST


@pytest.mark.parametrize(
    "flaw",
    [
        {"name": ""},
        {"name": None},
        {"local_part": ""},
        {"local_part": None},
        {"local_part": "a b"},
        {"local_part": "a..b"},
        {"local_part": "a@b"},
        {"local_part": "a" * 65},
        {"password": ""},
        {"password": "short"},
        {"spam_action": "delete"},
        {"spam_action": "reject"},
        {"spam_aggressiveness": "most permissive"},
        {"spam_aggressiveness": "paranoid"},
        {"expires_on": LONG_AGO},
        {"expires_on": "tomorrow"},
        {"autorespond_expires_on": LONG_AGO},
    ],
    ids=str,
)
def test_create_refuses(api: httpx.Client, flaw: dict[str, object]) -> None:
    """A bad name, password, word or date is 400, and nothing is made (migadu-behaviour.md 5, mailboxes; 1.3; 2.18)."""
    before = api.get("mailboxes").json()
    answer = api.post("mailboxes", json=mailbox(**flaw))

    assert (answer.status_code, answer.json()) == BAD_REQUEST
    assert api.get("mailboxes").json() == before


@pytest.mark.parametrize(
    "flaw",
    [
        {"local_part": 7},
        {"password": 1234567},
        {"password_method": "telepathy"},
        {"may_send": "perhaps"},
        {"sender_denylist": {"a": 1}},
        {"sender_denylist": [1]},
        {"daily_outgoing_limit": "many"},
        {"forwarding_to": "nowhere"},
    ],
    ids=str,
)
@pytest.mark.usefixtures("sandbox")
def test_sandbox_refuses_wrong_types(api: httpx.Client, flaw: dict[str, object]) -> None:
    """The facts do not say what Migadu makes of a wrong type; the sandbox helps whoever sends one, with 400."""
    answer = api.post("mailboxes", json=mailbox(**flaw))

    assert (answer.status_code, answer.json()) == BAD_REQUEST


def test_password_of_six_characters_is_long_enough(api: httpx.Client) -> None:
    """Six is the least (migadu-behaviour.md 1.3, password length)."""
    assert api.post("mailboxes", json=mailbox(password="s3cr3T")).status_code == 200


def test_password_method_may_be_said(api: httpx.Client) -> None:
    """`password` is the method that is meant where none is given (migadu-api.txt, Mailboxes/CREATE)."""
    assert api.post("mailboxes", json=mailbox(password_method="password")).status_code == 200


def test_password_is_never_shown(api: httpx.Client) -> None:
    """No answer holds a password, whatever the verb (migadu-behaviour.md 1.3)."""
    created = api.post("mailboxes", json=mailbox())
    path = f"mailboxes/{created.json()['local_part']}"
    updated = api.put(path, json={"password": "An0ther_s3cr3T"})
    answers = [created, updated, api.get(path), api.get("mailboxes"), api.delete(path)]

    assert [answer.status_code for answer in answers] == [200] * 5
    assert not any("s3cr3T" in answer.text or '"password"' in answer.text for answer in answers)


def test_invitation_needs_no_password(api: httpx.Client) -> None:
    """An invitation makes a mailbox without a password and shows where it went (migadu-api.txt, Mailboxes/CREATE)."""
    answer = api.post("mailboxes", json=invited())

    assert (answer.status_code, answer.json()["password_recovery_email"]) == (200, "ada@home.example")


@pytest.mark.parametrize("recovery", [None, "", "ada", "@home.example"])
def test_invitation_needs_a_recovery_address(api: httpx.Client, recovery: str | None) -> None:
    """An invitation to nowhere is 400 (migadu-behaviour.md 1.3, password_method; 5)."""
    answer = api.post("mailboxes", json={**invited(), "password_recovery_email": recovery})

    assert (answer.status_code, answer.json()) == BAD_REQUEST


def test_invitation_and_password_exclude_each_other(api: httpx.Client) -> None:
    """`invitation` needs a recovery address and no password (migadu-behaviour.md 1.3, password_method)."""
    answer = api.post("mailboxes", json={**invited(), "password": PASSWORD})

    assert (answer.status_code, answer.json()) == BAD_REQUEST


@pytest.mark.parametrize(("sent", "shown"), [("true", True), (True, True), (False, False)], ids=repr)
def test_is_internal_is_taken_as_text_or_boolean(api: httpx.Client, sent: object, shown: object) -> None:
    """Input may be "true" or true; output is a boolean (migadu-behaviour.md 1.3, is_internal)."""
    answer = api.post("mailboxes", json=mailbox(is_internal=sent)).json()

    assert (answer["is_internal"] or False) is shown


@pytest.mark.parametrize(
    "sent",
    [
        {"may_send": False, "may_receive": False},
        {"may_access_imap": False, "may_access_pop3": False, "may_access_managesieve": True},
        {"wildcard_sender": True},
        {"spam_action": "none", "spam_aggressiveness": "strictest"},
        {"expireable": True, "expires_on": FAR_AHEAD, "remove_upon_expiry": True},
        {"password_recovery_email": "ada@home.example"},
        {"sender_denylist": ["eve@evil.example"]},
    ],
    ids=str,
)
def test_create_echoes_options(api: httpx.Client, sent: dict[str, object]) -> None:
    """Flags, words, expiry and lists may be given at once, and are shown (migadu-behaviour.md 5, POST mailboxes)."""
    answer = api.post("mailboxes", json=mailbox(**sent))

    assert answer.status_code == 200
    assert sent.items() <= answer.json().items()


@pytest.mark.parametrize("field", ["sender_denylist", "sender_allowlist", "recipient_denylist"])
@pytest.mark.parametrize("sent", ["a@b.example,c@d.example", ["a@b.example", "c@d.example"]], ids=["csv", "array"])
def test_lists_are_taken_as_csv_or_array(api: httpx.Client, field: str, sent: object) -> None:
    """Input is CSV or an array, output always an array (migadu-behaviour.md 1.3, list fields)."""
    answer = api.post("mailboxes", json=mailbox(**{field: sent}))

    assert (answer.status_code, answer.json()[field]) == (200, ["a@b.example", "c@d.example"])


def test_full_instant_is_shown_as_its_day(api: httpx.Client) -> None:
    """Days are shown as YYYY-MM-DD; that an instant is taken is known of forwardings (migadu-behaviour.md 1.3, 1.5)."""
    answer = api.post("mailboxes", json=mailbox(expireable=True, expires_on=f"{FAR_AHEAD}T18:00:00Z"))

    assert (answer.status_code, answer.json()["expires_on"]) == (200, FAR_AHEAD)


def test_forwarding_can_be_given_at_creation(api: httpx.Client) -> None:
    """`forwarding_to` is taken on create (migadu-behaviour.md 1.3, 5); that it shows as a forwarding is our reading."""
    answer = api.post("mailboxes", json=mailbox(forwarding_to="ada@home.example"))

    forwardings = api.get(f"mailboxes/{answer.json()['local_part']}/forwardings").json()["forwardings"]
    assert answer.status_code == 200
    assert [forwarding["address"] for forwarding in forwardings] == ["ada@home.example"]


@pytest.mark.parametrize("change", [str.upper, str.title], ids=["upper", "title"])
def test_duplicate_is_a_bare_400_in_any_case(api: httpx.Client, change: object) -> None:
    """A duplicate is the same 400 as any bad request, and case makes no name (migadu-behaviour.md 2.5, 2.20)."""
    body = mailbox()
    api.post("mailboxes", json=body)

    answers = [
        api.post("mailboxes", json=body),
        api.post("mailboxes", json={**body, "local_part": change(body["local_part"])}),
    ]

    assert [(answer.status_code, answer.json()) for answer in answers] == [BAD_REQUEST] * 2
