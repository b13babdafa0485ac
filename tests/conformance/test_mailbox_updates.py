"""PUT on a mailbox: what it changes, what it leaves alone, what it refuses."""

from datetime import UTC, datetime

import httpx
import pytest

from tests.conformance.bodies import BAD_REQUEST, FAR_AHEAD, LONG_AGO, Body, mailbox
from worker.sandbox import RunningSandbox

WRITABLE = [
    {"name": "Ada King"},
    {"is_internal": True},
    {"may_send": False},
    {"may_receive": False},
    {"may_access_imap": False},
    {"may_access_pop3": False},
    {"may_access_managesieve": True},
    {"wildcard_sender": True},
    {"password_recovery_email": "ada@home.example"},
    *({"spam_action": word} for word in ("none", "subject", "folder", "drop")),
    *(
        {"spam_aggressiveness": word}
        for word in ("most_permissive", "more_permissive", "permissive", "default", "strict", "stricter", "strictest")
    ),
    {"expireable": True},
    {"expires_on": FAR_AHEAD},
    {"remove_upon_expiry": True},
    {"sender_denylist": ["eve@evil.example"]},
    {"sender_allowlist": ["bob@good.example"]},
    {"recipient_denylist": ["carol@evil.example"]},
    {"daily_incoming_limit": 70},
    {"weekly_incoming_limit": 71},
    {"monthly_incoming_limit": 72},
    {"weekly_outgoing_limit": 73},
    {"footer_active": True},
    {"footer_plain_body": "Ada"},
    {"footer_html_body": "<p>Ada</p>"},
    {"autorespond_active": True},
    {"autorespond_subject": "Away"},
    {"autorespond_body": "I am away."},
    {"autorespond_expires_on": FAR_AHEAD},
]
READ_ONLY = [
    {"local_part": "eve"},
    {"local_part": ""},
    {"address": "eve@evil.example"},
    {"domain_name": "evil.example"},
    {"is_active": False},
    {"activated_at": "01/01/20"},
    {"changed_at": "01/01/20"},
    {"last_login_at": "01/01/20"},
    {"storage_usage": 99.5},
    {"identities": None},
    {"identities": [{"local_part": "eve", "name": "Eve"}]},
    {"forwardings": None},
    {"forwardings": [{"address": "eve@evil.example"}]},
    {"forwarding_to": "eve@evil.example"},
    {"password": ""},
    {"monthly_outgoing_limit": 7},
    {"no_such_field": 1},
]
ZERO: Body = {
    "local_part": "",
    "domain_name": "",
    "address": "",
    "password": "",
    "password_recovery_email": "",
    "is_internal": False,
    "is_active": False,
    "may_send": False,
    "may_receive": False,
    "may_access_imap": False,
    "may_access_pop3": False,
    "may_access_managesieve": False,
    "wildcard_sender": False,
    "expireable": False,
    "expires_on": "",
    "remove_upon_expiry": False,
    "sender_denylist": None,
    "sender_allowlist": None,
    "recipient_denylist": None,
    "daily_incoming_limit": 0,
    "weekly_incoming_limit": 0,
    "monthly_incoming_limit": 0,
    "daily_outgoing_limit": 0,
    "weekly_outgoing_limit": 0,
    "monthly_outgoing_limit": 0,
    "footer_active": False,
    "footer_plain_body": "",
    "footer_html_body": "",
    "autorespond_active": False,
    "autorespond_subject": "",
    "autorespond_body": "",
    "autorespond_expires_on": "",
    "storage_usage": 0,
    "activated_at": "",
    "changed_at": "",
    "last_login_at": "",
    "identities": None,
    "forwardings": None,
    "delegations": None,
}


@pytest.fixture
def ada(api: httpx.Client) -> Body:
    """A mailbox as it was answered when it was made."""
    answer = api.post("mailboxes", json=mailbox())
    assert answer.status_code == 200, answer.text
    return answer.json()


def timeless(shown: Body) -> Body:
    """Leave out the one field that passes with time."""
    return {key: value for key, value in shown.items() if key != "changed_at"}


@pytest.mark.parametrize("change", WRITABLE, ids=str)
def test_update_changes_what_it_names_and_nothing_else(api: httpx.Client, ada: Body, change: Body) -> None:
    """PUT is partial: absent keys keep their values (migadu-behaviour.md 2.17; fields: 1.3, migadu-api.txt)."""
    path = f"mailboxes/{ada['local_part']}"
    answer = api.put(path, json=change)

    assert answer.status_code == 200
    assert timeless(answer.json()) == timeless({**ada, **change})
    assert api.get(path).json() == answer.json()


def test_update_of_the_password_shows_nothing(api: httpx.Client, ada: Body) -> None:
    """A password can be sent alone, and is not shown (migadu-behaviour.md 1.3, 2.17)."""
    answer = api.put(f"mailboxes/{ada['local_part']}", json={"password": "An0ther_s3cr3T"})

    assert (answer.status_code, timeless(answer.json())) == (200, timeless(ada))


@pytest.mark.parametrize("attempt", READ_ONLY, ids=str)
def test_update_ignores_what_cannot_be_written(api: httpx.Client, ada: Body, attempt: Body) -> None:
    """What is read-only, create-only, unknown or "" changes nothing: 200 (migadu-behaviour.md 2.16, 2.17, 1.3)."""
    answer = api.put(f"mailboxes/{ada['local_part']}", json=attempt)

    assert (answer.status_code, timeless(answer.json())) == (200, timeless(ada))


@pytest.mark.parametrize("attempt", [{"is_active": False}, {"storage_usage": 99.5}, {"no_such_field": 1}], ids=str)
def test_create_ignores_what_cannot_be_written(api: httpx.Client, attempt: Body) -> None:
    """Keys that are read-only or unknown are ignored with 200 on create, too (migadu-behaviour.md 5, common)."""
    answer = api.post("mailboxes", json=mailbox(**attempt))

    assert answer.status_code == 200
    assert not attempt.items() <= answer.json().items()


def test_update_with_every_key_at_zero_works(api: httpx.Client, ada: Body) -> None:
    """A client sends every key, most with its zero value; read-only ones do nothing (migadu-behaviour.md 2.17)."""
    answer = api.put(f"mailboxes/{ada['local_part']}", json={**ZERO, "name": "Ada King"})

    shown = answer.json()
    kept = ("local_part", "domain_name", "address", "is_active", "storage_usage", "activated_at", "identities")
    assert answer.status_code == 200
    assert shown["name"] == "Ada King"
    assert {key: shown[key] for key in kept} == {key: ada[key] for key in kept}
    assert (shown["may_send"], shown["daily_incoming_limit"], shown["sender_denylist"]) == (False, 0, [])


def test_monthly_limit_mirrors_the_daily_one(api: httpx.Client, ada: Body) -> None:
    """Writing daily_outgoing_limit sets both, whatever else is said (migadu-behaviour.md 1.3; 5, PUT mailboxes)."""
    path = f"mailboxes/{ada['local_part']}"
    alone = api.put(path, json={"daily_outgoing_limit": 50}).json()
    both = api.put(path, json={"daily_outgoing_limit": 60, "monthly_outgoing_limit": 7}).json()

    assert (alone["daily_outgoing_limit"], alone["monthly_outgoing_limit"]) == (50, 50)
    assert (both["daily_outgoing_limit"], both["monthly_outgoing_limit"]) == (60, 60)


@pytest.mark.parametrize("field", ["expires_on", "autorespond_expires_on", "password_recovery_email"])
def test_update_with_null_clears(api: httpx.Client, ada: Body, field: str) -> None:
    """What may be null can be set to null (migadu-behaviour.md 1.3)."""
    path = f"mailboxes/{ada['local_part']}"
    api.put(path, json={field: "ada@home.example" if field.endswith("email") else FAR_AHEAD})

    answer = api.put(path, json={field: None})

    assert answer.status_code == 200
    assert not answer.json()[field]


@pytest.mark.parametrize("sent", ["", [], None], ids=repr)
def test_update_empties_a_list(api: httpx.Client, ada: Body, sent: object) -> None:
    """An empty list is written, and shown, as one (migadu-behaviour.md 1.3, list fields; 2.17, null)."""
    path = f"mailboxes/{ada['local_part']}"
    api.put(path, json={"sender_denylist": "eve@evil.example"})

    answer = api.put(path, json={"sender_denylist": sent})

    assert (answer.status_code, answer.json()["sender_denylist"]) == (200, [])


@pytest.mark.parametrize(
    "flaw",
    [
        {"name": ""},
        {"spam_action": "reject"},
        {"spam_action": "delete"},
        {"spam_aggressiveness": "paranoid"},
        {"expires_on": LONG_AGO},
        {"expires_on": "2099-02-30"},
        {"expires_on": "soon"},
        {"autorespond_expires_on": LONG_AGO},
        {"password": "short"},
    ],
    ids=str,
)
def test_bad_update_changes_nothing(api: httpx.Client, ada: Body, flaw: Body) -> None:
    """An empty name, a bad word, date or password is 400 as a whole (migadu-behaviour.md 5, PUT; 1.3; 2.18)."""
    path = f"mailboxes/{ada['local_part']}"
    answer = api.put(path, json={"may_send": False, **flaw})

    assert (answer.status_code, answer.json()) == BAD_REQUEST
    assert timeless(api.get(path).json()) == timeless(ada)


@pytest.mark.usefixtures("sandbox")
def test_times_are_display_strings() -> None:
    """changed_at is HH:MM (UTC) on the same day and dd/mm/yy from the next on (migadu-behaviour.md 1.3; 5, PUT)."""
    instants = [datetime(2026, 11, 20, 9, 5, tzinfo=UTC)]
    with (
        RunningSandbox(clock=lambda: instants[-1]) as moved,
        httpx.Client(base_url=f"{moved.api_url}/domains/example.org", auth=("admin@example.org", "sandbox-key")) as api,
    ):
        created = api.post("mailboxes", json=mailbox()).json()
        path = f"mailboxes/{created['local_part']}"
        instants.append(datetime(2026, 11, 20, 23, 59, tzinfo=UTC))
        updated = api.put(path, json={"name": "Ada King"}).json()
        instants.append(datetime(2026, 11, 21, 0, 0, tzinfo=UTC))
        tomorrow = api.get(path).json()

    assert [shown["changed_at"] for shown in (created, updated, tomorrow)] == ["09:05", "23:59", "20/11/26"]


@pytest.mark.parametrize(("day", "status"), [("2026-11-19", 400), ("2026-11-20", 400), ("2026-11-21", 200)])
@pytest.mark.usefixtures("sandbox")
def test_expiry_is_in_the_future(day: str, status: int) -> None:
    """An expiry must be a day to come (migadu-behaviour.md 2.18); that today is none of these is our reading."""
    body = mailbox(expires_on=day)
    with RunningSandbox(clock=lambda: datetime(2026, 11, 20, 9, 5, tzinfo=UTC)) as moved:
        url = f"{moved.api_url}/domains/example.org/mailboxes"
        answer = httpx.post(url, json=body, auth=("admin@example.org", "sandbox-key"))

    assert answer.status_code == status
