"""Domains: what they show, what can be written, and what is below one that is not there."""

from collections.abc import Iterator

import httpx
import pytest

from tests.conformance.bodies import BAD_REQUEST, Body, alias, forwarding, fresh, identity, mailbox, rewrite
from tests.conformance.target import Target

FIELDS = """name state description tags activated_at deactivated_at can_send can_receive can_access mx_proxy_enabled
    greylisting_enabled subject_rewriting_enabled junk_subject_keyword_spam spam_aggressiveness sender_denylist
    sender_allowlist recipient_denylist catchall_destinations hosted_dns
    mailbox_default_incoming_limit mailbox_default_outgoing_limit mailbox_default_storage_limit
    mailbox_default_sending_enabled mailbox_default_receiving_enabled mailbox_default_imap_enabled
    mailbox_default_pop3_enabled mailbox_default_managesieve_enabled"""
OPERATIONS = ["records", "diagnostics", "usage", "activate"]
BELOW = [
    ("GET", ""),
    ("PATCH", ""),
    *(("GET", f"/{operation}") for operation in OPERATIONS),
    *((method, f"/{kind}") for kind in ("mailboxes", "aliases", "rewrites") for method in ("GET", "POST")),
    *((method, f"/{kind}/x") for kind in ("mailboxes", "aliases", "rewrites") for method in ("GET", "PUT", "DELETE")),
    *((method, f"/mailboxes/x/{kind}") for kind in ("identities", "forwardings") for method in ("GET", "POST")),
    *(
        (method, f"/mailboxes/x/{kind}/y")
        for kind in ("identities", "forwardings")
        for method in ("GET", "PUT", "DELETE")
    ),
]
WRITABLE = [
    {"description": "ours"},
    {"tags": ["one", "two"]},
    {"greylisting_enabled": True},
    {"mx_proxy_enabled": True},
    {"subject_rewriting_enabled": True},
    {"sender_denylist": ["eve@evil.example"]},
    {"sender_allowlist": ["bob@good.example"]},
    {"recipient_denylist": ["carol@evil.example"]},
    {"mailbox_default_imap_enabled": False},
    {"mailbox_default_outgoing_limit": 70},
]


@pytest.fixture
def new(account: httpx.Client, sandbox: object) -> Body:
    """A domain as it was answered when it was made; it cannot be deleted, so only the sandbox has it."""
    answer = account.post("domains", json={"name": f"{fresh('new')}.example"})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def writable(account: httpx.Client, domain: str) -> Iterator[Body]:
    """The disposable domain as it is; what a test writes of it is written back."""
    before = account.get(f"domains/{domain}").json()
    yield before
    after = account.get(f"domains/{domain}").json()
    changed = {key: before[key] for key in after if after[key] != before.get(key)}
    account.patch(f"domains/{domain}", json=changed).raise_for_status()


def test_list_shows_the_domain_under_domains(account: httpx.Client, domain: str) -> None:
    """The list is under `domains`; one alone is the same object, in any case (migadu-behaviour.md 1.2; 5)."""
    listed, shown = account.get("domains"), account.get(f"domains/{domain.upper()}")

    assert (listed.status_code, list(listed.json())) == (200, ["domains"])
    assert shown.json() in listed.json()["domains"]
    assert shown.json()["name"] == domain


def test_domain_has_the_fields_of_the_table(account: httpx.Client, domain: str) -> None:
    """All that is known is there, and the state is one of two words (migadu-behaviour.md 1.8)."""
    shown = account.get(f"domains/{domain}").json()

    assert set(FIELDS.split()) <= set(shown)
    assert shown["state"] in ("active", "inactive")


def test_create_answers_an_inactive_domain(account: httpx.Client, new: Body) -> None:
    """A new domain is not active, and empty (migadu-behaviour.md 5, POST domains)."""
    path = f"domains/{new['name']}"

    assert new["state"] == "inactive"
    assert account.get(path).json() == new
    assert [account.get(f"{path}/{kind}").json() for kind in ("mailboxes", "aliases", "rewrites")] == [
        {"mailboxes": []},
        {"address_aliases": []},
        {"rewrites": []},
    ]


@pytest.mark.usefixtures("sandbox")
def test_create_can_make_the_usual_addresses(account: httpx.Client) -> None:
    """create_default_addresses makes postmaster, abuse and admin (migadu-behaviour.md 1.8; 5, POST domains)."""
    name = f"{fresh('usual')}.example"
    answer = account.post("domains", json={"name": name, "create_default_addresses": True})

    aliases = account.get(f"domains/{name}/aliases").json()["address_aliases"]
    assert answer.status_code == 200
    assert {alias["local_part"] for alias in aliases} == {"postmaster", "abuse", "admin"}


@pytest.mark.usefixtures("sandbox")
def test_create_refuses_hosted_dns(account: httpx.Client) -> None:
    """hosted_dns true is 400, false is taken (migadu-behaviour.md 1.8; 5, POST domains)."""
    name = f"{fresh('hosted')}.example"
    refused = account.post("domains", json={"name": name, "hosted_dns": True})
    unknown = account.get(f"domains/{name}")
    accepted = account.post("domains", json={"name": name, "hosted_dns": False})

    assert (refused.status_code, refused.json()) == BAD_REQUEST
    assert unknown.status_code == 404
    assert accepted.status_code == 200


def test_duplicate_domain_is_400(account: httpx.Client, new: Body) -> None:
    """A domain that is there is 400, whatever its case (migadu-behaviour.md 2.5; 5, POST domains)."""
    answer = account.post("domains", json={"name": new["name"].upper()})

    assert (answer.status_code, answer.json()) == BAD_REQUEST


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": None}, {"name": "no domain"}, {"name": "a@b.example"}])
@pytest.mark.usefixtures("sandbox")
def test_create_needs_a_name(account: httpx.Client, body: Body) -> None:
    """What is no domain is 400, as every bad request (migadu-api.txt, API Requests)."""
    answer = account.post("domains", json=body)

    assert (answer.status_code, answer.json()) == BAD_REQUEST


@pytest.mark.parametrize("change", WRITABLE, ids=str)
def test_patch_changes_what_it_names_and_nothing_else(
    account: httpx.Client, domain: str, writable: Body, change: Body
) -> None:
    """PATCH takes any writable subset (migadu-behaviour.md 1.8; 5, PATCH domains); tags may come as CSV."""
    answer = account.patch(f"domains/{domain}", json=change)

    shown, expected = answer.json(), {**writable, **change}
    if isinstance(shown["tags"], str):
        expected["tags"] = ",".join(expected["tags"])
    assert (answer.status_code, shown) == (200, expected)
    assert account.get(f"domains/{domain}").json() == answer.json()


@pytest.mark.usefixtures("writable")
def test_patch_sets_the_catch_all(account: httpx.Client, domain: str) -> None:
    """catchall_destinations is a field of the domain (migadu-behaviour.md 1.8; 3, catch-all)."""
    answer = account.patch(f"domains/{domain}", json={"catchall_destinations": [f"ada@{domain}"]})

    assert (answer.status_code, answer.json()["catchall_destinations"]) == (200, [f"ada@{domain}"])


@pytest.mark.parametrize(
    "attempt", [{"can_receive": None}, {"name": "evil.example"}, {"state": "inactive"}, {"no_such_field": 1}], ids=str
)
def test_patch_ignores_what_cannot_be_written(
    account: httpx.Client, domain: str, writable: Body, attempt: Body
) -> None:
    """Read-only and unknown keys are 200 and change nothing (migadu-behaviour.md 1.8; 5, common)."""
    answer = account.patch(f"domains/{domain}", json=attempt)

    assert (answer.status_code, answer.json()) == (200, writable)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_domain_can_be_neither_put_nor_deleted(account: httpx.Client, new: Body, method: str) -> None:
    """There is no PUT and, deliberately, no DELETE (migadu-behaviour.md 1.1); the answer's status is not known."""
    answer = account.request(method, f"domains/{new['name']}", json={"description": "ours"})

    assert 400 <= answer.status_code < 500
    assert account.get(f"domains/{new['name']}").json() == new


def test_activate_before_dns_is_right_is_422(account: httpx.Client, new: Body) -> None:
    """The check fails with a code and a message, and the domain stays inactive (migadu-behaviour.md 1.8; 2.22; 5)."""
    answer = account.get(f"domains/{new['name']}/activate")

    assert (answer.status_code, answer.json()["error"]) == (422, "dns_check_failed")
    assert isinstance(answer.json()["message"], str)
    assert account.get(f"domains/{new['name']}").json() == new


def test_activate_after_dns_is_right_is_200(account: httpx.Client, control: httpx.Client, new: Body) -> None:
    """The answer is the domain, active, and so it stays (migadu-behaviour.md 1.1; 5, activate)."""
    path = f"domains/{new['name']}"
    control.post("dns", json={"domain": new["name"], "ok": True}).raise_for_status()
    answer = account.get(f"{path}/activate")

    assert (answer.status_code, answer.json()["state"]) == (200, "active")
    assert account.get(path).json() == answer.json()


def test_activate_answers_the_active_domain(account: httpx.Client, domain: str) -> None:
    """It is a GET with a side effect; where DNS is right, 200 (migadu-behaviour.md 1.1; 5, activate)."""
    before = account.get(f"domains/{domain}").json()["state"]
    answer = account.get(f"domains/{domain}/activate")

    assert answer.status_code == 200 or (before, answer.status_code) == ("inactive", 422)
    assert account.get(f"domains/{domain}").json()["state"] == ("active" if answer.status_code == 200 else before)


def test_records_have_their_shape(account: httpx.Client, domain: str) -> None:
    """Each record has name, type in lower case and value; MX a priority (migadu-behaviour.md 1.8, records)."""
    answer = account.get(f"domains/{domain}/records")

    shown = answer.json()
    records = [*shown["dkim"], *shown["mx_records"], shown["dmarc"], shown["dns_verification"], shown["spf"]]
    assert answer.status_code == 200
    assert set(shown) == {"domain_name", "dkim", "dmarc", "dns_verification", "mx_records", "spf"}
    assert shown["domain_name"] == domain
    assert all({"name", "type", "value"} <= set(record) <= {"name", "type", "value", "priority"} for record in records)
    assert all(record["type"] == record["type"].lower() for record in records)


def test_records_name_their_targets(account: httpx.Client, domain: str) -> None:
    """DKIM targets end in a dot, MX targets do not, and have a priority (migadu-behaviour.md 1.8, records)."""
    shown = account.get(f"domains/{domain}/records").json()

    assert shown["dkim"]
    assert shown["mx_records"]
    assert all(record["value"].endswith(".") for record in shown["dkim"])
    assert not any(record["value"].endswith(".") for record in shown["mx_records"])
    assert all(isinstance(record["priority"], int) for record in shown["mx_records"])


def test_diagnostics_are_lists_of_errors(account: httpx.Client, domain: str) -> None:
    """Four lists of texts; empty means in order (migadu-behaviour.md 1.8, diagnostics)."""
    answer = account.get(f"domains/{domain}/diagnostics")

    assert (answer.status_code, set(answer.json())) == (200, {"mx", "spf", "dkim", "dmarc"})
    assert all(isinstance(error, str) for errors in answer.json().values() for error in errors)


def test_usage_has_three_figures(account: httpx.Client, domain: str) -> None:
    """Incoming, outgoing and storage are numbers (migadu-behaviour.md 1.8, usage)."""
    answer = account.get(f"domains/{domain}/usage")

    shown = answer.json()
    assert (answer.status_code, set(shown)) == (200, {"domain_name", "incoming", "outgoing", "storage"})
    assert shown["domain_name"] == domain
    assert all(isinstance(shown[key], int | float) for key in ("incoming", "outgoing", "storage"))


@pytest.mark.parametrize(("method", "rest"), BELOW)
def test_unknown_domain_is_404_on_every_path(account: httpx.Client, method: str, rest: str) -> None:
    """Whatever is asked of a domain that is not there is 404 (migadu-behaviour.md 5, common)."""
    answer = account.request(method, f"domains/{fresh('unknown')}.example{rest}", json={})

    assert (answer.status_code, list(answer.json())) == (404, ["error"])


@pytest.fixture
def punycode(target: Target, sandbox: object) -> Iterator[tuple[str, httpx.Client]]:
    """A domain whose name is no ASCII, and a client of it."""
    name = f"{fresh('xn--bcher-kva')}.example"
    with target.client() as account:
        account.post("domains", json={"name": name}).raise_for_status()
    with target.client(f"/domains/{name.upper()}") as api:
        yield name, api


@pytest.mark.parametrize(("kind", "make"), [("mailboxes", mailbox), ("aliases", alias), ("rewrites", rewrite)])
def test_punycode_is_read_and_answered(punycode: tuple[str, httpx.Client], kind: str, make: object) -> None:
    """Paths and answers have the domain in punycode, lower-case (migadu-behaviour.md 2.19; 5, common)."""
    name, api = punycode
    body = make()
    answer = api.post(kind, json=body)

    shown = answer.json()
    key = "name" if kind == "rewrites" else "local_part"
    assert answer.status_code == 200
    assert shown["domain_name"] == name
    assert shown.get("address", f"{body[key]}@{name}") == f"{body[key]}@{name}"
    assert api.get(f"{kind}/{body[key]}").json() == shown


def test_punycode_is_in_children_and_destinations(punycode: tuple[str, httpx.Client]) -> None:
    """Identities and destinations have it, too; a name written out is a foreign one (migadu-behaviour.md 2.19; 1.6)."""
    name, api = punycode
    ada = api.post("mailboxes", json=mailbox()).json()["local_part"]
    king = api.post(f"mailboxes/{ada}/identities", json=identity()).json()
    team = api.post("aliases", json=alias(destinations=["one@bücher.example", f"two@{name}", "three"])).json()

    assert king["domain_name"] == name
    assert king["address"].endswith(f"@{name}")
    assert team["destinations"] == [f"one@{name}", f"two@{name}", f"three@{name}"]


def test_local_parts_are_not_converted(punycode: tuple[str, httpx.Client]) -> None:
    """Only domains are converted; a target elsewhere keeps its local part (migadu-behaviour.md 2.19)."""
    _, api = punycode
    ada = api.post("mailboxes", json=mailbox()).json()["local_part"]
    target = forwarding()["address"]

    assert api.post(f"mailboxes/{ada}/forwardings", json={"address": target}).json()["address"] == target
