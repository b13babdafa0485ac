"""Identities, aliases and domains of the sandbox over plain HTTP, a test for each fact of Migadu it reproduces."""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from worker.sandbox import RunningSandbox

NOW = datetime(2026, 11, 20, 9, 5, tzinfo=UTC)
MAILBOXES = "/domains/example.org/mailboxes"
IDENTITIES = f"{MAILBOXES}/ada/identities"
ALIASES = "/domains/example.org/aliases"
ADA = {"local_part": "ada", "name": "Ada Lovelace", "password": "Sup3r_s3cr3T"}
KING = {"local_part": "ada.king", "name": "Ada King"}
TEAM = {"local_part": "team", "destinations": ["ada@example.org", "bob@example.org"]}
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


@pytest.fixture
def ada(api: httpx.Client) -> httpx.Client:
    """The same client, after ada's mailbox was made."""
    api.post(MAILBOXES, json=ADA).raise_for_status()
    return api


def test_sandbox_identity_create_answers_the_official_sample(ada: httpx.Client) -> None:
    """POST answers 200 with the identity (migadu-api.txt, Identities/CREATE; password_use: migadu-behaviour.md 1.4)."""
    answer = ada.post(IDENTITIES, json=KING)

    assert answer.status_code == 200
    assert answer.json() == {
        "local_part": "ada.king",
        "address": "ada.king@example.org",
        "domain_name": "example.org",
        "footer_active": False,
        "footer_html_body": None,
        "footer_plain_body": None,
        "may_access_imap": True,
        "may_access_managesieve": False,
        "may_access_pop3": True,
        "may_receive": True,
        "may_send": True,
        "name": "Ada King",
        "password_use": "none",
    }


def test_sandbox_identity_list_show_update_delete(ada: httpx.Client) -> None:
    """Each verb answers 200 with the object, the list under its key; then 404 (migadu-behaviour.md 1.2, 2.1, 2.4)."""
    created = ada.post(IDENTITIES, json=KING).json()

    listed = ada.get(IDENTITIES).json()
    shown = ada.get(f"{IDENTITIES}/ada.king").json()
    updated = ada.put(f"{IDENTITIES}/ada.king", json={"name": "Countess", "local_part": "eve"}).json()
    deleted = ada.delete(f"{IDENTITIES}/ada.king")
    again = ada.get(f"{IDENTITIES}/ada.king")

    assert listed == {"identities": [created]}
    assert shown == created
    assert updated == {**created, "name": "Countess"}
    assert (deleted.status_code, deleted.json()) == (200, updated)
    assert again.status_code == 404


def test_sandbox_identities_are_objects_inside_the_mailbox(ada: httpx.Client) -> None:
    """A mailbox shows its identities as objects, not as texts (migadu-behaviour.md 1.3)."""
    created = ada.post(IDENTITIES, json=KING).json()

    assert ada.get(f"{MAILBOXES}/ada").json()["identities"] == [created]


@pytest.mark.parametrize(
    "flaw",
    [{"name": ""}, {"local_part": "-@-"}, {"password_use": "custom"}, {"password_use": "own"}, {"password": "short"}],
    ids=str,
)
def test_sandbox_identity_create_refuses(ada: httpx.Client, flaw: dict[str, object]) -> None:
    """No name, a bad local part, custom without a password are 400 (migadu-behaviour.md 5, identities)."""
    answer = ada.post(IDENTITIES, json={**KING, **flaw})

    assert (answer.status_code, answer.json()) == (400, BAD_REQUEST)
    assert ada.get(IDENTITIES).json() == {"identities": []}


def test_sandbox_identity_name_is_required(ada: httpx.Client) -> None:
    """An identity without a name is 400 (migadu-behaviour.md 1.4)."""
    answer = ada.post(IDENTITIES, json={"local_part": "ada.king"})

    assert (answer.status_code, answer.json()) == (400, BAD_REQUEST)


def test_sandbox_identity_becomes_custom_only_with_a_password(ada: httpx.Client) -> None:
    """password_use custom needs a password on update too (migadu-behaviour.md 1.4)."""
    ada.post(IDENTITIES, json=KING)

    without = ada.put(f"{IDENTITIES}/ada.king", json={"password_use": "custom"})
    with_one = ada.put(f"{IDENTITIES}/ada.king", json={"password_use": "custom", "password": "Sup3r_s3cr3T"})
    afterwards = ada.put(f"{IDENTITIES}/ada.king", json={"password_use": "custom"})

    assert [answer.status_code for answer in (without, with_one, afterwards)] == [400, 200, 200]
    assert with_one.json()["password_use"] == "custom"


def test_sandbox_identity_of_a_missing_mailbox_is_404(api: httpx.Client) -> None:
    """Identities of a mailbox that is not there are 404, whatever the body says (migadu-behaviour.md 5)."""
    assert api.get(IDENTITIES).status_code == 404
    assert api.post(IDENTITIES, json={}).status_code == 404


def test_sandbox_alias_create_answers_the_official_sample(api: httpx.Client) -> None:
    """POST answers 200 with the alias and real booleans (migadu-api.txt, Aliases; migadu-behaviour.md 1.3, 1.6)."""
    answer = api.post(ALIASES, json={"local_part": "demo", "destinations": "one, two", "is_internal": "true"})

    assert answer.status_code == 200
    assert answer.json() == {
        "address": "demo@example.org",
        "domain_name": "example.org",
        "local_part": "demo",
        "is_internal": True,
        "destinations": ["one@example.org", "two@example.org"],
        "expireable": False,
        "expires_on": None,
        "remove_upon_expiry": False,
    }


def test_sandbox_alias_list_show_update_delete(api: httpx.Client) -> None:
    """Each verb answers 200 with the object; the list's key is address_aliases (migadu-behaviour.md 1.2, 2.1, 2.4)."""
    created = api.post(ALIASES, json=TEAM).json()

    listed = api.get(ALIASES).json()
    shown = api.get(f"{ALIASES}/team").json()
    updated = api.put(f"{ALIASES}/team", json={"is_internal": True}).json()
    deleted = api.delete(f"{ALIASES}/team")
    again = api.put(f"{ALIASES}/team", json={"is_internal": True})

    assert listed == {"address_aliases": [created]}
    assert shown == created
    assert updated == {**created, "is_internal": True}
    assert (deleted.status_code, deleted.json()) == (200, updated)
    assert again.status_code == 404


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("one@domain.tld,two@domain.tld", ["one@example.org", "two@example.org"]),
        ([" One@Example.org ", "two"], ["one@example.org", "two@example.org"]),
        (["one@a.tld", "one@b.tld"], ["one@example.org"]),
    ],
    ids=["csv-foreign", "array-bare", "same-after-rewriting"],
)
def test_sandbox_destinations_end_on_the_own_domain(api: httpx.Client, sent: object, shown: list[str]) -> None:
    """CSV or array; foreign domains are rewritten, bare local parts completed (migadu-behaviour.md 1.6)."""
    created = api.post(ALIASES, json={"local_part": "demo", "destinations": sent})

    assert (created.status_code, created.json()["destinations"]) == (200, shown)


def test_sandbox_update_replaces_the_destinations(api: httpx.Client) -> None:
    """PUT replaces the whole list (migadu-behaviour.md 1.6)."""
    api.post(ALIASES, json=TEAM)

    updated = api.put(f"{ALIASES}/team", json={"destinations": "three@domain.tld"}).json()

    assert updated["destinations"] == ["three@example.org"]


@pytest.mark.parametrize("nothing", ["", " , ", [], None, [""], "not valid"], ids=str)
def test_sandbox_alias_needs_destinations(api: httpx.Client, nothing: object) -> None:
    """An alias without destinations is 400, on create and on update (migadu-behaviour.md 5, aliases)."""
    created = api.post(ALIASES, json=TEAM).json()

    other = api.post(ALIASES, json={"local_part": "other", "destinations": nothing})
    emptied = api.put(f"{ALIASES}/team", json={"destinations": nothing})

    assert (other.status_code, emptied.status_code) == (400, 400)
    assert api.get(ALIASES).json() == {"address_aliases": [created]}


@pytest.mark.parametrize("taken", ["ada", "ada.king", "team"])
def test_sandbox_has_one_address_space(ada: httpx.Client, taken: str) -> None:
    """Mailbox, identity and alias never share an address: 400 (migadu-behaviour.md 2, namespaces; 5)."""
    ada.post(IDENTITIES, json=KING)
    ada.post(ALIASES, json=TEAM)

    answers = [
        ada.post(MAILBOXES, json={**ADA, "local_part": taken}),
        ada.post(IDENTITIES, json={**KING, "local_part": taken}),
        ada.post(ALIASES, json={**TEAM, "local_part": taken}),
    ]

    assert [(answer.status_code, answer.json()) for answer in answers] == [(400, BAD_REQUEST)] * 3


def test_sandbox_identity_address_is_taken_for_other_mailboxes(ada: httpx.Client) -> None:
    """The same identity on a second mailbox is 400 (migadu-behaviour.md 2, namespaces)."""
    ada.post(IDENTITIES, json=KING)
    ada.post(MAILBOXES, json={**ADA, "local_part": "bob"})

    answer = ada.post(f"{MAILBOXES}/bob/identities", json=KING)

    assert (answer.status_code, answer.json()) == (400, BAD_REQUEST)


def test_sandbox_deleted_mailbox_takes_its_identities_along(ada: httpx.Client) -> None:
    """Deletion answers with the mailbox and its children, and frees their addresses (migadu-behaviour.md 5, 7.3)."""
    identity = ada.post(IDENTITIES, json=KING).json()

    deleted = ada.delete(f"{MAILBOXES}/ada").json()
    alias = ada.post(ALIASES, json={"local_part": "ada.king", "destinations": "bob"})
    mailbox = ada.post(MAILBOXES, json=ADA)

    assert deleted["identities"] == [identity]
    assert (alias.status_code, mailbox.status_code) == (200, 200)
    assert mailbox.json()["identities"] == []


def test_sandbox_deleted_mailbox_stays_in_destinations(ada: httpx.Client) -> None:
    """Destination lists keep the dead address (migadu-behaviour.md 7.3)."""
    alias = ada.post(ALIASES, json=TEAM).json()

    ada.delete(f"{MAILBOXES}/ada")

    assert ada.get(f"{ALIASES}/team").json() == alias


def test_sandbox_deleted_identity_and_alias_free_their_addresses(ada: httpx.Client) -> None:
    """What was deleted can be made again (migadu-behaviour.md 2, namespaces)."""
    ada.post(IDENTITIES, json=KING)
    ada.delete(f"{IDENTITIES}/ada.king")
    ada.post(ALIASES, json=TEAM)
    ada.delete(f"{ALIASES}/team")

    crossed = [
        ada.post(IDENTITIES, json={**KING, "local_part": "team"}),
        ada.post(ALIASES, json={**TEAM, "local_part": "ada.king"}),
    ]

    assert [answer.status_code for answer in crossed] == [200, 200]


def test_sandbox_shows_its_domains(api: httpx.Client) -> None:
    """The list is under `domains`; one domain stands alone; others are 404 (migadu-behaviour.md 1.2, 1.8, 5)."""
    listed = api.get("/domains").json()

    assert [domain["name"] for domain in listed["domains"]] == ["example.org"]
    assert listed["domains"][0]["state"] == "active"
    assert api.get("/domains/example.org").json() == listed["domains"][0]
    assert api.get("/domains/example.net").status_code == 404


@pytest.mark.parametrize("rest", ["mailboxes", "mailboxes/ada", "mailboxes/ada/identities", "aliases", "aliases/team"])
def test_sandbox_unknown_domain_is_404_on_every_path(api: httpx.Client, rest: str) -> None:
    """Every path below an unknown domain is 404 (migadu-behaviour.md 5)."""
    assert api.get(f"/domains/example.net/{rest}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/domains/example.org/forwardings"), ("DELETE", "/domains/example.org"), ("PATCH", f"{MAILBOXES}/ada")],
)
def test_sandbox_says_404_to_what_it_does_not_have(ada: httpx.Client, method: str, path: str) -> None:
    """What Migadu does not have is not pretended (migadu-behaviour.md 1.1)."""
    assert ada.request(method, path, json={}).status_code == 404
