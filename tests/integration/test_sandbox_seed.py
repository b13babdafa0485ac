"""The sandbox's seed and state: one shape, written and read back, and refused with place and reason."""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from worker.sandbox import InvalidSeed, RunningSandbox, create_app
from worker.wire import trusted

NOW = datetime(2026, 11, 20, 9, 5, tzinfo=UTC)
CREDENTIALS = ("admin@example.org", "sandbox-key")
MAILBOXES = "/v1/domains/example.org/mailboxes"
ALIASES = "/v1/domains/example.org/aliases"
REWRITES = "/v1/domains/example.org/rewrites"
REWRITE = {"name": "all", "local_part_rule": "*", "destinations": "ada"}
ADA = {"local_part": "ada", "name": "Ada Lovelace", "password": "Sup3r_s3cr3T"}


@pytest.fixture(scope="module")
def serving() -> Iterator[RunningSandbox]:
    """One sandbox for all tests of this file."""
    with RunningSandbox(clock=lambda: NOW) as sandbox:
        yield sandbox


@pytest.fixture
def client(serving: RunningSandbox) -> Iterator[httpx.Client]:
    """A client of a sandbox that is as good as new; control is below the same address."""
    with _client(serving) as client:
        client.post("/_sandbox/reset").raise_for_status()
        yield client


def _client(sandbox: RunningSandbox) -> httpx.Client:
    return httpx.Client(base_url=sandbox.url, auth=CREDENTIALS, verify=trusted())


def _fill(client: httpx.Client) -> None:
    client.post(MAILBOXES, json={**ADA, "expires_on": "2027-01-01", "sender_denylist": "a@b.c"}).raise_for_status()
    client.post(f"{MAILBOXES}/ada/identities", json={"local_part": "king", "name": "Ada King"}).raise_for_status()
    client.post(f"{MAILBOXES}/ada/forwardings", json={"address": "ada@home.example"}).raise_for_status()
    client.post(ALIASES, json={"local_part": "team", "destinations": "ada"}).raise_for_status()
    client.post(REWRITES, json={"name": "all", "local_part_rule": "*", "destinations": "ada"}).raise_for_status()
    client.post(REWRITES, json={"name": "first", "local_part_rule": "a*", "destinations": "ada"}).raise_for_status()
    client.put(f"{REWRITES}/all", json={"order_num": 9}).raise_for_status()
    client.post("/v1/domains", json={"name": "example.net", "catchall_destinations": "ada"}).raise_for_status()
    client.patch("/v1/domains/example.org", json={"mailbox_default_pop3_enabled": False}).raise_for_status()


def test_sandbox_begins_with_one_empty_domain(client: httpx.Client) -> None:
    """A new sandbox holds the empty domain example.org, active and with its DNS right (contracts.md 7)."""
    (domain,) = client.get("/_sandbox/state").json()["domains"]

    empty = {"name": "example.org", "state": "active", "dns_ok": True, "mailboxes": [], "aliases": [], "rewrites": []}
    assert empty.items() <= domain.items()


def test_sandbox_state_shows_objects_as_the_api_does(client: httpx.Client) -> None:
    """The state holds the API's objects, a mailbox with identities and forwardings inside (contracts.md 7)."""
    _fill(client)

    domain = client.get("/_sandbox/state").json()["domains"][0]

    shown = client.get("/v1/domains/example.org").json()
    assert shown.items() <= domain.items()
    assert domain["mailboxes"] == client.get(MAILBOXES).json()["mailboxes"]
    assert domain["aliases"] == client.get(ALIASES).json()["address_aliases"]
    assert [forwarding["address"] for forwarding in domain["mailboxes"][0]["forwardings"]] == ["ada@home.example"]
    assert sorted(rewrite["name"] for rewrite in domain["rewrites"]) == ["all", "first"]


def test_sandbox_state_can_be_seeded_back(client: httpx.Client) -> None:
    """State and seed have one shape (contracts.md 7), and what was seeded is as good as what was created."""
    _fill(client)
    state = client.get("/_sandbox/state").json()
    client.post("/_sandbox/reset")

    seeded = client.post("/_sandbox/seed", json=state)
    taken = client.post(ALIASES, json={"local_part": "king", "destinations": "ada"})

    assert (seeded.status_code, seeded.json()) == (200, state)
    assert client.get("/_sandbox/state").json() == state
    assert taken.status_code == 400
    assert [domain["state"] for domain in state["domains"]] == ["active", "inactive"]


def test_sandbox_state_of_an_earlier_day_can_be_seeded_back() -> None:
    """Days are kept as Migadu displays them, and an expiry that has passed is no obstacle (contracts.md 7)."""
    mailbox = {"local_part": "ada", "name": "Ada", "changed_at": "01/02/25", "expires_on": "2025-03-01"}
    seed = {"domains": [{"name": "example.org", "mailboxes": [mailbox]}]}
    with RunningSandbox(seed=seed, clock=lambda: NOW) as sandbox, _client(sandbox) as client:
        state = client.get("/_sandbox/state").json()
        again = client.post("/_sandbox/seed", json=state).json()
        sent_back = client.put(f"{MAILBOXES}/ada", json={"expires_on": "2025-03-01"})

    assert mailbox.items() <= state["domains"][0]["mailboxes"][0].items()
    assert again == state
    assert sent_back.status_code == 200


def test_sandbox_seed_may_be_brief(client: httpx.Client) -> None:
    """A seed needs only what has no default, and several domains are told apart (contracts.md 7)."""
    seed = {
        "domains": [
            {"name": "Example.net", "mailboxes": [{"local_part": "ada", "name": "Ada", "may_send": None}]},
            {"name": "example.com", "aliases": [{"local_part": "ada", "destinations": ["bob@example.com"]}]},
        ]
    }

    answer = client.post("/_sandbox/seed", json=seed)

    assert answer.status_code == 200
    assert client.get("/v1/domains/example.net/mailboxes/ada").json()["may_send"] is None
    assert client.get("/v1/domains/example.com/aliases/ada").status_code == 200
    assert client.get("/v1/domains/example.org").status_code == 404


@pytest.mark.parametrize(
    ("domain", "where"),
    [
        ({"name": "nonsense"}, "domains[0]: the name is missing or no domain"),
        ({"mailboxes": {}}, "domains[0]: mailboxes is not a list"),
        ({"mailboxes": [{"local_part": "ada"}]}, "domains[0].mailboxes[0]: the name is missing"),
        ({"mailboxes": ["ada"]}, "domains[0].mailboxes[0]: this is not an object"),
        ({"mailboxes": [{**ADA}]}, "domains[0].mailboxes[0]: unknown field 'password'"),
        (
            {"mailboxes": [{"local_part": "ada", "name": "Ada", "forwardings": [{"address": "nowhere"}]}]},
            "domains[0].mailboxes[0].forwardings[0]: the address is missing or not valid",
        ),
        (
            {"mailboxes": [{"local_part": "ada", "name": "Ada", "forwardings": [{"address": "a@b.example"}] * 2}]},
            "domains[0].mailboxes[0].forwardings[1]: the forwarding occurs twice",
        ),
        ({"mailboxes": [{"local_part": "ada", "name": "A", "storage_usage": -1}]}, "domains[0].mailboxes[0]: storage"),
        (
            {"mailboxes": [{"local_part": "ada", "name": "Ada", "identities": [{"local_part": "ada", "name": "A"}]}]},
            "domains[0].mailboxes[0].identities[0]: the address is taken",
        ),
        (
            {"mailboxes": [{"local_part": "ada", "name": "Ada", "address": "eve@example.org"}]},
            "domains[0].mailboxes[0]: address contradicts",
        ),
        (
            {"mailboxes": [{"local_part": "ada", "name": "Ada", "changed_at": "noon"}]},
            "domains[0].mailboxes[0]: changed_at is written neither HH:MM nor dd/mm/yy",
        ),
        ({"activated_at": 7}, "domains[0]: activated_at is written neither HH:MM nor dd/mm/yy"),
        (
            {"aliases": [{"local_part": "team", "destinations": 7}]},
            "domains[0].aliases[0]: destinations is neither an array nor a comma-separated text",
        ),
        (
            {"aliases": [{"local_part": "team", "destinations": ["ada", 7]}]},
            "domains[0].aliases[0]: destinations holds something that is not a text at [1]",
        ),
        (
            {"rewrites": [{**REWRITE, "destinations": "ada, a b"}]},
            "domains[0].rewrites[0]: destinations[1]: the local part is missing or not valid",
        ),
        ({"catchall_destinations": {}}, "domains[0]: catchall_destinations is neither an array nor"),
        (
            {"mailboxes": [{"local_part": "ada", "name": "A", "sender_denylist": [1]}]},
            "domains[0].mailboxes[0]: sender_denylist holds something that is not a text at [0]",
        ),
        ({"aliases": [{"local_part": "team", "destinations": []}]}, "domains[0].aliases[0]: there are no destinations"),
        ({"rewrites": [{"name": "all"}]}, "domains[0].rewrites[0]: the local_part_rule is missing"),
        ({"rewrites": [REWRITE, REWRITE]}, "domains[0].rewrites[1]: the rewrite occurs twice"),
        ({"rewrites": [{**REWRITE, "domain_name": "example.org"}]}, "domains[0].rewrites[0]: domain_name contradicts"),
        ({"state": "asleep"}, "domains[0]: state is none of active, inactive"),
        ({"dns_ok": "maybe"}, "domains[0]: dns_ok is not a boolean"),
    ],
)
def test_sandbox_refuses_a_bad_seed_and_says_where(client: httpx.Client, domain: dict[str, object], where: str) -> None:
    """A seed that cannot be held is a 400 that names place and reason, and changes nothing (contracts.md 7)."""
    before = client.get("/_sandbox/state").json()

    answer = client.post("/_sandbox/seed", json={"domains": [{"name": "example.net", **domain}]})

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(where)
    assert client.get("/_sandbox/state").json() == before


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", 'the body is empty: expected a seed, {"domains": [...]}'),
        (b"null", "the body is empty: "),
        (b"{", "the body is not JSON (line 1, column 2: "),
        (b'{"domains":\n  [nothing]}', "the body is not JSON (line 2, column 4: Expecting value)"),
        (b"\xff", "the body is not JSON (byte 1 is not UTF-8)"),
        (b'{"domains":[NaN]}', "the body is not JSON (NaN is not JSON)"),
        (b"[" * 100_000, "the body is not JSON that can be read (it is nested too deeply)"),
        (b"[]", "the seed: this is not an object"),
        (b"{}", "the seed: the list domains is missing"),
        (b'{"domains":{}}', "the seed: domains is not a list"),
        (b'{"domain":[]}', "the seed: unknown field 'domain'"),
        (b'{"domains":[1]}', "domains[0]: this is not an object"),
    ],
    ids=range(12),
)
def test_sandbox_refuses_a_seed_of_another_shape(client: httpx.Client, raw: bytes, said: str) -> None:
    """What is no seed at all is 400 with a reason, and the place if it is no JSON (contracts.md 7)."""
    answer = client.post("/_sandbox/seed", content=raw)

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(said)


def test_sandbox_seed_names_each_domain_once(client: httpx.Client) -> None:
    """A domain that occurs twice, in whatever case, is refused rather than half lost (contracts.md 7)."""
    answer = client.post("/_sandbox/seed", json={"domains": [{"name": "example.net"}, {"name": "Example.Net"}]})

    assert (answer.status_code, answer.json()) == (400, {"error": "domains[1]: the domain occurs twice"})


def test_sandbox_seed_at_start_is_checked() -> None:
    """A bad seed given at start raises before anything is served."""
    with pytest.raises(InvalidSeed, match=r"domains\[0\]: the name"):
        create_app(seed={"domains": [{}]})


def test_sandbox_seeded_domain_gives_its_mailboxes_their_defaults() -> None:
    """What a domain says of new mailboxes holds for those of a seed as well (migadu-behaviour.md 1.8)."""
    domain = {
        "name": "example.org",
        "mailbox_default_imap_enabled": False,
        "mailbox_default_outgoing_limit": 50,
        "mailboxes": [{"local_part": "eve", "name": "Eve"}],
    }
    with RunningSandbox(seed={"domains": [domain]}) as sandbox, _client(sandbox) as client:
        client.post(MAILBOXES, json=ADA).raise_for_status()
        shown = client.get(MAILBOXES).json()["mailboxes"]

    names = ("may_access_imap", "may_access_pop3", "daily_outgoing_limit", "monthly_outgoing_limit")
    assert [[mailbox[name] for name in names] for mailbox in shown] == [[False, True, 50, 50]] * 2
