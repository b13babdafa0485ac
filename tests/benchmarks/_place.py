"""A whole deployment for a benchmark: real processes around a mail host, a database and a broker that are its own.

Two profiles are measured: ``postgresql`` is ``serve`` and two ``worker`` on PostgreSQL and RabbitMQ; ``embedded`` is
``up`` on SQLite and ``memory://``. What this process itself tells rings no bell: the workers' sweeps find it.
"""

import json
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from tests.benchmarks.sandbox import _get, _server
from tests.end_to_end.installation import Installation, event, wait_until
from tests.end_to_end.rabbit import Node
from tests.servers import POSTGRES, fresh_database, usable_url
from worker.deployment import Deployment
from worker.execution import run_next
from worker.intake import accept, apply_next
from worker.settings import load_settings
from worker.store import schema
from worker.store.database import Session
from worker.store.states import EventState
from worker.store.tables import EventRow, JobRow, PersonRow

PROFILES = ("postgresql", "embedded")
DEPARTMENTS, THREADS, PROCESSES = 12, 8, 2
PATIENCE_S = 1_200.0
POLICY = """
[organisation]
domain = "example.org"

[joining]
credential = "random"

[brakes]
block = { floor = 100000, share = 1.0, per = "24h" }
immediate = { floor = 100000, share = 1.0, per = "1h" }
""" + "".join(
    f'[[groups]]\naddress = "dept{number}"\nmembers = {{ department = "Dept {number}" }}\n'
    for number in range(DEPARTMENTS)
)
_SOURCES = '[sources.hr]\nkind = "standard-webhooks"\nsecret_file = "hr.key"\nprecedence = 10\ncreates = true\n'
_BATCH = 100
_ACCEPTED = select(func.count()).select_from(EventRow).where(EventRow.state == EventState.ACCEPTED)


@dataclass(frozen=True, slots=True)
class MailHost:
    """A sandbox in a process of its own."""

    url: str

    @property
    def api_url(self) -> str:
        """Where Migadu's API begins."""
        return f"{self.url}/v1"

    def calls(self, *, since: int = 0) -> list[dict[str, Any]]:
        """Return the calls it received, in order of arrival, without the first ones."""
        calls: list[dict[str, Any]] = json.loads(_get(f"{self.url}/_sandbox/calls"))["calls"]
        return calls[since:]


@dataclass(frozen=True, slots=True)
class Place:
    """One deployment, its processes not started."""

    profile: str
    host: MailHost
    broker_url: str
    installation: Installation
    deployment: Deployment
    """The same deployment in this process, with a silent bell."""

    @property
    def processes(self) -> int:
        """How many worker processes share the threads: as many as there are cores, where there can be several."""
        return 1 if self.profile == "embedded" else PROCESSES

    @contextmanager
    def working(self) -> Iterator[None]:
        """Run the workers (``up`` where all is in one process), and end them as an administrator does."""
        install = self.installation
        embedded = self.profile == "embedded"
        running = [install.start_serving("up")] if embedded else [install.start("worker") for _ in range(PROCESSES)]
        try:
            yield
        finally:
            for process in running:
                process.send_signal(signal.SIGTERM)
            for process in running:
                process.wait(60)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Run the worker, and HTTP beside it."""
        with ExitStack() as running:
            running.enter_context(self.working())
            if self.profile != "embedded":
                self.installation.start_serving()
            yield

    def tell(self, documents: Sequence[dict[str, object]]) -> None:
        """Accept events, without applying them."""
        for begin in range(0, len(documents), _BATCH):
            accept(self.deployment.intake, "hr", documents[begin : begin + _BATCH])

    def apply_all(self) -> None:
        """Apply what was accepted; no job is run."""
        while apply_next(self.deployment.intake):
            pass

    def drain(self) -> None:
        """Apply and run until neither finds anything to do."""
        while apply_next(self.deployment.intake) or run_next(self.deployment.execution):
            pass

    def read(self, question: Any) -> Any:
        """Return what the database answers to a question for one value."""
        with self.deployment.database.read() as session:
            return session.scalar(question)

    def is_settled(self) -> bool:
        """No event waits, nobody is due and no job is outstanding."""
        with self.deployment.database.read() as session:
            return not _is_open(session)

    def wait_until_settled(self) -> None:
        """Return once everything that was told is done."""
        wait_until(self.is_settled, PATIENCE_S)


@contextmanager
def placed(profile: str, *, latency_s: float = 0.0, policy: str = POLICY, **settings: str) -> Iterator[Place]:
    """Install one profile on servers of its own. Raises ServerMissing."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        embedded = profile == "embedded"
        host = stack.enter_context(mail_host(latency_s))
        broker_url = "memory://" if embedded else stack.enter_context(broker(directory / "broker"))
        database_url = f"sqlite:///{directory}/mailroster.db"
        if not embedded:
            database_url = stack.enter_context(fresh_database(usable_url(POSTGRES)))
        schema.upgrade(database_url)
        installation = _installation(directory, host, database_url, broker_url, settings)
        (directory / "policy.toml").write_text(policy)
        stack.callback(installation.stop_all)
        variables = installation.environment | {
            "MAILROSTER_POLICY": str(directory / "policy.toml"),
            "MAILROSTER_SOURCES": str(directory / "sources.toml"),
        }
        deployment = stack.enter_context(closing(Deployment(load_settings(variables))))
        deployment.begin_work()
        yield Place(profile, host, broker_url, installation, deployment)


@contextmanager
def mail_host(latency_s: float) -> Iterator[MailHost]:
    """Run a mail host that has no limit of its own."""
    command = [sys.executable, "-m", "worker", "sandbox", "--rate-limit", "off", "--latency", f"{latency_s}", "--port"]
    with _server(command, "/_sandbox/faults") as url:
        yield MailHost(url)


@contextmanager
def broker(directory: Path) -> Iterator[str]:
    """Run a RabbitMQ node that nobody else uses."""
    directory.mkdir()
    node = Node(directory)
    try:
        node.start()
        yield node.url
    finally:
        node.kill()


def begin(place: Place) -> None:
    """Have a first person join and the domain read for them, which no later joiner pays for."""
    place.tell([event("joined", "founder", givenName="First", familyName="Founder")])
    place.drain()


def joined(number: int) -> dict[str, object]:
    """Return the event of somebody who joins one of the departments."""
    return event(
        "joined",
        f"E{number}",
        givenName=f"Given{number}",
        familyName=f"Family{number}",
        personalEmail=f"e{number}@home.example",
        department=f"Dept {number % DEPARTMENTS}",
    )


def _installation(
    directory: Path, host: MailHost, database_url: str, broker_url: str, settings: dict[str, str]
) -> Installation:
    processes = 1 if broker_url.startswith("memory") else PROCESSES
    of_all = {"MAILROSTER_WORKER_THREADS": str(THREADS // processes), "MAILROSTER_CLOCK": "PT0S"}
    made = Installation(directory, host, database_url, broker_url, of_all | settings)
    (directory / "hr.key").write_text(made.secret)
    (directory / "sources.toml").write_text(_SOURCES)
    return made


def _is_open(session: Session) -> bool:
    outstanding = select(func.count()).select_from(JobRow).where(JobRow.finished_at.is_(None))
    due = select(func.count()).select_from(PersonRow).where(PersonRow.next_change_at <= datetime.now(UTC))
    return any(session.scalar(question) for question in (_ACCEPTED, outstanding, due))
