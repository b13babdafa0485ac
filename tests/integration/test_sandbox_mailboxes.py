"""Mailboxes of the sandbox, asked over plain HTTP, a test for each fact of Migadu it reproduces."""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from worker.sandbox import RunningSandbox

NOW = datetime(2026, 11, 20, 9, 5, tzinfo=UTC)
MAILBOXES = "/domains/example.org/mailboxes"
ADA = {"local_part": "ada", "name": "Ada Lovelace", "password": "Sup3r_s3cr3T"}
BAD_REQUEST = {"error": "bad request"}


@pytest.fixture(scope="module")
def serving() -> Iterator[RunningSandbox]:
    """One sandbox for all tests of this file."""
    with RunningSandbox(clock=lambda: NOW) as sandbox:
        yield sandbox


@pytest.fixture
def api(serving: RunningSandbox) -> Iterator[httpx.Client]:
    """A client of a sandbox that is as good as new."""
    with httpx.Client(base_url=serving.api_url, auth=("admin@example.org", "sandbox-key")) as client:
        client.post(f"{serving.url}/_sandbox/reset").raise_for_status()
        yield client


def test_sandbox_mailbox_create_answers_the_official_sample(api: httpx.Client) -> None:
    """POST answers 200 with the mailbox and the sample's nulls and defaults (migadu-api.txt, Mailboxes/CREATE)."""
    answer = api.post(MAILBOXES, json={**ADA, "is_internal": "true"})

    sample = {
        "address": "ada@example.org",
        "autorespond_active": None,
        "autorespond_expires_on": None,
        "autorespond_subject": "Autoreply: {{subject}}",
        "delegations": [],
        "domain_name": "example.org",
        "identities": [],
        "local_part": "ada",
        "footer_active": False,
        "footer_html_body": None,
        "footer_plain_body": None,
        "may_access_imap": True,
        "may_access_managesieve": False,
        "may_access_pop3": True,
        "may_receive": True,
        "may_send": True,
        "is_internal": True,
        "name": "Ada Lovelace",
        "recipient_denylist": [],
        "sender_allowlist": [],
        "sender_denylist": [],
        "spam_action": "folder",
        "spam_aggressiveness": "default",
    }
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/json")
    assert sample.items() <= answer.json().items()
    assert answer.json()["autorespond_body"].startswith("Hi there,\n\nThank you for your message. I will be out")


def test_sandbox_mailbox_shows_the_keys_seen_on_the_real_api(api: httpx.Client) -> None:
    """The key set is the one pinned from the real API, autoresponder and footer included (migadu-behaviour.md 1.3)."""
    shown = api.post(MAILBOXES, json=ADA).json()

    pinned = """local_part domain_name address name is_internal is_active may_send may_receive may_access_imap
        may_access_pop3 may_access_managesieve wildcard_sender password_recovery_email spam_action spam_aggressiveness
        expireable expires_on remove_upon_expiry sender_denylist sender_allowlist recipient_denylist
        daily_incoming_limit weekly_incoming_limit monthly_incoming_limit daily_outgoing_limit weekly_outgoing_limit
        monthly_outgoing_limit footer_active storage_usage activated_at changed_at forwardings delegations identities
        autorespond_active autorespond_body autorespond_expires_on autorespond_subject footer_html_body
        footer_plain_body last_login_at"""
    assert set(shown) == set(pinned.split())


def test_sandbox_mailbox_list_show_update_delete(api: httpx.Client) -> None:
    """Each verb answers 200 with the object; afterwards it is gone with 404 (migadu-behaviour.md 2.1, 2.2, 2.4)."""
    created = api.post(MAILBOXES, json=ADA).json()

    listed = api.get(MAILBOXES).json()
    shown = api.get(f"{MAILBOXES}/ada")
    updated = api.put(f"{MAILBOXES}/ada", json={"name": "Ada King"})
    deleted = api.delete(f"{MAILBOXES}/ada")
    again = api.delete(f"{MAILBOXES}/ada")

    assert listed == {"mailboxes": [created]}
    assert (shown.status_code, shown.json()) == (200, created)
    assert (updated.status_code, updated.json()) == (200, {**created, "name": "Ada King"})
    assert (deleted.status_code, deleted.json()) == (200, updated.json())
    assert (again.status_code, again.json()) == (404, {"error": "not found"})


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_sandbox_missing_mailbox_is_404(api: httpx.Client, method: str) -> None:
    """A missing object is 404 on GET, PUT and DELETE (migadu-behaviour.md 2.4)."""
    answer = api.request(method, f"{MAILBOXES}/nobody", json={"name": "Nobody"})

    assert answer.status_code == 404


@pytest.mark.parametrize(
    "flaw",
    [
        {"name": ""},
        {"name": None},
        {"local_part": ""},
        {"local_part": "a b"},
        {"local_part": "a..b"},
        {"local_part": 7},
        {"local_part": "a" * 65},
        {"password": ""},
        {"password": "short"},
        {"password": 1234567},
        {"password_method": "telepathy"},
        {"password_method": "invitation", "password_recovery_email": "ada@home.example"},
        {"spam_action": "delete"},
        {"spam_aggressiveness": "most permissive"},
        {"expires_on": "2026-11-20"},
        {"expires_on": "tomorrow"},
        {"autorespond_expires_on": "2020-01-01"},
        {"may_send": "perhaps"},
        {"sender_denylist": {"a": 1}},
        {"sender_denylist": [1]},
        {"daily_outgoing_limit": "many"},
        {"forwarding_to": "nowhere"},
    ],
    ids=str,
)
def test_sandbox_mailbox_create_refuses(api: httpx.Client, flaw: dict[str, object]) -> None:
    """A bad field is 400 {"error":"bad request"}, and nothing is made (migadu-behaviour.md 5, POST mailboxes)."""
    answer = api.post(MAILBOXES, json={**ADA, **flaw})

    assert (answer.status_code, answer.json()) == (400, BAD_REQUEST)
    assert api.get(MAILBOXES).json() == {"mailboxes": []}


@pytest.mark.parametrize("missing", ["local_part", "name", "password"])
def test_sandbox_mailbox_create_requires(api: httpx.Client, missing: str) -> None:
    """Local part, name and, without an invitation, a password must be there (migadu-behaviour.md 5)."""
    answer = api.post(MAILBOXES, json={key: value for key, value in ADA.items() if key != missing})

    assert (answer.status_code, answer.json()) == (400, BAD_REQUEST)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b'"text"', b"\xff", b'{"name":NaN}', b'{"name":"\\ud800"}', b"[" * 9999]
)
def test_sandbox_body_must_be_an_object(api: httpx.Client, raw: bytes) -> None:
    """A body that is no JSON object is 400 (migadu-behaviour.md 5), and the list of calls can still be shown."""
    answer = api.post(MAILBOXES, content=raw, headers={"content-type": "application/json"})

    assert (answer.status_code, answer.json()) == (400, BAD_REQUEST)
    assert api.get(str(api.base_url.copy_with(path="/_sandbox/calls"))).status_code == 200


def test_sandbox_invitation_needs_no_password(api: httpx.Client) -> None:
    """An invitation makes a mailbox without a password and shows where it went (migadu-api.txt, Mailboxes/CREATE)."""
    answer = api.post(
        MAILBOXES,
        json={
            "name": "Ada",
            "local_part": "ada",
            "password_method": "invitation",
            "password_recovery_email": "ada@home.example",
        },
    )

    assert answer.status_code == 200
    assert answer.json()["password_recovery_email"] == "ada@home.example"


@pytest.mark.parametrize("recovery", [None, "", "ada", "@home.example"])
def test_sandbox_invitation_needs_a_recovery_address(api: httpx.Client, recovery: str | None) -> None:
    """An invitation without password_recovery_email is 400 (migadu-behaviour.md 1.3, password_method)."""
    invited = {"name": "Ada", "local_part": "ada", "password_method": "invitation"}
    answer = api.post(MAILBOXES, json={**invited, "password_recovery_email": recovery})

    assert (answer.status_code, answer.json()) == (400, BAD_REQUEST)


def test_sandbox_duplicate_mailbox_is_a_bare_400(api: httpx.Client) -> None:
    """A duplicate, whatever its case, is the same 400 as any bad request (migadu-behaviour.md 2.5, 2.20)."""
    api.post(MAILBOXES, json=ADA)

    answer = api.post(MAILBOXES, json={**ADA, "local_part": "ADA"})

    assert (answer.status_code, answer.json()) == (400, BAD_REQUEST)


def test_sandbox_local_parts_are_lower_case(api: httpx.Client) -> None:
    """A mailbox is made and found in lower case, whatever was sent (migadu-behaviour.md 2.20)."""
    created = api.post(MAILBOXES, json={**ADA, "local_part": "Ada.L"}).json()

    assert created["address"] == "ada.l@example.org"
    assert api.get("/domains/EXAMPLE.org/mailboxes/ADA.L").json() == created


def test_sandbox_update_is_partial(api: httpx.Client) -> None:
    """PUT changes the keys it names and no others (migadu-behaviour.md 2.17)."""
    created = api.post(MAILBOXES, json={**ADA, "may_access_pop3": False, "sender_denylist": "a@b.c, d@e.f"}).json()

    updated = api.put(f"{MAILBOXES}/ada", json={"may_send": False}).json()

    assert created["sender_denylist"] == ["a@b.c", "d@e.f"]
    assert updated == {**created, "may_send": False}


def test_sandbox_read_only_writes_are_ignored(api: httpx.Client) -> None:
    """Read-only and unknown keys and an empty password change nothing, with 200 (migadu-behaviour.md 2.16, 2.17)."""
    created = api.post(MAILBOXES, json=ADA).json()
    attempt = {
        "local_part": "eve",
        "address": "eve@example.org",
        "domain_name": "example.net",
        "is_active": False,
        "activated_at": "01/01/20",
        "changed_at": "01/01/20",
        "storage_usage": 99,
        "identities": None,
        "forwardings": [{"address": "eve@evil.example"}],
        "monthly_outgoing_limit": 7,
        "password": "",
        "no_such_field": 1,
    }

    answer = api.put(f"{MAILBOXES}/ada", json=attempt)

    assert (answer.status_code, answer.json()) == (200, created)


def test_sandbox_monthly_limit_mirrors_the_daily_one(api: httpx.Client) -> None:
    """Writing daily_outgoing_limit sets both limits (migadu-behaviour.md 1.3)."""
    api.post(MAILBOXES, json=ADA)

    updated = api.put(f"{MAILBOXES}/ada", json={"daily_outgoing_limit": 50, "monthly_outgoing_limit": 7}).json()

    assert (updated["daily_outgoing_limit"], updated["monthly_outgoing_limit"]) == (50, 50)


@pytest.mark.parametrize(
    "flaw", [{"name": ""}, {"spam_action": "reject"}, {"expires_on": "2026-11-19"}, {"password": "short"}], ids=str
)
def test_sandbox_bad_update_changes_nothing(api: httpx.Client, flaw: dict[str, object]) -> None:
    """PUT with an empty name, a bad word, a past date or a short password is 400 as a whole (migadu-behaviour.md 5)."""
    created = api.post(MAILBOXES, json=ADA).json()

    answer = api.put(f"{MAILBOXES}/ada", json={"may_send": False, **flaw})

    assert (answer.status_code, answer.json()) == (400, BAD_REQUEST)
    assert api.get(f"{MAILBOXES}/ada").json() == created


def test_sandbox_expiry_is_shown_as_a_day(api: httpx.Client) -> None:
    """A full instant is accepted and shown as its day (migadu-behaviour.md 1.3, 1.5)."""
    shown = api.post(MAILBOXES, json={**ADA, "expireable": True, "expires_on": "2026-12-24T18:00:00Z"}).json()

    assert (shown["expireable"], shown["expires_on"]) == (True, "2026-12-24")


def test_sandbox_password_is_never_returned(api: httpx.Client) -> None:
    """No answer holds a password (migadu-behaviour.md 1.3), neither after create nor after update."""
    created = api.post(MAILBOXES, json=ADA)
    updated = api.put(f"{MAILBOXES}/ada", json={"password": "An0ther_s3cr3T"})

    assert updated.status_code == 200
    assert "s3cr3T" not in created.text + updated.text + api.get(MAILBOXES).text
    assert "password" not in created.json()


def test_sandbox_times_are_display_strings() -> None:
    """changed_at is HH:MM (UTC) today and dd/mm/yy later on (migadu-behaviour.md 1.3)."""
    instants = [NOW]
    with (
        RunningSandbox(clock=lambda: instants[-1]) as sandbox,
        httpx.Client(base_url=sandbox.api_url, auth=("admin@example.org", "sandbox-key")) as client,
    ):
        today = client.post(MAILBOXES, json=ADA).json()["changed_at"]
        instants.append(datetime(2026, 11, 21, 0, 0, tzinfo=UTC))
        tomorrow = client.get(f"{MAILBOXES}/ada").json()["changed_at"]

    assert (today, tomorrow) == ("09:05", "20/11/26")
