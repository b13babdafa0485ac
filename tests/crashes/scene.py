"""What happens in a scenario, as steps that may each be repeated, and how what came of it is compared.

A step that a crash interrupts is begun again by a fresh worker: a sender sends again what was not accepted, and nobody
knows how far the dead one came.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from shutil import copy
from typing import Any

from sqlalchemy import select

from tests.crashes.life import Killed, Life, MortalDatabase
from tests.integration.office import DAY, MONDAY, Office
from worker.execution.sweep import sweep_once
from worker.sandbox import RunningSandbox
from worker.store.states import JobState, StepState
from worker.store.tables import AddressRow

Step = Callable[[Office], None]
_SOON = timedelta(hours=1)
_MOMENT = timedelta(minutes=1)
_LOOKS = 200


@dataclass(frozen=True, slots=True)
class Scenario:
    """What was there before, and what happens then."""

    name: str
    policy: str
    before: tuple[Step, ...]
    """Nobody dies in these."""
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is there in the end, as far as it must not depend on who died on the way."""

    mail: Mapping[str, Any]
    addresses: Counter[tuple[object, ...]]
    confirmed: Counter[tuple[str, str]]
    """The steps that took place, by operation and target: each as often as in a life without crashes."""
    unsettled: tuple[str, ...]
    jobs: Counter[tuple[str, str, str | None]]


class Stage:
    """Plays one scenario as often as wanted, each time from the same beginning."""

    def __init__(self, scenario: Scenario, sandbox: RunningSandbox, directory: Path, template: Path) -> None:
        self._scenario, self._sandbox, self._directory = scenario, sandbox, directory
        self._beginning = directory / "beginning.db"
        copy(template, self._beginning)
        with (
            closing(MortalDatabase(f"sqlite:///{self._beginning}", Life())) as database,
            closing(Office(database, sandbox, policy=scenario.policy)) as office,
        ):
            for step in scenario.before:
                step(office)
            self._state, self._at = office.whole_state(), office.clock.instant

    def play(self, life: Life, prepare: Step = lambda _: None, kind: type[MortalDatabase] = MortalDatabase) -> Outcome:
        """Play the scenario with a worker of this life, then with fresh ones; returns what came of it."""
        file = self._directory / "played.db"
        for old in self._directory.glob("played.db*"):
            old.unlink()
        copy(self._beginning, file)
        with (
            closing(kind(f"sqlite:///{file}", life)) as database,
            closing(Office(database, self._sandbox, policy=None)) as office,
        ):
            office.hold_state(self._state)
            office.clock.instant = self._at
            life.follow(office.clients.client())
            prepare(office)
            for step in self._scenario.steps:
                _as_often_as_needed(step, office, database)
            return outcome_of(office)


def _as_often_as_needed(step: Step, office: Office, database: MortalDatabase) -> None:
    try:
        step(office)
    except Killed:
        database.life.over = False
        database.come_back()
        office.execution = replace(office.execution, worker="fresh")
        office.let_leases_run_out()
        step(office)


@dataclass(frozen=True, slots=True)
class At:
    """It is so many days after the beginning, and the work is done that is due then."""

    day: float

    def __call__(self, office: Office) -> None:
        """Work in this process."""
        office.clock.instant = max(office.clock.instant, MONDAY + self.day * DAY)
        settle(office)


def settle(office: Office) -> None:
    """Work until nothing is due, also not within the hour: as what an unanswered call must be waited for."""
    until = office.clock.now() + _SOON
    for _ in range(_LOOKS):
        sweep_once(office.execution, threads=1)
        office.drain()
        waits = [job.run_at for job in office.jobs(JobState.WAITING, JobState.QUEUED) if job.run_at <= until]
        if not waits:
            return
        now = office.clock.now()  # what is due by now and was not done waits for the host, which is left alone
        office.clock.instant = min(waits) if min(waits) > now else now + _MOMENT
    raise AssertionError(f"it does not come to rest: {office.outstanding()}")


def outcome_of(office: Office) -> Outcome:
    """Look at what is there."""
    with office.database.read() as session:
        held = session.scalars(select(AddressRow)).all()
    return Outcome(
        mail=office.mail_state() | {"rewrites": office.rewrites()},
        addresses=Counter((row.address, row.role, row.person_id, row.held_to is None) for row in held),
        confirmed=Counter(
            (step.operation, step.target) for step in office.steps() if step.state is StepState.CONFIRMED
        ),
        unsettled=tuple(step.target for step in office.steps() if step.state in (StepState.SENT, StepState.UNKNOWN)),
        jobs=Counter(
            (job.subject_kind, job.state.value, job.reason) for job in office.jobs() if job.finished_at is None
        ),
    )


def differing(whole: Outcome, others: dict[str, Outcome]) -> dict[str, list[str]]:
    """Return, by where it happened, which parts of an outcome are otherwise.

    Where a read was not answered its subject comes later, and a list may be written once more for it.
    """
    parts = {
        where: [
            f"{name}: {getattr(other, name)}"
            for name in Outcome.__slots__
            if getattr(other, name) != getattr(whole, name) and not (name == "confirmed" and where.startswith("GET"))
        ]
        for where, other in others.items()
    }
    return {where: names for where, names in parts.items() if names}
