"""Interleavings: several workers at work while people join, move and leave, as a seed says, and what came of it."""

import random
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta

import httpx
from sqlalchemy import update

from tests.crashes.baton import Baton, Unguided, WatchedDatabase
from tests.crashes.lanes import Lanes
from tests.crashes.lists import complaints, roster_of
from tests.crashes.scenarios import POLICY
from tests.crashes.scene import settle
from tests.integration.office import MONDAY, Office
from worker.execution import LEASE, run_next, sweep_once
from worker.migadu import ThreadClients, elapsed_s
from worker.sandbox import RunningSandbox
from worker.store.states import UNSETTLED
from worker.store.tables import JobRow

NAMES = ("Ada Lovelace", "Grace Hopper", "Alan Turing", "Karen Jones", "Edsger Dijkstra", "Barbara Liskov")
DEPARTMENTS = ("Engineering", "Support")
_SECOND = timedelta(seconds=1)
_MOST_RUNS = 100
"""For an engine that is broken may claim the same work for ever."""


@dataclass(frozen=True, slots=True)
class Plot:
    """What is played, all of it by one seed."""

    seed: int
    workers: int = 3
    events: int = 20
    suspensions: int = 10
    """How often all workers are suspended for longer than a lease, wherever they are."""
    guided: bool = True


@dataclass(slots=True)
class _Stage:
    plot: Plot
    office: Office
    chance: random.Random
    pass_point: Callable[..., None]
    works: dict[str, str | None] = field(default_factory=dict)
    """Who works here, and in which department; None: not any more."""
    told: threading.Event = field(default_factory=threading.Event)
    slept_s: float = 0.0


def play(plot: Plot, url: str, sandbox: RunningSandbox) -> list[str]:
    """Play a plot on an empty database. Returns what was wrong in the course of it, and in the end."""
    chance = random.Random(plot.seed)
    guide = Baton(random.Random(chance.random())) if plot.guided else Unguided()
    with (
        closing(WatchedDatabase(url, guide.pass_point)) as database,
        closing(Office(database, sandbox, policy=POLICY)) as office,
    ):
        stage = _Stage(plot, office, chance, guide.pass_point)
        _let_it_sleep(stage)
        roster, lanes = roster_of(office), Lanes()
        database.committed = lambda: (roster.note(office), lanes.note(office))
        for number in range(len(NAMES)):
            _tell(stage, number)
        office.drain()
        workers = [lambda name=name: _work(stage, name) for name in "abcd"[: plot.workers]]
        raised = guide.play([lambda: _history(stage), lambda: _suspend_all(stage), *workers])
        settle(office)
        return [*map(repr, raised), *lanes.complaints, *complaints(office, roster), *_in_the_end(stage)]


def _let_it_sleep(stage: _Stage) -> None:
    """Have the deadlines of calls go by a clock on which everybody can be suspended for a while."""
    office = stage.office
    office.clients.close()
    office.clients = ThreadClients(elapsed=lambda: elapsed_s() + stage.slept_s)
    office.execution = replace(office.execution, elapsed_s=lambda: elapsed_s() + stage.slept_s)


def _history(stage: _Stage) -> None:
    try:
        for _ in range(stage.plot.events):
            _tell(stage, stage.chance.randrange(len(NAMES)))
            stage.office.apply_all()
            stage.pass_point(40)
    finally:
        stage.told.set()


def _tell(stage: _Stage, number: int) -> None:
    """Have one person join, move or leave, whichever makes sense."""
    office, key = stage.office, f"E{number + 1}"
    office.move(_SECOND)
    department = stage.chance.choice(DEPARTMENTS)
    if stage.works.get(key) is None:
        office.join(key, NAMES[number], department=department)
        stage.works[key] = department
    elif stage.chance.random() < 0.9:
        office.tell("updated", key, department=department)
        stage.works[key] = department
    else:
        office.tell("left", key, immediate=True)
        stage.works[key] = None


def _suspend_all(stage: _Stage) -> None:
    """Let so much time pass, with everybody standing where they are, that every lease runs out."""
    for _ in range(stage.plot.suspensions if stage.plot.guided else 0):
        stage.pass_point(60)
        with stage.office.database.write() as session:  # nobody else runs meanwhile
            stage.slept_s += LEASE.total_seconds()
            stage.office.move(LEASE + _SECOND)
            session.execute(update(JobRow).where(JobRow.lease_until.is_not(None)).values(lease_until=MONDAY))
        sweep_once(stage.office.execution, threads=1)


def _work(stage: _Stage, name: str) -> None:
    client = stage.office.clients.client()
    client.event_hooks = {
        "request": [lambda sent: stage.pass_point(_longest_before(sent))],
        "response": [lambda _: stage.pass_point()],
    }
    worker = stage.office.colleague(name)
    runs = 0
    while ((ran := run_next(worker)) or not stage.told.is_set()) and runs < _MOST_RUNS:
        runs += ran
        stage.pass_point(5)
        if not stage.plot.guided:
            stage.told.wait(0.01)


def _longest_before(sent: httpx.Request) -> int:
    """Return for how long somebody stands still before a call: longest where they are about to write a list."""
    is_list = "/aliases" in sent.url.path or "/rewrites" in sent.url.path
    return 150 if is_list and sent.method != "GET" else 5


def _in_the_end(stage: _Stage) -> list[str]:
    """Return where the host, the jobs or the ledger differ from what was told."""
    office = stage.office
    wanted, found = _wanted(stage), office.aliases()
    return [
        *([f"the lists are {found}, and should be {wanted}"] if found != wanted else []),
        *(f"outstanding: {each}" for each in office.outstanding()),
        *(f"not settled: {step.operation} {step.target}" for step in office.steps() if step.state in UNSETTLED),
    ]


def _wanted(stage: _Stage) -> dict[str, set[str]]:
    """Return who is in which list, by what was told alone; the list of engineers has a fallback, the other goes."""
    lists: dict[str, set[str]] = {each.lower(): set() for each in DEPARTMENTS}
    for key, department in stage.works.items():
        if department is not None:
            lists[department.lower()].add(NAMES[int(key[1:]) - 1].lower().replace(" ", "."))
    lists["engineering"] = lists["engineering"] or {"postmaster"}
    return {name: members for name, members in lists.items() if members}
