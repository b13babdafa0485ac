"""Trouble for a company: a machine that draws events, days, crashes, faults and strangers, in any order."""

import random
import shutil
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.crashes.company import POLICY, Company, Employee
from tests.crashes.life import Killed, Life
from tests.crashes.scene import settle
from tests.crashes.strangers import KINDS
from tests.crashes.turns import SharedDatabase, Sleep, Turns
from tests.integration.office import DAY, Office
from worker.execution.verbs import retry
from worker.sandbox import RunningSandbox
from worker.store.states import UNSETTLED, JobState

NAMES = {"E1": "Ada Lovelace", "E2": "Grace Hopper", "E3": "Alan Turing", "E4": "Ada Hopper"}
FAMILIES = ("Lovelace", "Hopper", "Turing")
DEPARTMENTS = ("Engineering", "Support")
FAULTS = (
    "drop-before-apply",
    "drop-after-apply",
    "500-after-apply",
    "504-after-apply",
    "504-before-apply",
    "throttle-403",
    "429",
    "503",
)
ADDRESSES = (
    "ada.lovelace",
    "ada.hopper",
    "ada.turing",
    "alan.turing",
    "a.turing",
    "grace.turing",
    "chess",
    "support",
)
"""Where strangers have something, or may: such as people and lists would be given, some of them later."""
_SECOND = timedelta(seconds=1)
_MOST_RESTS = 100

people = st.sampled_from(sorted(NAMES))
addresses = st.sampled_from(ADDRESSES)
several = st.sets(addresses, min_size=1, max_size=4).map(sorted)


class Trouble(RuleBasedStateMachine):
    """One company, from its beginning until it comes to rest."""

    sandbox: RunningSandbox
    template: Path
    directory: Path

    def __init__(self) -> None:
        super().__init__()
        self._open = ExitStack()
        for old in self.directory.glob("company.db*"):
            old.unlink()
        file = shutil.copy(self.template, self.directory / "company.db")
        self.life = Life()
        self.database, self.sleep = SharedDatabase(f"sqlite:///{file}", self.life), Sleep()
        self._open.callback(self.database.close)
        self.office = Office(self.database, self.sandbox, policy=POLICY)
        self._open.callback(self.office.close)
        self.sleep.rule(self.office)
        self.life.follow(self.office.clients.client())

    @initialize()
    def begin(self) -> None:
        """Have what is not ours at the host, and two people."""
        self.wrong: list[str] = []
        self.company = Company(self.office)
        self.join("E1", "Engineering")
        self.join("E2", "Support")
        settle(self.office)

    def _tell(self, type_: str, key: str, **facts: Any) -> None:
        self.office.tell(type_, key, **facts)

    # What happens to people.

    @rule(key=people, department=st.sampled_from(DEPARTMENTS))
    def join(self, key: str, department: str) -> None:
        """Somebody joins, or is back; who works here already is told of once more."""
        self.office.move(_SECOND)
        if key in self.company.staff:
            self.company.stay(key)
            self.company.staff[key].department = department
        else:
            self.company.staff[key] = Employee(department)
        self.office.join(key, NAMES[key], department=department)

    def _knows(self, key: str) -> bool:
        self.office.move(_SECOND)
        return key in self.company.staff

    @rule(key=people, in_days=st.none() | st.integers(-2, 12), immediate=st.booleans())
    def leave(self, key: str, in_days: int | None, *, immediate: bool) -> None:
        """Somebody leaves, on a day or now, or is shut out at once."""
        if self._knows(key) and self.company.staff[key].departs_at is None:
            self._tell("left", key, **self.company.depart(key, in_days=in_days, immediate=immediate))

    @rule(key=people)
    def rescind(self, key: str) -> None:
        """A departure is called off."""
        if self._knows(key) and self.company.staff[key].departs_at is not None:
            self.company.stay(key)
            self._tell("leaving_cancelled", key)

    @rule(key=people, family=st.sampled_from(FAMILIES))
    def rename(self, key: str, family: str) -> None:
        """Somebody is called otherwise, perhaps as a colleague is."""
        if self._knows(key):
            self._tell("renamed", key, familyName=family)

    @rule(key=people, department=st.sampled_from(DEPARTMENTS))
    def move(self, key: str, department: str) -> None:
        """Somebody goes to a department."""
        if self._knows(key):
            self.company.staff[key].department = department
            self._tell("updated", key, department=department)

    @rule(key=people, in_chess=st.booleans())
    def regroup(self, key: str, *, in_chess: bool) -> None:
        """Somebody is in a group of the source, or not."""
        if self._knows(key):
            self.company.staff[key].in_chess = in_chess
            self._tell("updated", key, groups=["chess"] if in_chess else [])

    @rule(key=people, suspended=st.booleans())
    def suspend(self, key: str, *, suspended: bool) -> None:
        """Somebody is kept out for a while, or let in again."""
        if self._knows(key):
            self.company.staff[key].suspended = suspended
            self._tell("suspended" if suspended else "resumed", key)

    # What happens to us.

    @rule(days=st.integers(1, 11))
    def days_pass(self, days: int) -> None:
        """Time passes."""
        self.office.move(days * DAY)

    @rule()
    def work(self) -> None:
        """The work is done that is due."""
        settle(self.office)

    @rule(point=st.integers(0, 40))
    def be_killed(self, point: int) -> None:
        """The worker is killed on the way, at a commit or a call."""
        self.life.ends_at = len(self.life.points) + point
        try:
            settle(self.office)
        except Killed:
            self.office.execution = replace(self.office.execution, worker=f"fresh {len(self.life.points)}")
            self.life.over = False
            self.office.let_leases_run_out()
        self.life.ends_at = None

    @rule(
        seed=st.integers(0, 2**16),
        dies_at=st.none() | st.integers(0, 30),
        sleeps=st.integers(0, 2),
        kind=st.none() | st.sampled_from(KINDS),
        wanted=several,
    )
    def work_in_turns(self, seed: int, dies_at: int | None, sleeps: int, kind: str | None, wanted: list[str]) -> None:
        """Two workers do what is due, in turns; one is killed, all sleep too long, a stranger comes by meanwhile."""
        turns = Turns(
            self.office,
            self.database,
            self.sleep,
            random.Random(seed),
            dies_at=dies_at,
            sleeps=sleeps,
            comes_by=lambda: self.stranger_makes(kind, wanted) if kind else None,
        )
        self.wrong += turns.play()

    # What strangers do at the host.

    @rule(kind=st.sampled_from(KINDS), wanted=several)
    def stranger_makes(self, kind: str, wanted: list[str]) -> None:
        """Somebody else makes something at addresses that may be wanted by then, or later."""
        for address in wanted:
            self.company.strangers.make(kind, address)

    @rule(address=addresses)
    def stranger_frees(self, address: str) -> None:
        """Somebody else takes away what they had."""
        self.company.strangers.free(address)

    @rule(name=st.sampled_from(["Not Yours", "Ada Lovelace"]))
    def stranger_changes(self, name: str) -> None:
        """Somebody else renames what they have, perhaps as one of ours is called."""
        self.company.strangers.change(name)

    @rule(address=addresses)
    def stranger_renames_ours(self, address: str) -> None:
        """Somebody else changes the display name of a mailbox of ours, of which no call is unanswered."""
        if not [step for step in self.office.steps() if step.state in UNSETTLED]:
            self.company.strangers.rename_ours(address)

    @rule(method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]), fault=st.sampled_from(FAULTS))
    def host_fails(self, method: str, fault: str) -> None:
        """The next call of a kind goes wrong at the host."""
        self.office.fail({"match": {"method": method}, "times": 1, "fault": fault})

    @precondition(lambda self: hasattr(self, "company"))
    @invariant()
    def nothing_is_done_that_must_not_be(self) -> None:
        """Whatever happened, what must never be is not."""
        self._require_none([*self.wrong, *self.company.complaints()])

    def teardown(self) -> None:
        """Have everything come to rest: it is as it was told."""
        try:
            if hasattr(self, "company"):
                self.rest()
        finally:
            self._open.close()

    def rest(self) -> None:
        """Wait until nothing is to come but by time or an event; what is held an operator tries again."""
        self.office.fail()
        self._wait()
        self.office.move(DAY / 24)
        for job in self.office.jobs(JobState.HELD):
            retry(self.office.database, self.office.clock, self.office.execution.bell, job.id, "cli:root")
        self._wait()
        self._require_none([*self.wrong, *self.company.complaints()])
        self._require_none(list(self.company.differences()))

    def _require_none(self, complaints: list[str]) -> None:
        assert not complaints, "\n".join(complaints)

    def _wait(self) -> None:
        settle(self.office)
        for _ in range(_MOST_RESTS):
            waiting = [job.run_at for job in self.office.jobs(JobState.WAITING)]
            if not waiting:
                break
            self.office.clock.instant = max(self.office.clock.now(), min(waiting))
            settle(self.office)
