"""A vendor of records, as a real HTTP server: it holds people, and misbehaves as it is told."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

KEY = "Bearer vendor-secret-0815"

Fault = Callable[[BaseHTTPRequestHandler], None]
"""Answers a request in its own way."""


@dataclass
class Vendor:
    """What the vendor holds and heard. Tests change it at any time."""

    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    """Each is used up by one request, before the vendor answers as it should."""
    always: Fault | None = None
    asked: list[str] = field(default_factory=list)
    """The paths of the requests."""
    most_at_once: int = 0
    port: int = 0
    before_answer: Callable[[str], None] = lambda _subject: None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _now: int = 0

    @property
    def url(self) -> str:
        """What goes into ``hydrate.url``."""
        return f"http://127.0.0.1:{self.port}/people/{{subject}}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        with self._lock:
            self.asked.append(request.path)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            fault = self.faults.pop(0) if self.faults else self.always
        try:
            (fault or self._record)(request)
        finally:
            with self._lock:
                self._now -= 1

    def _record(self, request: BaseHTTPRequestHandler) -> None:
        subject = unquote(request.path.removeprefix("/people/"))
        record = dict(self.records[subject]) if subject in self.records else None
        self.before_answer(subject)
        if request.headers.get("Authorization") != KEY:
            send(request, 401, {"error": "who are you?"})
        elif record is None:
            send(request, 404, {"error": "nobody"})
        else:
            send(request, 200, {"data": record})


def send(request: BaseHTTPRequestHandler, status: int, told: object, headers: dict[str, str] | None = None) -> None:
    """Answer with JSON, or with bytes as they are."""
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    for name, value in (headers or {}).items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)


def answering(status: int, told: object = None, **headers: str) -> Fault:
    """Return a fault that answers so."""
    return lambda request: send(request, status, told or {}, {k.replace("_", "-"): v for k, v in headers.items()})


@contextmanager
def vending() -> Iterator[Vendor]:
    """Run a vendor."""
    vendor = Vendor()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            vendor.answer(self)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that hangs up is what the test wants."""

    server = Server(("127.0.0.1", 0), Handler)
    vendor.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield vendor
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
