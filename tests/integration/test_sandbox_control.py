"""The sandbox's control and its gate: state, seed, calls, credentials, rate limit, latency, start and stop."""

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from worker.sandbox import InvalidSeed, RunningSandbox, create_app, parse_rate_limit

NOW = datetime(2026, 11, 20, 9, 5, tzinfo=UTC)
CREDENTIALS = ("admin@example.org", "sandbox-key")
MAILBOXES = "/v1/domains/example.org/mailboxes"
ALIASES = "/v1/domains/example.org/aliases"
ADA = {"local_part": "ada", "name": "Ada Lovelace", "password": "Sup3r_s3cr3T"}
EMPTY = {"domains": [{"name": "example.org", "mailboxes": [], "aliases": [], "rewrites": []}]}


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
    return httpx.Client(base_url=sandbox.url, auth=CREDENTIALS)


def _fill(client: httpx.Client) -> None:
    client.post(MAILBOXES, json={**ADA, "expires_on": "2027-01-01", "sender_denylist": "a@b.c"}).raise_for_status()
    client.post(f"{MAILBOXES}/ada/identities", json={"local_part": "king", "name": "Ada King"}).raise_for_status()
    client.post(ALIASES, json={"local_part": "team", "destinations": "ada"}).raise_for_status()


def test_sandbox_begins_with_one_empty_domain(client: httpx.Client) -> None:
    """A new sandbox holds the empty domain example.org (contracts.md 7)."""
    assert client.get("/_sandbox/state").json() == EMPTY


def test_sandbox_state_shows_objects_as_the_api_does(client: httpx.Client) -> None:
    """The state holds the API's objects, a mailbox with identities and forwardings inside (contracts.md 7)."""
    _fill(client)

    domain = client.get("/_sandbox/state").json()["domains"][0]

    assert domain["mailboxes"] == client.get(MAILBOXES).json()["mailboxes"]
    assert domain["aliases"] == client.get(ALIASES).json()["address_aliases"]
    assert domain["mailboxes"][0]["forwardings"] == []
    assert domain["rewrites"] == []


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
            {"mailboxes": [{"local_part": "ada", "name": "Ada", "forwardings": [{"address": "a@b.example"}]}]},
            "domains[0].mailboxes[0]: forwardings: the sandbox holds none",
        ),
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
            "domains[0].mailboxes[0]: a time",
        ),
        ({"aliases": [{"local_part": "team", "destinations": []}]}, "domains[0].aliases[0]: there are no destinations"),
        ({"rewrites": [{"name": "all"}]}, "domains[0]: rewrites: the sandbox holds none"),
    ],
)
def test_sandbox_refuses_a_bad_seed_and_says_where(client: httpx.Client, domain: dict[str, object], where: str) -> None:
    """A seed that cannot be held is a 400 that names place and reason, and changes nothing (contracts.md 7)."""
    answer = client.post("/_sandbox/seed", json={"domains": [{"name": "example.net", **domain}]})

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(where)
    assert client.get("/_sandbox/state").json() == EMPTY


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"domains":{}}', b'{"domain":[]}', b'{"domains":[1]}'])
def test_sandbox_refuses_a_seed_of_another_shape(client: httpx.Client, raw: bytes) -> None:
    """What is no seed at all is 400 with a reason (contracts.md 7)."""
    answer = client.post("/_sandbox/seed", content=raw)

    assert answer.status_code == 400
    assert answer.json()["error"]


def test_sandbox_seed_names_each_domain_once(client: httpx.Client) -> None:
    """A domain that occurs twice, in whatever case, is refused rather than half lost (contracts.md 7)."""
    answer = client.post("/_sandbox/seed", json={"domains": [{"name": "example.net"}, {"name": "Example.Net"}]})

    assert (answer.status_code, answer.json()) == (400, {"error": "domains[1]: the domain occurs twice"})


def test_sandbox_seed_at_start_is_checked() -> None:
    """A bad seed given at start raises before anything is served."""
    with pytest.raises(InvalidSeed, match=r"domains\[0\]: the name"):
        create_app(seed={"domains": [{}]})


def test_sandbox_reset_empties_it(client: httpx.Client) -> None:
    """Reset leaves a new sandbox: no objects and no calls (contracts.md 7)."""
    _fill(client)

    client.post("/_sandbox/reset")

    assert client.get("/_sandbox/state").json() == EMPTY
    assert client.get("/_sandbox/calls").json() == {"calls": []}


def test_sandbox_lists_its_calls(client: httpx.Client) -> None:
    """Every call is listed with time, method, path, status and body, control apart (contracts.md 7)."""
    alias = {"local_part": "team", "destinations": "ada"}
    client.post(ALIASES, json=alias)
    client.get(f"{ALIASES}/nobody")

    calls = client.get("/_sandbox/calls").json()["calls"]

    assert calls == [
        {"time": NOW.isoformat(), "method": "POST", "path": ALIASES, "status": 200, "body": alias, "reason": None},
        {
            "time": NOW.isoformat(),
            "method": "GET",
            "path": f"{ALIASES}/nobody",
            "status": 404,
            "body": None,
            "reason": "there is no such alias",
        },
    ]


def test_sandbox_never_shows_a_secret(client: httpx.Client) -> None:
    """A password is in neither calls nor state, a recovery address not in calls (contracts.md 7)."""
    secret, home = "Sup3r_s3cr3T", "ada@home.example"
    client.post(MAILBOXES, json={**ADA, "password_recovery_email": home})
    client.put(f"{MAILBOXES}/ada", json={"password": secret})
    client.post(f"{MAILBOXES}/ada/identities", json={"local_part": "king", "name": "K", "password": secret})
    client.post(MAILBOXES, json=[{"password": secret}])
    client.post(MAILBOXES, content=f'{{"password": "{secret}"'.encode())

    state, calls = client.get("/_sandbox/state"), client.get("/_sandbox/calls")

    assert secret not in state.text + calls.text
    assert home in state.text
    assert home not in calls.text
    assert calls.json()["calls"][1]["body"] == {"password": "[redacted]"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/_sandbox/state"), ("POST", "/_sandbox/reset"), ("POST", "/_sandbox/seed"), ("GET", "/_sandbox/calls")],
)
def test_sandbox_control_answers_loopback_only(client: httpx.Client, method: str, path: str) -> None:
    """Whoever is not on this machine, even through a proxy on it, gets 403 and changes nothing (contracts.md 7)."""
    _fill(client)

    answer = client.request(method, path, json={"domains": []}, headers={"x-forwarded-for": "203.0.113.9"})

    assert answer.status_code == 403
    assert len(client.get("/_sandbox/state").json()["domains"][0]["mailboxes"]) == 1


def test_sandbox_control_needs_no_credentials(serving: RunningSandbox) -> None:
    """Control is without credentials (contracts.md 7)."""
    assert httpx.get(f"{serving.url}/_sandbox/state").status_code == 200


@pytest.mark.parametrize("auth", [None, ("admin@example.org", "wrong"), ("someone@example.org", "sandbox-key")])
@pytest.mark.parametrize("path", ["/v1/domains", "/v1/domains/example.net/mailboxes", "/v1/no/such/path"])
def test_sandbox_wrong_credentials_are_401_first_of_all(
    serving: RunningSandbox, auth: tuple[str, str] | None, path: str
) -> None:
    """Bad credentials are 401 with Migadu's words, before any 404 (migadu-behaviour.md 2.7, 5)."""
    answer = httpx.get(f"{serving.url}{path}", auth=auth)

    assert (answer.status_code, answer.json()) == (401, {"error": "The token is invalid or expired."})


@pytest.mark.parametrize("header", ["Basic", "Basic ???", "Basic bm8=", "Bearer sandbox-key", "Basic \xe9"])
def test_sandbox_unreadable_credentials_are_401(serving: RunningSandbox, header: str) -> None:
    """An Authorization header that is no Basic credential is 401 as well (migadu-behaviour.md 2.7)."""
    answer = httpx.get(f"{serving.api_url}/domains", headers={"authorization": header.encode("latin-1")})

    assert answer.status_code == 401


def test_sandbox_takes_other_credentials() -> None:
    """User and key can be chosen (contracts.md 7)."""
    with RunningSandbox(user="me@example.com", key="mine") as sandbox:
        own = httpx.get(f"{sandbox.api_url}/domains", auth=("me@example.com", "mine"))
        default = httpx.get(f"{sandbox.api_url}/domains", auth=CREDENTIALS)

    assert (own.status_code, default.status_code) == (200, 401)


def test_sandbox_rate_limit_is_a_403_page_of_the_proxy() -> None:
    """Above the limit the proxy answers 403 in HTML, and nothing is applied (migadu-behaviour.md 2.8)."""
    with RunningSandbox(rate_limit=(2, 120.0)) as sandbox, _client(sandbox) as client:
        admitted = [client.get(MAILBOXES).status_code for _ in range(2)]
        answer = client.post(MAILBOXES, json=ADA)
        state, calls = client.get("/_sandbox/state").json(), client.get("/_sandbox/calls").json()["calls"]
        client.post("/_sandbox/reset")
        after_reset = client.get(MAILBOXES)

    assert admitted == [200, 200]
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("text/html")
    assert "Request forbidden by administrative rules" in answer.text
    assert "retry-after" not in answer.headers
    assert state == EMPTY
    assert [call["status"] for call in calls] == [200, 200, 403]
    assert after_reset.status_code == 200


def test_sandbox_rate_limit_window_rolls() -> None:
    """Calls pass again when the earlier ones are older than the window (migadu-behaviour.md 2.8)."""
    with RunningSandbox(rate_limit=(1, 0.3)) as sandbox, _client(sandbox) as client:
        first = time.monotonic()
        client.get(MAILBOXES)
        while client.get(MAILBOXES).status_code == 403:
            assert time.monotonic() < first + 10
        waited_s = time.monotonic() - first

    assert waited_s >= 0.3


def test_sandbox_latency_delays_every_call_but_not_control() -> None:
    """Each call waits before it is applied and is listed without a status meanwhile; others are not held up."""
    with RunningSandbox(latency_s=0.5) as sandbox, _client(sandbox) as client:
        started = time.monotonic()
        create = threading.Thread(
            target=httpx.post, args=(f"{sandbox.url}{MAILBOXES}",), kwargs={"json": ADA, "auth": CREDENTIALS}
        )
        create.start()
        while not (calls := client.get("/_sandbox/calls").json()["calls"]):
            assert time.monotonic() < started + 10
        under_way = client.get("/_sandbox/state").json()
        create.join()
        took_s = time.monotonic() - started
        mailboxes = client.get("/_sandbox/state").json()["domains"][0]["mailboxes"]

    assert calls[0]["status"] is None
    assert under_way == EMPTY
    assert took_s >= 0.5
    assert [mailbox["address"] for mailbox in mailboxes] == ["ada@example.org"]


def test_sandbox_answers_without_delay(client: httpx.Client) -> None:
    """Answers do not wait for the client's acknowledgement (Nagle's algorithm is off), which would cost 40 ms each."""
    started = time.monotonic()
    for _ in range(100):
        client.get("/v1/domains")

    assert time.monotonic() - started < 3


def test_sandbox_gives_its_port_back() -> None:
    """A sandbox can be started again on the port it left, even with a client still connected."""
    with RunningSandbox() as first, httpx.Client() as client:
        client.get(f"{first.url}/_sandbox/state").raise_for_status()
        port = httpx.URL(first.url).port
    with RunningSandbox(port=port or 0) as second:
        answer = httpx.get(f"{second.url}/_sandbox/state")

    assert second.api_url == f"http://127.0.0.1:{port}/v1"
    assert answer.status_code == 200


def test_sandbox_refuses_a_port_that_is_taken() -> None:
    """A port that is taken is an OSError at once, not a server that dies in its thread."""
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError, match="in use"):
        RunningSandbox(port=other.getsockname()[1]).__enter__()


@pytest.mark.parametrize(("text", "limit"), [("60/120", (60, 120.0)), ("3/0.5", (3, 0.5)), ("off", None)])
def test_sandbox_rate_limit_can_be_written(text: str, limit: tuple[int, float] | None) -> None:
    """CALLS/SECONDS or off (contracts.md 1, `mailroster sandbox`)."""
    assert parse_rate_limit(text) == limit


@pytest.mark.parametrize("text", ["", "60", "0/120", "60/0", "-1/2", "1/nan", "1/inf", "a/b", "60/120/3"])
def test_sandbox_bad_rate_limit_is_explained(text: str) -> None:
    """Anything else is a ValueError with one sentence (contracts.md 1, `mailroster sandbox`)."""
    with pytest.raises(ValueError, match="is no rate limit"):
        parse_rate_limit(text)
