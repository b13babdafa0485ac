"""The sandbox as a server: its limits, its pace, many clients, rubbish, start and stop."""

import concurrent.futures
import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.integration.shell import Shell
from worker.sandbox import RunningSandbox
from worker.wire import trusted

NOW = datetime(2026, 11, 20, 9, 5, tzinfo=UTC)
CREDENTIALS = ("admin@example.org", "sandbox-key")
MAILBOXES = "/v1/domains/example.org/mailboxes"
ALIASES = "/v1/domains/example.org/aliases"
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
    assert state["domains"][0]["mailboxes"] == []
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
    assert under_way["domains"][0]["mailboxes"] == []
    assert took_s >= 0.5
    assert [mailbox["address"] for mailbox in mailboxes] == ["ada@example.org"]


def test_sandbox_answers_without_delay(client: httpx.Client) -> None:
    """Answers do not wait for the client's acknowledgement (Nagle's algorithm is off), which would cost 40 ms each."""
    took_s = sorted(client.get("/v1/domains").elapsed.total_seconds() for _ in range(100))

    assert took_s[25] < 0.04  # not the slowest: the machine may have other things to do


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


def test_sandbox_latency_varies_between_its_bounds() -> None:
    """A latency of two bounds is drawn for each call (contracts.md 1)."""
    with RunningSandbox(latency_s=(0.1, 0.3)) as sandbox, _client(sandbox) as client:
        took = []
        for _ in range(3):
            started = time.monotonic()
            client.get("/v1/domains")
            took.append(time.monotonic() - started)

    assert min(took) >= 0.1


def test_sandbox_blocks_for_a_while_once_the_limit_is_exceeded() -> None:
    """The call that is too many starts a block; control is never limited (migadu-behaviour.md 2.8)."""
    with RunningSandbox(rate_limit=(1, 0.2), block_s=3600) as sandbox, _client(sandbox) as client:
        client.get("/v1/domains").raise_for_status()
        deadline = time.monotonic() + 0.5
        statuses = []
        while time.monotonic() < deadline:
            statuses.append(client.get("/v1/domains").status_code)
        control = client.get("/_sandbox/state")

    assert set(statuses) == {403}
    assert control.status_code == 200


def test_sandbox_serves_200_clients_at_once() -> None:
    """Two hundred connections at a time are all answered, and each write is there once."""
    with RunningSandbox() as sandbox:

        def create(number: int) -> int:
            with _client(sandbox) as client:
                return client.post(MAILBOXES, json={**ADA, "local_part": f"u{number}"}, timeout=60).status_code

        with concurrent.futures.ThreadPoolExecutor(200) as clients:
            statuses = list(clients.map(create, range(200)))
        made = httpx.get(f"{sandbox.url}{MAILBOXES}", auth=CREDENTIALS).json()["mailboxes"]

    assert statuses == [200] * 200
    assert {mailbox["local_part"] for mailbox in made} == {f"u{number}" for number in range(200)}


@pytest.mark.parametrize("pieces", [[b"x" * (1024 * 1024 + 1)], [b" " * 65536] * 64], ids=["length", "chunked"])
def test_sandbox_refuses_a_body_above_1_mb(client: httpx.Client, pieces: list[bytes]) -> None:
    """A body above 1 MB is 413, whether its length was announced or not, and nothing of it is kept."""
    content = pieces[0] if len(pieces) == 1 else iter(pieces)

    answer = client.post(MAILBOXES, content=content, headers={"content-type": "application/json"})
    (call,) = client.get("/_sandbox/calls").json()["calls"]

    assert answer.status_code == 413
    assert (call["status"], call["body"]) == (413, "[redacted]")


def test_sandbox_says_how_many_calls_it_forgot(client: httpx.Client) -> None:
    """The list keeps the last calls within 64 MB, and says how many it dropped until a reset (contracts.md 7)."""
    body = {"name": "x" * 1_000_000}
    for _ in range(70):
        client.post(MAILBOXES, json=body)

    shown = client.get("/_sandbox/calls").json()
    client.post("/_sandbox/reset")

    assert len(shown["calls"]) == 64 * 1024 * 1024 // 1_000_056
    assert len(shown["calls"]) + shown["dropped"] == 70
    assert client.get("/_sandbox/calls").json() == {"calls": [], "dropped": 0}


def test_sandbox_help_says_how_latency_is_written(tmp_path: Path) -> None:
    """The help of the command names both forms of a latency."""
    ran = Shell(tmp_path).run("sandbox", "--help")

    assert ran.code == 0
    assert "SECONDS, or drawn from LOW-HIGH, as in 0.5-0.8" in " ".join(ran.out.split())


@pytest.mark.parametrize(
    "raw", [b'{"a":' * 900 + b"1" + b"}" * 900, b"[" * 100_000, b'"\\ud800"', b"\xff", b"NaN", b"{}" * 2], ids=range(6)
)
def test_sandbox_survives_rubbish(client: httpx.Client, raw: bytes) -> None:
    """Deep, broken and unspeakable JSON is 400 like any bad request, and the list of calls can still be read."""
    answer = client.post(MAILBOXES, content=raw, headers={"content-type": "application/json"})

    assert (answer.status_code, answer.json()) == (400, {"error": "bad request"})
    assert client.get("/_sandbox/calls").status_code == 200


def test_sandbox_bodies_must_be_announced_as_json(client: httpx.Client) -> None:
    """Data must be of content type application/json (migadu-api.txt, API Requests); a charset may follow."""
    raw = json.dumps(ADA).encode()

    form = client.post(MAILBOXES, content=raw, headers={"content-type": "application/x-www-form-urlencoded"})
    charset = client.post(MAILBOXES, content=raw, headers={"content-type": "application/json; charset=utf-8"})

    assert (form.status_code, charset.status_code) == (400, 200)


@pytest.mark.parametrize("path", ["%ff", "%zz", "a%00b", "a%2Fb", "%E2%82%AC", ".."])
def test_sandbox_says_404_to_strange_paths(serving: RunningSandbox, path: str) -> None:
    """A key that no object can have, however it is encoded, is the key of none: 404 (migadu-behaviour.md 2.4)."""
    with socket.create_connection(("127.0.0.1", httpx.URL(serving.url).port or 0)) as talk:
        lines = [f"GET {MAILBOXES}/{path} HTTP/1.1", "host: x", f"authorization: {_basic()}", "connection: close"]
        talk.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = talk.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 404 ")
    assert answer.endswith(b'{"error":"not found"}')


def test_sandbox_answers_head_as_get_without_the_body(client: httpx.Client) -> None:
    """HEAD is GET without the body, as everywhere in HTTP; OPTIONS is a method that Migadu does not have."""
    shown, head = client.get(MAILBOXES), client.head(MAILBOXES)

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == shown.headers["content-length"]
    assert client.options(MAILBOXES).status_code == 404


def test_sandbox_command_serves_a_seed_file(tmp_path: Path) -> None:
    """`mailroster sandbox` needs nothing but itself: it loads a seed, answers, and ends with 0 on SIGTERM."""
    shell = Shell(tmp_path)
    shell.write(
        "seed.json", '{"domains": [{"name": "example.net", "aliases": [{"local_part": "a", "destinations": "b"}]}]}'
    )

    options = ("--port", "0", "--seed", "seed.json", "--latency", "0-0.01", "--rate-limit", "1/60", "--block", "0")
    with shell.staying("sandbox", *options, until="sandbox at") as sandbox:
        url = sandbox.out.split("sandbox at ")[1].split("/v1")[0]
        alias = httpx.get(f"{url}/v1/domains/example.net/aliases/a", auth=CREDENTIALS)
        limited = httpx.get(f"{url}/v1/domains", auth=CREDENTIALS)
        code = sandbox.end()

    assert alias.json()["destinations"] == ["b@example.net"]
    assert limited.status_code == 403
    assert code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--latency", "2-1"], 2, "the lower first"),
        (["--block", "-1"], 2, "--block"),
        (["--seed", "nowhere.json"], 2, "nowhere.json"),
        (["--seed", "bad.json"], 1, "bad.json: domains[0]: the name is missing"),
        (["--seed", "broken.json"], 1, "broken.json: this is not JSON (line 2, column 15: Expecting value)"),
        (["--seed", "empty.json"], 1, "empty.json: this is empty"),
    ],
)
def test_sandbox_command_refuses_bad_options(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    """What cannot be is told in one sentence that names it, before anything is served."""
    shell = Shell(tmp_path)
    shell.write("bad.json", '{"domains": [{}]}')
    shell.write("broken.json", '{\n  "domains": [,]}')
    shell.write("empty.json", "")

    ran = shell.run("sandbox", "--port", "0", *arguments)

    assert ran.code == code
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert ran.out == ""


def _basic() -> str:
    return httpx.BasicAuth(*CREDENTIALS)._auth_header
