"""The HTTP server as a process's part: starting, stopping, and the deployment that the other tests of HTTP talk to."""

import base64
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from pydantic import SecretStr
from sqlalchemy import text

from worker.deployment import Deployment
from worker.settings import Settings
from worker.sources.presets import STANDARD_WEBHOOKS
from worker.sources.signature import sign
from worker.store.tokens import Role, create_token
from worker.web import problems
from worker.web import server as web_server
from worker.web.app import create_app
from worker.web.bodies import BodyLimit
from worker.web.server import RunningServer, serve

SECRET, OLD_SECRET, FOREIGN_SECRET = (
    SecretStr("whsec_" + base64.b64encode(bytes([number]) * 32).decode()) for number in (1, 2, 3)
)
SOURCES = """
[sources.hr]
kind = "standard-webhooks"
secret_file = ["new.secret", "old.secret"]
precedence = 10
creates = true
"""
POLICY = """
[organisation]
domain = "example.org"
timezone = "Europe/Berlin"

[naming]
patterns = ["{given}.{family}"]

[joining]
credential = "invitation"
"""

on_sqlite = pytest.mark.parametrize("engine", ["sqlite"])
"""For what no query decides."""


@dataclass
class CountingBell:
    """A bell that counts its rings."""

    applies: int = 0
    runs: int = 0
    hydrations: int = 0

    def ring_apply(self) -> None:
        """Count."""
        self.applies += 1

    def ring_run(self) -> None:
        """Count."""
        self.runs += 1

    def ring_hydrate(self) -> None:
        """Count."""
        self.hydrations += 1


@dataclass
class Office:
    """A deployment that is served, and a client that talks to it."""

    deployment: Deployment
    http: httpx.Client
    url: str
    bell: CountingBell
    _numbers: Iterator[int] = field(default_factory=lambda: iter(range(1_000_000)))

    def deliver(self, told: object, *, secret: SecretStr = SECRET, **changed: Any) -> httpx.Response:
        """Send a signed delivery to `hr`; `changed` overrides what httpx is given."""
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        headers = sign(STANDARD_WEBHOOKS, body, secret, self.deployment.clock.now(), f"msg-{next(self._numbers)}")
        given = {"content": body} | changed
        given["headers"] = {"content-type": "application/json"} | headers | changed.get("headers", {})
        return self.http.post("/hooks/hr", **given)

    def token(self, role: Role, source: str | None = None) -> dict[str, str]:
        """Return the header that carries a new token."""
        with self.deployment.database.write() as session:
            made = create_token(session, role, source, self.deployment.clock.now())
        return {"authorization": f"Bearer {made}"}

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        with self.deployment.database.read() as session:
            return session.scalars(text(f"select count(*) from {table}")).one()

    def execute(self, statement: str) -> None:
        """Do something to the database behind the application's back."""
        with self.deployment.database.write() as session:
            session.execute(text(statement))


@contextmanager
def served(
    database_url: str, directory: Path, broker_answers: Callable[[], bool] | None = None, sources: str = SOURCES
) -> Iterator[Office]:
    """Serve a deployment with the source `hr`, or with others, on a database."""
    (directory / "new.secret").write_text(SECRET.get_secret_value())
    (directory / "old.secret").write_text(OLD_SECRET.get_secret_value())
    (directory / "sources.toml").write_text(sources)
    (directory / "policy.toml").write_text(POLICY)
    bell = CountingBell()
    settings = Settings(
        database_url=SecretStr(database_url), sources=directory / "sources.toml", policy=directory / "policy.toml"
    )
    with (
        closing(Deployment(settings, bell)) as deployment,
        RunningServer(create_app(deployment, broker_answers=broker_answers)) as running,
        httpx.Client(base_url=running.url, timeout=30) as http,
    ):
        yield Office(deployment, http, running.url, bell)


def joined(number: int = 1, **facts: object) -> dict[str, Any]:
    """Return a canonical event of somebody who joins."""
    return {
        "specversion": "1.0",
        "id": f"evt-{number}",
        "source": "urn:example:hr",
        "type": "person.joined",
        "subject": f"E{number}",
        "time": "2026-11-20T09:00:00Z",
        "data": {"givenName": "Ada", "familyName": "Lovelace", "personalEmail": "ada@home.example"} | facts,
    }


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Return the problem of an answer with that status."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    told: dict[str, Any] = answer.json()
    assert told["status"] == status
    assert told["title"]
    assert told["detail"]
    return told


@on_sqlite
def test_a_port_that_is_taken_is_an_error_at_once(migrated_url: str, tmp_path: Path) -> None:
    """Whoever starts a second server on a port is told so before anything runs."""
    with served(migrated_url, tmp_path) as office:
        port = httpx.URL(office.url).port
        assert port

        with pytest.raises(OSError, match="in use"), RunningServer(create_app(office.deployment), port=port):
            pass


@on_sqlite
def test_a_sender_that_hangs_up_in_the_middle_of_a_body_leaves_nothing(
    migrated_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A body whose end never comes is not accepted, raises no alarm, and the next delivery is."""
    with served(migrated_url, tmp_path) as office:
        url = httpx.URL(office.url)
        with socket.create_connection((url.host, url.port or 0), timeout=10) as connection:
            connection.sendall(
                b"POST /hooks/hr HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b'Content-Length: 500\r\n\r\n{"specversion":'
            )
        answer = office.deliver(joined())

        assert answer.status_code == 202
        assert office.count("events") == 1
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_body_that_does_not_arrive_in_time_is_given_up() -> None:
    """A sender that stops in the middle and stays connected is answered, and holds nothing for ever."""
    app = FastAPI()
    app.add_middleware(BodyLimit, time_s=0.2)
    problems.install(app)

    @app.post("/")
    async def read(request: Request) -> int:
        return len(await request.body())

    with RunningServer(app) as running:
        url = httpx.URL(running.url)
        with socket.create_connection((url.host, url.port or 0), timeout=10) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{")
            answer = connection.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"the body did not arrive within 0.2 seconds" in answer


@on_sqlite
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_finishes_the_requests_in_hand(number: signal.Signals, migrated_url: str, tmp_path: Path) -> None:
    """A request that waits for the database when the signal comes is answered, and `serve` returns."""
    asked, may_go_on = threading.Event(), threading.Event()

    def slow_broker() -> bool:
        asked.set()
        return may_go_on.wait(10)

    answers: list[httpx.Response] = []

    def talk(url: str) -> None:
        with httpx.Client(base_url=url, timeout=10) as http:
            waiting = threading.Thread(target=lambda: answers.append(http.get("/readyz")))
            waiting.start()
            asked.wait(10)
            os.kill(os.getpid(), number)
            may_go_on.set()
            waiting.join()

    threads: list[threading.Thread] = []

    def announce(url: str) -> None:
        threads.append(threading.Thread(target=talk, args=(url,)))
        threads[0].start()

    settings = Settings(database_url=SecretStr(migrated_url), sources=tmp_path / "none.toml")
    before = signal.getsignal(number)
    with closing(Deployment(settings)) as deployment:
        serve(create_app(deployment, broker_answers=slow_broker), port=0, announce=announce)
        threads[0].join(10)

    assert [answer.status_code for answer in answers] == [200]
    assert signal.getsignal(number) == before


def test_the_address_of_an_ipv6_host_stands_in_brackets() -> None:
    """What is announced can be pasted into a browser."""
    assert web_server._url("::1", 8025) == "http://[::1]:8025"
