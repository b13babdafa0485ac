"""The sandbox's end, and what it never says: calls under way, idle connections, rubbish."""

import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.integration.shell import Shell, Staying
from worker.sandbox import RunningSandbox

CREDENTIALS = ("admin@example.org", "sandbox-key")
SLOW = [{"fault": "latency", "seconds": 60}]
PROMPTLY_S = 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("latency", ["60", "0"], ids=["latency", "fault"])
def test_sandbox_stops_promptly_with_calls_under_way(tmp_path: Path, number: signal.Signals, latency: str) -> None:
    """A signal closes every connection without an answer, ends with 0, and nothing is logged."""
    shell = Shell(tmp_path)
    with shell.staying("sandbox", "--port", "0", "--latency", latency, until="sandbox at") as sandbox:
        url = _url(sandbox)
        if latency == "0":
            httpx.post(f"{url}/_sandbox/faults", json=SLOW).raise_for_status()
        with ThreadPoolExecutor(4) as pool, _half_a_call(url) as half:
            calls = [pool.submit(_call, url) for _ in range(3)]
            _until(lambda: len(httpx.get(f"{url}/_sandbox/calls").json()["calls"]) == 4)
            started = time.monotonic()
            code = sandbox.end(number)
            took_s = time.monotonic() - started
            answers = [call.result() for call in calls]
            rest = _rest(half)

    assert code == 0
    assert took_s < PROMPTLY_S
    assert answers == ["no answer"] * 3
    assert rest == b""
    assert (tmp_path / "sandbox.err").read_text() == ""


def test_sandbox_in_a_thread_stops_promptly_too(caplog: pytest.LogCaptureFixture) -> None:
    """The end of the block does not wait for calls either, and nothing is logged."""
    with ThreadPoolExecutor(1) as pool:
        with RunningSandbox(latency_s=60.0) as sandbox:
            call = pool.submit(_call, sandbox.url)
            _until(lambda: len(httpx.get(f"{sandbox.url}/_sandbox/calls").json()["calls"]) == 1)
            started = time.monotonic()
        took_s = time.monotonic() - started
        answer = call.result()

    assert answer == "no answer"
    assert took_s < PROMPTLY_S
    assert [record.getMessage() for record in caplog.records if record.name.startswith("uvicorn")] == []


def test_sandbox_logs_nothing_of_rubbish(caplog: pytest.LogCaptureFixture) -> None:
    """What is no HTTP is 400, a WebSocket's beginning is a call like any other, and neither is a line in the log."""
    upgrade = b"GET /v1/domains HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    with RunningSandbox() as sandbox:
        rubbish = _talk(sandbox.url, b"\x16\x03\x01 hello\r\n\r\n")
        websocket = _talk(sandbox.url, upgrade + b"sec-websocket-version: 13\r\nsec-websocket-key: eA==\r\n\r\n")

    assert rubbish.startswith(b"HTTP/1.1 400 ")
    assert websocket.startswith(b"HTTP/1.1 401 ")
    assert [record.getMessage() for record in caplog.records if record.name.startswith("uvicorn")] == []


def test_sandbox_keeps_an_idle_connection() -> None:
    """A client may pause longer between two calls of one connection than the 5 s after which uvicorn would close it."""
    call = b"HEAD /v1/domains HTTP/1.1\r\nhost: x\r\n\r\n"
    with RunningSandbox() as sandbox, socket.create_connection(("127.0.0.1", _port(sandbox.url)), timeout=6) as talk:
        talk.sendall(call)
        first = talk.recv(4096)
        with pytest.raises(TimeoutError):  # and not the empty bytes of a connection that was closed
            talk.recv(1)
        talk.sendall(call)
        second = talk.recv(4096)

    assert first.partition(b"\r\n")[0] == second.partition(b"\r\n")[0] == b"HTTP/1.1 401 Unauthorized"


def test_sandbox_forgets_a_call_whose_body_never_came() -> None:
    """A client that hangs up in the middle of its body has asked for nothing, and the list of calls says so."""
    with RunningSandbox() as sandbox:
        _half_a_call(sandbox.url).close()

        def last() -> dict[str, object]:
            calls: list[dict[str, object]] = httpx.get(f"{sandbox.url}/_sandbox/calls").json()["calls"]
            return calls[-1] if calls else {"reason": None}

        _until(lambda: last()["reason"] is not None)
        shown = last()

    assert (shown["status"], shown["reason"]) == (None, "the client hung up before its body was there")


def _call(url: str) -> str:
    try:
        return str(httpx.get(f"{url}/v1/domains", auth=CREDENTIALS, timeout=60).status_code)
    except httpx.TransportError:
        return "no answer"


def _half_a_call(url: str) -> socket.socket:
    talk = socket.create_connection(("127.0.0.1", _port(url)), timeout=60)
    talk.sendall(b"POST /v1/domains HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
    return talk


def _talk(url: str, said: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", _port(url)), timeout=60) as talk:
        talk.sendall(said)
        return talk.recv(4096)


def _rest(talk: socket.socket) -> bytes:
    try:
        return talk.recv(4096)
    except ConnectionResetError:
        return b""


def _port(url: str) -> int:
    return httpx.URL(url).port or 0


def _url(sandbox: Staying) -> str:
    return sandbox.out.split("sandbox at ")[1].split("/v1")[0]


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
