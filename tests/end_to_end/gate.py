"""A gate before the mail host, in the test's hand: calls pass through it, and at one of them something happens."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from signal import SIGKILL, Signals
from types import TracebackType
from typing import Self

from worker.sandbox import RunningSandbox

_DEADLINE_S = 60.0
_OURS = ("host", "connection", "content-length", "transfer-encoding", "date", "server")


class Where(StrEnum):
    """Where, around a call, it happens."""

    LOST = "before the call, which never arrives"
    UNANSWERED = "after the call, whose answer never arrives"
    ANSWERED = "after the answer"
    UNDER_WAY = "before the call, which arrives and is answered"


@dataclass(frozen=True, slots=True)
class Point:
    """One of the calls, and where around it who makes it is sent which signals."""

    number: int
    """From 0 on."""
    where: Where
    by: tuple[Signals, ...] = (SIGKILL,)

    def __str__(self) -> str:
        return f"{' and '.join(each.name for each in self.by)} {self.where} (call {self.number})"


class Gate:
    """Listens on a port of its own and passes calls on to a sandbox; a context manager."""

    def __init__(self, sandbox: RunningSandbox, point: Point | None = None, then: Callable[[], None] | None = None):
        """At the point ``then`` is called in the thread of that call; ``begun`` is set before, ``reached`` after."""
        self._target = sandbox.url.partition("//")[2]
        self._point, self._then = point, then
        self._lock = threading.Lock()
        self.calls = 0
        self.begun, self.reached = threading.Event(), threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def api_url(self) -> str:
        """Where Migadu's API begins, seen through the gate."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def pass_on(self, call: BaseHTTPRequestHandler) -> None:
        """Pass a call on and its answer back, but for what happens at the point."""
        with self._lock:
            here = self._point.where if self._point is not None and self._point.number == self.calls else None
            self.calls += 1
        body = call.rfile.read(int(call.headers.get("content-length", 0)))
        if here in (Where.LOST, Where.UNDER_WAY):
            self._happen()
        if here is Where.LOST:
            return
        connection = HTTPConnection(self._target, timeout=_DEADLINE_S)
        try:
            headers = {name: value for name, value in call.headers.items() if name.lower() not in _OURS}
            connection.request(call.command, call.path, body=body or None, headers=headers)
            answer = connection.getresponse()
            told = answer.read()
        finally:
            connection.close()
        if here is not Where.UNANSWERED:
            with suppress(OSError):  # who asked may be dead
                _answer(call, answer, told)
        if here in (Where.UNANSWERED, Where.ANSWERED):
            self._happen()

    def _happen(self) -> None:
        self.begun.set()
        if self._then is not None:
            self._then()
        self.reached.set()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        gate = self

        class Handler(BaseHTTPRequestHandler):
            """A connection for each call, so that none is used that the other side is about to close."""

            def _any(self) -> None:
                gate.pass_on(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _any  # noqa: N815 - the names of the standard library

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the same
                """Say nothing."""

        return Handler


def _answer(call: BaseHTTPRequestHandler, answer: HTTPResponse, told: bytes) -> None:
    call.send_response_only(answer.status)
    for name, value in answer.getheaders():
        if name.lower() not in _OURS:
            call.send_header(name, value)
    call.send_header("content-length", str(len(told)))
    call.end_headers()
    call.wfile.write(told)
    call.wfile.flush()
