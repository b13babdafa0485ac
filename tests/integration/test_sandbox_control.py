"""The sandbox's control, and who is let in: reset, calls, the outside world's acts, loopback, credentials."""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from worker.sandbox import RunningSandbox
from worker.wire import trusted

NOW = datetime(2026, 11, 20, 9, 5, tzinfo=UTC)
CREDENTIALS = ("admin@example.org", "sandbox-key")
MAILBOXES = "/v1/domains/example.org/mailboxes"
ALIASES = "/v1/domains/example.org/aliases"
ADA = {"local_part": "ada", "name": "Ada Lovelace", "password": "Sup3r_s3cr3T"}
FORWARDINGS = f"{MAILBOXES}/ada/forwardings"


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
    client.post(ALIASES, json={"local_part": "team", "destinations": "ada"}).raise_for_status()


def test_sandbox_reset_empties_it(client: httpx.Client) -> None:
    """Reset leaves a new sandbox: no objects and no calls (contracts.md 7)."""
    new = client.get("/_sandbox/state").json()
    _fill(client)

    client.post("/_sandbox/reset")

    assert client.get("/_sandbox/state").json() == new
    assert client.get("/_sandbox/calls").json() == {"calls": [], "dropped": 0}


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
    [
        ("GET", "/_sandbox/state"),
        ("POST", "/_sandbox/reset"),
        ("POST", "/_sandbox/seed"),
        ("GET", "/_sandbox/calls"),
        ("GET", "/_sandbox/faults"),
        ("POST", "/_sandbox/faults"),
        ("POST", "/_sandbox/confirm"),
        ("POST", "/_sandbox/dns"),
    ],
)
def test_sandbox_control_answers_loopback_only(client: httpx.Client, method: str, path: str) -> None:
    """Whoever is not on this machine, even through a proxy on it, gets 403 and changes nothing (contracts.md 7)."""
    _fill(client)

    answer = client.request(method, path, json={"domains": []}, headers={"x-forwarded-for": "203.0.113.9"})

    assert answer.status_code == 403
    assert len(client.get("/_sandbox/state").json()["domains"][0]["mailboxes"]) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "rebound.example:8026"},
        {"host": "127.0.0.1.rebound.example"},
        {"host": "192.0.2.1:8026"},
        {"host": "[half"},
        {"origin": "https://page.example"},
        {"origin": "https://localhost.page.example"},
        {"origin": "null"},
    ],
    ids=lambda headers: next(iter(headers.values())),
)
def test_sandbox_control_answers_no_web_page(client: httpx.Client, headers: dict[str, str]) -> None:
    """A page elsewhere cannot have a browser on this machine control it, by whatever name it asks."""
    _fill(client)

    answer = client.post("/_sandbox/reset", headers=headers)

    assert (answer.status_code, list(answer.json())) == (403, ["error"])
    assert len(client.get("/_sandbox/state").json()["domains"][0]["mailboxes"]) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "localhost:8026"},
        {"host": "LocalHost"},
        {"host": "127.1.2.3"},
        {"host": "[::1]:8026"},
        {"origin": "http://localhost:3000"},
        {"origin": "http://127.0.0.1:8026"},
    ],
    ids=lambda headers: next(iter(headers.values())),
)
def test_sandbox_control_answers_this_machine_by_all_its_names(client: httpx.Client, headers: dict[str, str]) -> None:
    """Whatever this machine calls itself, and a page that it serves, is let in."""
    assert client.post("/_sandbox/reset", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("path", "size", "said"),
    [
        ("/_sandbox/faults", 1024 * 1024 + 1, "The body is larger than 1 MiB."),
        ("/_sandbox/seed", 64 * 1024 * 1024 + 1, "The body is larger than 64 MiB."),
    ],
)
def test_sandbox_control_bounds_its_bodies(client: httpx.Client, path: str, size: int, said: str) -> None:
    """A body above the bound is 413 with a sentence, and the next call finds everything well."""
    answer = client.post(path, content=b" " * size)

    assert (answer.status_code, answer.json()) == (413, {"error": said})
    assert client.get("/_sandbox/state").status_code == 200


@pytest.mark.parametrize(
    ("content", "type_", "reason"),
    [
        (b"", "application/json", "there is no body"),
        (b'{"a": 1}', "application/x-www-form-urlencoded", "the body is not announced as application/json"),
        (b'{"a": }', "application/json", "the body is not JSON (line 1, column 7: Expecting value)"),
        (b"[]", "application/json", "the body is JSON, but no object"),
        (b'{"local_part": "t", "destinations": [1]}', "application/json", "destinations holds something that is not"),
        (b'{"local_part": "t", "destinations": "a b"}', "application/json", "destinations[0]: the local part is"),
    ],
)
def test_sandbox_knows_why_it_refused_a_body(client: httpx.Client, content: bytes, type_: str, reason: str) -> None:
    """The client hears "bad request", and the list of calls tells one reason from another."""
    answer = client.post(ALIASES, content=content, headers={"content-type": type_})
    (call,) = client.get("/_sandbox/calls").json()["calls"]

    assert (answer.status_code, answer.json()) == (400, {"error": "bad request"})
    assert call["reason"].startswith(reason)


@pytest.mark.parametrize(
    ("path", "field"), [("/v1/domains", "hosted_dns"), ("/v1/domains", "create_default_addresses")]
)
def test_sandbox_names_the_switch_that_is_none(client: httpx.Client, path: str, field: str) -> None:
    """A switch of a new domain that is neither on nor off is named in the reason."""
    client.post(path, json={"name": "example.net", field: "perhaps"})

    assert client.get("/_sandbox/calls").json()["calls"][0]["reason"] == f"{field} is not a boolean"


@pytest.mark.parametrize(("method", "path"), [("GET", "/_sandbox/reset"), ("POST", "/_sandbox/stae"), ("GET", "/")])
def test_sandbox_control_says_what_there_is(client: httpx.Client, method: str, path: str) -> None:
    """A control that is not there is 404 with a sentence that lists those that are."""
    answer = client.request(method, path)

    assert answer.status_code == 404
    assert "POST /_sandbox/reset" in answer.json()["error"]


def test_sandbox_forwarding_is_confirmed_by_a_click(client: httpx.Client) -> None:
    """Confirming sets confirmed_at once, and nothing else (contracts.md 7; migadu-behaviour.md 3)."""
    client.post(MAILBOXES, json=ADA)
    made = client.post(FORWARDINGS, json={"address": "ada@home.example"}).json()

    clicked = client.post("/_sandbox/confirm", json={"mailbox": "ada@example.org", "address": "Ada@Home.example"})

    assert (made["confirmation_sent_at"], made["confirmed_at"]) == ("09:05", None)
    assert (clicked.status_code, clicked.json()) == (200, {**made, "confirmed_at": "09:05"})
    assert client.get(f"{FORWARDINGS}/ada@home.example").json() == clicked.json()
    assert client.get(f"{MAILBOXES}/ada").json()["forwardings"] == [clicked.json()]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"mailbox": "ada@example.org", "address": "eve@home.example"}, 404),
        ({"mailbox": "eve@example.org", "address": "ada@home.example"}, 404),
        ({"mailbox": "ada@example.net", "address": "ada@home.example"}, 404),
        ({"mailbox": "ada@example.org"}, 400),
        ({"mailbox": "ada@example.org", "address": "ada@home.example", "click": True}, 400),
        ([], 400),
    ],
)
def test_sandbox_refuses_a_click_on_nothing(client: httpx.Client, sent: object, status: int) -> None:
    """What is not there cannot be confirmed, and the answer says what is missing (contracts.md 7)."""
    client.post(MAILBOXES, json={**ADA, "forwarding_to": "ada@home.example"}).raise_for_status()

    answer = client.post("/_sandbox/confirm", json=sent)

    assert answer.status_code == status
    assert answer.json()["error"]
    assert client.get(FORWARDINGS).json()["forwardings"][0]["confirmed_at"] is None


def test_sandbox_domain_can_be_activated_when_its_dns_was_set(client: httpx.Client) -> None:
    """Control says when a new domain's DNS is right; before, activation is 422 (migadu-behaviour.md 1.8)."""
    new = "/v1/domains/example.net"
    client.post("/v1/domains", json={"name": "example.net"}).raise_for_status()

    early = client.get(f"{new}/activate")
    wrong = client.get(f"{new}/diagnostics").json()
    client.post("/_sandbox/dns", json={"domain": "example.net", "ok": True}).raise_for_status()
    right = client.get(f"{new}/diagnostics").json()
    activated = client.get(f"{new}/activate")

    assert (early.status_code, early.json()["error"]) == (422, "dns_check_failed")
    assert all(wrong.values())
    assert right == {"mx": [], "spf": [], "dkim": [], "dmarc": []}
    assert (activated.status_code, activated.json()["state"]) == (200, "active")
    assert client.get(new).json() == activated.json()


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        ({"domain": "example.net", "ok": True}, 404, "there is no such domain"),
        ({"domain": "example.org"}, 400, "ok is missing"),
        ({"domain": "example.org", "ok": 1}, 400, "ok is not a boolean"),
        ({"domain": 7, "ok": True}, 400, "domain is not a text"),
        ({"ok": True}, 400, "domain is missing"),
        ({"domain": "example.org", "ok": False, "mx": True}, 400, "unknown field 'mx': there are domain and ok"),
        ([], 400, "the body is JSON, but no object"),
        (None, 400, 'the body is empty: expected {"domain": "example.org", "ok": true}'),
    ],
)
def test_sandbox_refuses_the_dns_of_nothing(client: httpx.Client, sent: object, status: int, said: str) -> None:
    """A domain that is not there, or no word about it, or more than that, is refused with a sentence."""
    answer = client.post("/_sandbox/dns", json=sent)

    assert (answer.status_code, answer.json()) == (status, {"error": said})
    assert client.get("/_sandbox/state").json()["domains"][0]["dns_ok"] is True


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


@pytest.mark.parametrize("faults", [[], [{"fault": "401"}]], ids=["stranger", "fault"])
def test_sandbox_401_names_its_scheme(client: httpx.Client, faults: list[dict[str, str]]) -> None:
    """Whether it is earned or a fault, a 401 says how to sign in, as HTTP demands (RFC 9110, 15.5.2)."""
    client.post("/_sandbox/faults", json=faults).raise_for_status()

    answer = client.get("/v1/domains") if faults else client.get("/v1/domains", auth=("somebody", "else"))

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Basic realm="Migadu"')


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
