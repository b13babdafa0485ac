"""Two workers in turns on one database, of which one may die, while others sleep too long or a stranger comes by."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import httpx
from sqlalchemy import update

from tests.crashes.baton import Baton, Unguided
from tests.crashes.lanes import Lanes
from tests.crashes.life import Killed, Life, MortalDatabase
from tests.integration.office import MONDAY, Office
from worker.execution import LEASE, Execution, run_next, sweep_once
from worker.execution.indexes import Indexes
from worker.intake import apply_next
from worker.migadu import ThreadClients, elapsed_s
from worker.store.database import Session
from worker.store.tables import JobRow

_SECOND = timedelta(seconds=1)
_MOST_PIECES = 200
_END_OF_LEASES = update(JobRow).where(JobRow.lease_until.is_not(None)).values(lease_until=MONDAY)


class SharedDatabase(MortalDatabase):
    """A database whose users take turns around each commit, and of whom each has a life of their own."""

    def __init__(self, url: str, life: Life) -> None:
        self._own, self._everybodys = threading.local(), life
        super().__init__(url, life)
        self.guide = Unguided()
        self.committed: Callable[[], None] = lambda: None
        """Called behind each commit, before anybody else goes on."""

    @property
    def life(self) -> Life:
        """The life of this thread."""
        return getattr(self._own, "life", self._everybodys)

    @life.setter
    def life(self, life: Life) -> None:
        self._own.life = life

    @contextmanager
    def write(self, *, durable: bool = True, ahead: bool = False) -> Iterator[Session]:
        """Open a writing transaction; who goes on before and behind it is the guide's to say."""
        self.guide.pass_point()
        with super().write(durable=durable, ahead=ahead) as session:
            yield session
        self.committed()
        self.guide.pass_point()


@dataclass(slots=True)
class Sleep:
    """For how long everybody was suspended, which the deadlines of calls go by."""

    slept_s: float = 0.0

    def elapsed_s(self) -> float:
        """Return the seconds since some instant, those of sleep with them."""
        return elapsed_s() + self.slept_s

    def rule(self, office: Office) -> None:
        """Have the calls of an office go by it."""
        office.clients.close()
        office.clients = ThreadClients(elapsed=self.elapsed_s)
        office.execution = replace(office.execution, elapsed_s=self.elapsed_s)


@dataclass(slots=True)
class Turns:
    """One time in which two workers do what is due."""

    office: Office
    database: SharedDatabase
    sleep: Sleep
    chance: random.Random
    dies_at: int | None
    """At which of its points the first of them is killed."""
    sleeps: int
    """How often everybody is suspended for longer than a lease."""
    comes_by: Callable[[], None]
    """What a stranger does somewhere in between."""
    guide: Baton = field(init=False)

    def play(self) -> list[str]:
        """Work until nothing is due. Returns what was wrong on the way."""
        self.guide, lanes = Baton(self.chance), Lanes()
        self.database.guide = self.guide
        self.database.committed = lambda: lanes.note(self.office)
        number = self.chance.randrange(10**9)
        try:
            raised = self.guide.play(
                [
                    lambda: self._work(f"first {number}", Life(ends_at=self.dies_at)),
                    lambda: self._work(f"second {number}", Life()),
                    self._sleep,
                    self._stranger,
                ]
            )
        finally:
            self.database.guide, self.database.committed = Unguided(), lambda: None
        return [*map(repr, raised), *lanes.complaints]

    def _work(self, name: str, life: Life) -> None:
        self.database.life = life
        self._follow(self.office.clients.client(), life)
        worker = self.office.colleague(name, indexes=Indexes())
        try:
            self._do_what_is_due(worker)
        except Killed:
            self.database.life = Life()
            with self.database.write() as session:
                session.execute(_END_OF_LEASES.where(JobRow.worker.startswith(f"{name}-")))
            sweep_once(self.office.execution, threads=1)

    def _do_what_is_due(self, worker: Execution) -> None:
        sweep_once(worker, threads=1)
        for _ in range(_MOST_PIECES):
            if not (apply_next(self.office.intake) or run_next(worker)):
                return
            self.guide.pass_point(5)
        raise AssertionError("there was always something to do: something loops")

    def _follow(self, client: httpx.Client, life: Life) -> None:
        life.follow(client)
        hooks = client.event_hooks
        client.event_hooks = {
            "request": [lambda _: self.guide.pass_point(20), *hooks["request"]],
            "response": [*hooks["response"], lambda _: self.guide.pass_point()],
        }

    def _sleep(self) -> None:
        for _ in range(self.sleeps):
            self.guide.pass_point(60)
            with self.database.write() as session:  # nobody else runs meanwhile
                self.sleep.slept_s += LEASE.total_seconds()
                self.office.move(LEASE + _SECOND)
                session.execute(_END_OF_LEASES)
            sweep_once(self.office.execution, threads=1)

    def _stranger(self) -> None:
        self.guide.pass_point(60)
        self.comes_by()
