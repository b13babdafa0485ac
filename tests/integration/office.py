"""An office for a test: a deployment without Celery on a real database, a real sandbox, and a clock to move."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text, update

from tests.end_to_end.installation import wait_until
from worker.bell import SilentBell
from worker.events import EventType
from worker.execution import Execution, run_next
from worker.intake import Intake, Receipt, accept, activate_policy, apply_next
from worker.migadu import Hooks, MigaduClient, ThreadClients
from worker.sandbox import RunningSandbox
from worker.store.budget import CallBudget, CallLimit
from worker.store.database import Database
from worker.store.holds import Hold, list_holds
from worker.store.states import JobState
from worker.store.tables import AttemptRow, EventRow, JobRow, PersonRow, StepRow
from worker.wire import trusted

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY = timedelta(days=1)
USER, KEY = "admin@example.org", "sandbox-key"
PASSWORD = "only-in-this-test-0123456789"
POLICY = """
[organisation]
domain = "example.org"
timezone = "UTC"

[[groups]]
address = "engineering"
members = { department = "Engineering" }

[[groups]]
address = "support"
members = { department = "Support" }
"""
ON_POSTGRESQL = pytest.mark.parametrize(
    "engine", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
"""For what cannot happen on SQLite, whose writers exclude each other from the beginning of a transaction."""
_MOST_ROUNDS = 2_000
_numbers = count(1)


class MovableClock:
    """Tells the time that the test has set."""

    def __init__(self) -> None:
        self.instant = MONDAY

    def now(self) -> datetime:
        """Return the set instant."""
        return self.instant


class Office:
    """Everything of one deployment that a test drives and looks at."""

    def __init__(self, database: Database, sandbox: RunningSandbox, *, policy: str | None = POLICY) -> None:
        self.database, self.clock = database, MovableClock()
        self.url, self.key = sandbox.api_url, KEY
        self._control = httpx.Client(base_url=sandbox.url, verify=trusted())
        self._control.post("/_sandbox/reset").raise_for_status()
        self.clients = ThreadClients()
        self.intake = Intake(database, self.clock, SilentBell(), {"hr": 10, "it": 5}, {"hr"})
        self.execution = Execution(
            database=database,
            clock=self.clock,
            bell=SilentBell(),
            precedence={"hr": 10, "it": 5},
            connect=self._connect,
            worker="first",
            random_password=lambda: PASSWORD,
            budget=self.budget(None),
            sleep=lambda seconds: self.move(timedelta(seconds=seconds)),
        )
        if policy is not None:
            self.activate(policy)

    def _connect(self, hooks: Hooks) -> MigaduClient:
        return MigaduClient(self.url, USER, self.key, http=self.clients.client(), hooks=hooks)

    def close(self) -> None:
        """Close every connection."""
        self._control.close()
        self.clients.close()

    def activate(self, body: str) -> None:
        """Make a policy the active one."""
        with self.database.write() as session:
            activate_policy(session, body, self.clock.now())

    def colleague(self, name: str = "second", **more: Any) -> Execution:
        """Return the execution room of another worker process on the same database."""
        return replace(self.execution, worker=name, **more)

    def budget(self, limit: CallLimit | None) -> CallBudget:
        """Return a call budget that goes by the test's clock."""
        return CallBudget(limit, clock=lambda _: self.clock.now())

    def limited(self, limit: CallLimit) -> None:
        """Begin to work with a call limit."""
        self.execution = replace(self.execution, budget=self.budget(limit))
        with self.database.write() as session:
            self.execution.budget.fit(session)

    # What happens to people.

    def tell(self, type_: str, subject: str, *, source: str = "hr", **more: Any) -> Receipt:
        """Accept one event, without applying it. ``id`` and ``time`` may be given; the rest is its data."""
        (receipt,) = accept(self.intake, source, [self.event(type_, subject, **more)])
        return receipt

    def event(self, type_: str, subject: str, **more: Any) -> dict[str, object]:
        """Return an event's document; its time is the clock's unless one is given."""
        id_ = more.pop("id", None) or f"evt-{next(_numbers):06}"  # in order, for ids break ties of time
        at: datetime = more.pop("time", None) or self.clock.now()
        return {
            "specversion": "1.0",
            "id": id_,
            "source": "urn:example:hr",
            "type": str(EventType(f"person.{type_}")),
            "subject": subject,
            "time": at.isoformat(),
            "data": more,
        }

    def join(self, subject: str, name: str, **more: Any) -> Receipt:
        """Tell that somebody joined, with the facts that an invitation needs."""
        given, _, family = name.partition(" ")
        facts = {"givenName": given, "familyName": family or None, "personalEmail": f"{subject.lower()}@home.example"}
        return self.tell("joined", subject, **(facts | more))

    def employ(self, *names: str, **more: Any) -> None:
        """Have people join as E1, E2, ... and work everything off."""
        for number, name in enumerate(names, 1):
            self.join(f"E{number}", name, **more)
        self.drain()

    def move(self, by: timedelta) -> None:
        """Move the clock."""
        self.clock.instant += by

    # Work.

    def apply_all(self) -> None:
        """Apply until nothing is left to apply."""
        _until_false(lambda: apply_next(self.intake))

    def run_all(self, execution: Execution | None = None) -> None:
        """Run jobs until none is due."""
        _until_false(lambda: run_next(execution or self.execution))

    def wait_for_a_waiter(self) -> None:
        """Return once somebody waits for an advisory lock of PostgreSQL."""
        waiting = text("select count(*) from pg_locks where locktype = 'advisory' and not granted")

        def is_there() -> bool:
            with self.database.read() as session:
                return bool(session.scalar(waiting))

        wait_until(is_there)

    def drain(self) -> None:
        """Apply and run until neither finds anything to do."""
        _until_false(lambda: apply_next(self.intake) or run_next(self.execution))

    def work_on(self, for_: timedelta, every: timedelta = timedelta(minutes=1)) -> None:
        """Move the clock on in steps and work at each."""
        until = self.clock.now() + for_
        while self.clock.now() < until:
            self.move(every)
            self.drain()

    # What the mail host holds.

    def seed(
        self, *, mailboxes: tuple[Mapping[str, Any], ...] = (), aliases: tuple[Mapping[str, Any], ...] = ()
    ) -> None:
        """Load the host with what was there before us."""
        shown = [{name: value for name, value in box.items() if name != "password"} for box in mailboxes]
        domain = {"name": "example.org", "mailboxes": shown, "aliases": aliases, "rewrites": []}
        self._control.post("/_sandbox/seed", json={"domains": [domain]}).raise_for_status()

    def seed_domains(self, *names: str) -> None:
        """Load the host with these domains, all of them empty."""
        domains = [{"name": name, "mailboxes": [], "aliases": [], "rewrites": []} for name in names]
        self._control.post("/_sandbox/seed", json={"domains": domains}).raise_for_status()

    def host(self, method: str, path: str, **body: Any) -> httpx.Response:
        """Make a call as an administrator would, beside us."""
        with httpx.Client(auth=(USER, KEY), verify=trusted()) as client:
            url = f"{self.url}/domains/example.org/{path}"
            return client.request(method, url, json=body or None).raise_for_status()

    def deactivate(self) -> None:
        """Have the account's domain be one whose mail is not handled yet, with all that it holds."""
        state = self._control.get("/_sandbox/state").json()
        state["domains"][0]["state"] = "inactive"
        self.put_state(state)

    def whole_state(self) -> dict[str, Any]:
        """Return all that the host holds, as it can be loaded again (`contracts.md` 7)."""
        state: dict[str, Any] = self._control.get("/_sandbox/state").json()
        return state

    def hold_state(self, state: Mapping[str, Any]) -> None:
        """Have the host hold what it held once, and nothing else."""
        self._control.post("/_sandbox/reset").raise_for_status()
        self._control.post("/_sandbox/seed", json=state).raise_for_status()

    def put_state(self, state: Mapping[str, Any]) -> None:
        """Have the host hold this from now on, as if somebody beside us had changed what differs."""
        self._control.post("/_sandbox/seed", json=state).raise_for_status()

    def confirm(self, mailbox: str, address: str) -> None:
        """Open the confirmation of a forwarding."""
        sent = {"mailbox": mailbox, "address": address}
        self._control.post("/_sandbox/confirm", json=sent).raise_for_status()

    def fail(self, *faults: Mapping[str, Any]) -> None:
        """Have the host fail so, and not otherwise, from now on (`contracts.md` 7)."""
        self._control.post("/_sandbox/faults", json=list(faults)).raise_for_status()

    def move_to(self, sandbox: RunningSandbox) -> None:
        """Make calls to another sandbox from now on, which holds what this one holds."""
        state = self._control.get("/_sandbox/state").json()
        self._control.close()
        self._control = httpx.Client(base_url=sandbox.url, verify=trusted())
        self._control.post("/_sandbox/seed", json=state).raise_for_status()
        self.url = sandbox.api_url

    def mailboxes(self, domain: str = "example.org") -> dict[str, dict[str, Any]]:
        """Return the host's mailboxes by local part."""
        return {box["local_part"]: box for box in self._domain(domain)["mailboxes"]}

    def aliases(self, domain: str = "example.org") -> dict[str, set[str]]:
        """Return the host's aliases: local part to the local parts of its destinations."""
        return {
            alias["local_part"]: {each.partition("@")[0] for each in alias["destinations"]}
            for alias in self._domain(domain)["aliases"]
        }

    def rewrites(self) -> dict[str, tuple[str, set[str]]]:
        """Return the host's rewrites by name: the rule, and the local parts of its destinations."""
        return {
            each["name"]: (each["local_part_rule"], {full.partition("@")[0] for full in each["destinations"]})
            for each in self._domain()["rewrites"]
        }

    def identities(self, local_part: str) -> set[str]:
        """Return the local parts of a mailbox's identities."""
        return {identity["local_part"] for identity in self.mailboxes()[local_part]["identities"]}

    def doors(self, local_part: str) -> dict[str, bool]:
        """Return the flags by which the person of a mailbox gets in."""
        box = self.mailboxes()[local_part]
        return {
            door.removeprefix("may_").removeprefix("access_"): box[door]
            for door in ("may_send", "may_access_imap", "may_access_pop3", "may_access_managesieve")
        }

    def mail_state(self) -> dict[str, Any]:
        """Return what the host holds, times apart."""
        times = ("activated_at", "changed_at", "last_login_at")
        boxes = {
            local: {name: value for name, value in box.items() if name not in times}
            | {"identities": self.identities(local), "forwardings": [_timeless(each) for each in box["forwardings"]]}
            for local, box in self.mailboxes().items()
        }
        return {"mailboxes": boxes, "aliases": self.aliases()}

    def _domain(self, name: str = "example.org") -> dict[str, Any]:
        domains = self._control.get("/_sandbox/state").json()["domains"]
        return next(domain for domain in domains if domain["name"] == name)

    def call_log(self) -> list[dict[str, Any]]:
        """Return the calls that the host saw, in the order of their arrival (`contracts.md` 7)."""
        log: list[dict[str, Any]] = self._control.get("/_sandbox/calls").json()["calls"]
        return log

    def calls(self, *methods: str) -> list[tuple[str, str]]:
        """Return the calls that the host saw as (method, path below the domain)."""
        return [
            (call["method"], call["path"].partition("/example.org/")[2])
            for call in self.call_log()
            if not methods or call["method"] in methods
        ]

    def writes(self) -> list[tuple[str, str]]:
        """Return the calls that may have changed something."""
        return self.calls("POST", "PUT", "DELETE", "PATCH")

    def bodies(self, method: str, path: str) -> list[dict[str, Any]]:
        """Return the bodies of the calls of one kind, secrets redacted by the host."""
        return [
            call["body"] for call in self.call_log() if call["method"] == method and call["path"].endswith(f"/{path}")
        ]

    # What we remember.

    def jobs(self, *states: JobState) -> list[JobRow]:
        """Return the jobs, oldest first."""
        with self.database.read() as session:
            rows = session.scalars(select(JobRow).order_by(JobRow.id)).all()
        return [row for row in rows if not states or row.state in states]

    def outstanding(self) -> list[tuple[str, str, str | None]]:
        """Return (kind, state, reason) of the jobs that are not over."""
        return [(job.subject_kind, job.state.value, job.reason) for job in self.jobs() if job.finished_at is None]

    def job_of(self, person_id: int) -> JobRow:
        """Return a person's newest job."""
        return [job for job in self.jobs() if job.person_id == person_id][-1]

    def job_on(self, shared: str) -> JobRow:
        """Return the newest job of a shared address."""
        return [job for job in self.jobs() if job.subject_key == f"{shared}@example.org"][-1]

    def steps(self) -> list[StepRow]:
        """Return the call ledger."""
        with self.database.read() as session:
            return list(session.scalars(select(StepRow).order_by(StepRow.id)))

    def ledger(self) -> list[tuple[str, str]]:
        """Return the call ledger as (operation, state)."""
        return [(step.operation, step.state.value) for step in self.steps()]

    def attempts(self) -> list[AttemptRow]:
        """Return every request that was made, as we wrote it down."""
        with self.database.read() as session:
            return list(session.scalars(select(AttemptRow).order_by(AttemptRow.id)))

    def events(self) -> list[EventRow]:
        """Return the inbox."""
        with self.database.read() as session:
            return list(session.scalars(select(EventRow).order_by(EventRow.id)))

    def people(self) -> list[PersonRow]:
        """Return all people."""
        with self.database.read() as session:
            return list(session.scalars(select(PersonRow).order_by(PersonRow.id)))

    def hold(self) -> Hold:
        """Return the one open hold."""
        with self.database.read() as session:
            (hold,) = list_holds(session)
        return hold

    def let_leases_run_out(self) -> None:
        """Make every lease one that ran out; leases go by the database's clock, which no test moves."""
        with self.database.write() as session:
            session.execute(update(JobRow).where(JobRow.lease_until.is_not(None)).values(lease_until=MONDAY))

    def execute(self, statement: str, **values: Any) -> None:
        """Change the database behind everybody's back."""
        with self.database.write() as session:
            session.execute(text(statement), values)

    def total(self, row: type[Any]) -> int:
        """Return how many rows a table has."""
        with self.database.read() as session:
            return session.scalars(select(func.count()).select_from(row)).one()


def _timeless(forwarding: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**forwarding, "confirmed_at": forwarding["confirmed_at"] is not None, "confirmation_sent_at": None}


def _until_false(work: Callable[[], bool]) -> None:
    for _ in range(_MOST_ROUNDS):
        if not work():
            return
    raise AssertionError("there was always something to do: something loops")
