"""Scenarios played by worker processes on PostgreSQL and RabbitMQ, which are killed at points of the test's choice."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from signal import SIGTERM
from subprocess import Popen
from threading import Event
from typing import Any, Protocol

from sqlalchemy import func, make_url, select, update

from tests.crashes.bells import Bells
from tests.crashes.scene import At, Outcome, Scenario, outcome_of
from tests.end_to_end.gate import Gate, Point, Where
from tests.end_to_end.installation import Installation, installed, wait_until
from tests.integration.office import DAY, MONDAY, Office
from tests.servers import fresh_database
from worker.app import EVENTS_QUEUE
from worker.sandbox import RunningSandbox
from worker.store import workers
from worker.store.database import Database
from worker.store.states import EventState, JobState
from worker.store.tables import EventRow, JobRow, PersonRow

KILLS = (Where.LOST, Where.UNANSWERED, Where.ANSWERED)
_SOON = timedelta(hours=1)
_SETTLED_WITHIN_S = 120.0
_DIES_WITHIN_S = 20.0
_A_MOMENT_S = 0.3
DEAF = ("-A", "worker.app", "worker", f"--queues={EVENTS_QUEUE}")
"""Celery's command for a worker that takes nothing from the queues in which bells ring."""
TWICE = ("-A", "tests.crashes.twice", "worker")
"""Celery's command for a worker that rings each of its bells twice."""


class Broker(Protocol):
    """A broker of a test's own."""

    @property
    def url(self) -> str:
        """Where it listens."""

    def start(self) -> None:
        """Start, and return once it answers."""

    def kill(self) -> None:
        """End it at once."""


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a performance."""

    outcome: Outcome
    calls: int
    writes: Counter[tuple[str, str]]
    """The calls that may have changed something, as the host saw them."""
    ended: tuple[int, ...]
    """How each worker ended that got signals, as its exit status."""
    kept: tuple[int, ...]
    """How many jobs were leased still whenever nobody was left."""
    logs: str


@dataclass
class Crew:
    """The worker processes of one performance, and the gates through which they call the mail host."""

    installation: Installation
    office: Office
    running: ExitStack
    shift: timedelta
    """How far business time is from the machine's."""
    members: list[tuple[Popen[bytes], Gate]] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    """How many jobs were leased still whenever nobody was left."""

    def hire(self, point: Point | None = None, celery: tuple[str, ...] = ()) -> Gate:
        """Start a worker, by our command or by Celery's; at a point it gets its signals.

        Where it dies of them, what it had leased is over.
        """
        ends = self._stop if point and point.by == (SIGTERM,) else self._kill
        gate = self.running.enter_context(Gate(self.installation.sandbox, point, lambda: ends(worker, point)))
        self.installation.settings["MAILROSTER_MIGADU_URL"] = gate.api_url
        worker = self.installation.start(*(celery or ["worker"]), module="celery" if celery else "worker")
        self.members.append((worker, gate))
        return gate

    def move_to(self, at: datetime) -> None:
        """Have it be this time for everybody, unless it is later; it goes on from there."""
        self.shift = max(at, self.now()) - datetime.now(UTC)
        self.installation.move_clock(f"PT{self.shift.total_seconds():.6f}S".replace("PT-", "-PT"))

    def now(self) -> datetime:
        """Return the business time of the processes, which the office is told."""
        self.office.clock.instant = datetime.now(UTC) + self.shift
        return self.office.clock.instant

    @property
    def calls(self) -> int:
        """How many calls were made by all of them."""
        return sum(gate.calls for _, gate in self.members)

    @property
    def seen(self) -> int:
        """How many workers have swept."""
        with self.office.database.read() as session:
            return len(workers.alive(session))

    @property
    def anybody_works(self) -> bool:
        """Whether one of them still lives; who ended otherwise than by our hand fails the test."""
        return any([self._works(worker, gate) for worker, gate in self.members])  # noqa: C419 - each is looked at

    def _works(self, worker: Popen[bytes], gate: Gate) -> bool:
        if worker.poll() is None or gate.begun.is_set() > gate.reached.is_set():
            return True
        assert gate.reached.is_set(), f"it ended with {worker.poll()}: {self.installation.logs()}"
        return False

    def _stop(self, worker: Popen[bytes], _: Point | None) -> None:
        worker.send_signal(SIGTERM)
        wait_until(lambda: "Warm shutdown" in self.installation.logs())
        Event().wait(_A_MOMENT_S)  # it says so just before it does

    def _kill(self, worker: Popen[bytes], point: Point | None) -> None:
        for each in point.by if point else ():
            worker.send_signal(each)
        worker.wait(_DIES_WITHIN_S)
        self.let_leases_run_out(worker)

    def let_leases_run_out(self, worker: Popen[bytes]) -> list[int]:
        """Have the leases of a worker be over, which is dead or beyond the deadline of its call. Returns the jobs."""
        with self.office.database.write() as session:
            held = JobRow.lease_until.is_not(None) & JobRow.worker.contains(f"-{worker.pid}-")
            over = update(JobRow).where(held).values(lease_until=MONDAY).returning(JobRow.id)
            return list(session.scalars(over))


class RealStage:
    """Plays one scenario as often as wanted, each time from the same beginning, in processes."""

    def __init__(self, scenario: Scenario, directory: Path, broker: Broker, beginning: str) -> None:
        """``beginning`` is a PostgreSQL database as migrated, to which what was there before is added."""
        self._scenario, self._directory = scenario, directory
        self._broker, self._beginning = broker, beginning

    @cached_property
    def whole(self) -> Played:
        """What comes of it in one life."""
        return self.play()

    @cached_property
    def _before(self) -> tuple[dict[str, Any], datetime]:
        """What the mail host holds at the beginning, and when that is."""
        with (
            RunningSandbox() as sandbox,
            closing(Database(self._beginning)) as database,
            closing(Office(database, sandbox, policy=self._scenario.policy)) as office,
        ):
            for step in self._scenario.before:
                step(office)
            return office.whole_state(), office.clock.instant

    def play(
        self,
        *points: Point | None,
        celery: tuple[str, ...] = (),
        meanwhile: Callable[[Crew], None] = lambda _: None,
        afterwards: Callable[[Crew, Bells], None] = lambda *_: None,
        latency_s: float = 0.0,
        **settings: str,
    ) -> Played:
        """Play with a worker for each point, who dies there, and with a fresh one whenever none is left.

        ``meanwhile`` happens again and again while they work, ``afterwards`` before the last of them is killed.
        """
        with self._crew(latency_s, settings) as (crew, bells):
            for point in points or (None,):
                crew.hire(point, celery)
            wait_until(lambda: crew.seen == len(points or (None,)))
            for step in self._scenario.steps:
                if isinstance(step, At):
                    _settle(crew, bells, MONDAY + step.day * DAY, meanwhile)
                else:
                    step(crew.office)
            afterwards(crew, bells)
            return Played(
                outcome_of(crew.office),
                crew.calls,
                Counter(crew.office.writes()),
                tuple(worker.wait() for worker, gate in crew.members if gate.reached.is_set()),
                tuple(crew.kept),
                crew.installation.logs(),
            )

    @contextmanager
    def _crew(self, latency_s: float, settings: dict[str, str]) -> Iterator[tuple[Crew, Bells]]:
        state, at = self._before
        with ExitStack() as running:
            beginning = make_url(self._beginning)
            server = beginning.set(database="postgres").render_as_string(hide_password=False)
            url = running.enter_context(fresh_database(server, template=str(beginning.database)))
            directory = self._directory / make_url(url).database
            directory.mkdir()
            installation = running.enter_context(
                installed(
                    directory,
                    database_url=url,
                    broker_url=self._broker.url,
                    latency_s=latency_s,
                    upgrade=False,
                    **settings,
                )
            )
            (directory / "policy.toml").write_text(self._scenario.policy)
            database = running.enter_context(closing(Database(url)))
            office = running.enter_context(closing(Office(database, installation.sandbox, policy=None)))
            office.hold_state(state)
            bells = running.enter_context(closing(Bells(self._broker.url)))
            crew = Crew(installation, office, running, at - datetime.now(UTC))
            crew.move_to(at)
            yield crew, bells
            installation.stop_all()


def _settle(crew: Crew, bells: Bells, at: datetime, meanwhile: Callable[[Crew], None]) -> None:
    """Let it be this time, and the work be done that is due then or within the hour; hire whoever is needed."""
    crew.move_to(at)
    bells.ring()
    until = at + _SOON

    def at_rest() -> bool:
        """Nothing is left to be done."""
        meanwhile(crew)
        if not crew.anybody_works:
            crew.kept.append(sum(job.state is JobState.RUNNING for job in crew.office.jobs()))
            crew.hire()
            bells.ring()
        if _busy(crew):
            return False
        waits = [job.run_at for job in crew.office.jobs(JobState.WAITING) if job.run_at <= until]
        if waits:
            crew.move_to(min(waits))
            bells.ring()
        return not waits

    try:
        wait_until(at_rest, _SETTLED_WITHIN_S)
    except AssertionError as error:
        raise AssertionError(f"{crew.office.outstanding()}\n{crew.installation.logs()}") from error


def _busy(crew: Crew) -> bool:
    """Tell whether something is to be applied, evaluated or run, or is being run."""
    now = crew.now()
    with crew.office.database.read() as session:
        told = select(func.count()).where(EventRow.state == EventState.ACCEPTED)
        due = select(func.count()).where((PersonRow.next_change_at <= now) | (PersonRow.line_due_at <= now))
        at_work = select(func.count()).where(
            JobRow.state.in_((JobState.QUEUED, JobState.RUNNING))
            | ((JobRow.state == JobState.WAITING) & (JobRow.run_at <= now))
        )
        return any(session.scalar(each) for each in (told, due, at_work))
