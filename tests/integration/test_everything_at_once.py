"""Everything at once: sources, workers and operators on one database, none in another's way."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from time import monotonic

from sqlalchemy import select

from tests.integration.office import DAY, ON_POSTGRESQL, Office
from worker.execution import Execution, run_next
from worker.execution.reconcile import reconcile
from worker.execution.undo import undo
from worker.execution.verbs import NotAllowedNow
from worker.intake import UnknownPerson, admit, apply_next
from worker.intake.merging import MergeRefused, merge, split
from worker.store.database import DatabaseBusy
from worker.store.states import JobState, StepState
from worker.store.tables import DriftRow, RecordRow

HOUR = timedelta(hours=1)
THREADS, SECONDS, BEGINNERS = 4, 20, 14
ACTOR = "cli:root"
POLICY = """
[organisation]
domain = "example.org"
timezone = "UTC"
[[groups]]
address = "engineering"
members = { department = "Engineering" }
fallback = "postmaster"
[[groups]]
address = "everybody"
members = {}
[[rewrites]]
name = "support"
local_part_rule = "support-*"
members = { department = "Support" }
[leaving]
fallback = "postmaster"
autoreply = { subject = "Gone", body = "Write to {manager.displayName}." }
[[leaving.stages]]
after = "0d"
do = ["block", "leave-groups", "autoreply", "forward-to-manager"]
[[leaving.stages]]
after = "12h"
do = ["delete-mailbox", "alias-to-manager"]
[[leaving.stages]]
after = "1d"
do = ["release-address"]
[brakes]
block = { floor = 10000, share = 1.0, per = "24h" }
delete = { floor = 10000, share = 1.0, per = "24h" }
lists = { floor = 10000, share = 1.0, per = "24h" }
"""
POLICIES = (POLICY, POLICY.replace('"everybody"', '"all"'))


@dataclass(slots=True)
class Day:
    """What happens in one thread, drawn from its own source of chance."""

    office: Office
    execution: Execution
    chance: random.Random
    numbers: Iterator[int]
    done: Counter[str] = field(default_factory=Counter)

    def go_on(self, until: float) -> None:
        """Do one thing after another; a busy database and what operators are refused are answers, all else is not."""
        ways: list[Callable[[], object]] = [self.tell, self.operate, *[self.work] * 3, self.pass_time]
        while monotonic() < until:
            way = self.chance.choice(ways)
            try:
                way()
            except (DatabaseBusy, MergeRefused, NotAllowedNow, UnknownPerson) as answer:
                self.done[type(answer).__name__] += 1
            else:
                self.done[way.__name__] += 1

    def work(self) -> None:
        """Do what a worker does."""
        if not apply_next(self.office.intake):
            run_next(self.execution)
        run_next(self.execution)

    def pass_time(self) -> None:
        """Let some hours go by, look for drift, or deploy another policy."""
        self.office.move(self.chance.randrange(1, 6) * HOUR)
        if self.chance.random() < 0.5:
            reconcile(self.execution, "example.org", repair_for=ACTOR)
        else:
            admit(self.office.intake, self.chance.choice(POLICIES))

    def tell(self) -> None:
        """Tell something of somebody."""
        who, number = f"E{self.chance.randrange(BEGINNERS)}", next(self.numbers)
        kind = self.chance.choice(["joined", "left", "leaving_cancelled", "renamed", "updated", "purged", "suspended"])
        match kind:
            case "joined":
                employ(self.office, number, manager=who)
            case "renamed":
                self.office.tell(kind, who, familyName=f"Family{number % 9}")
            case "updated":
                department = self.chance.choice(["Engineering", "Support"])
                self.office.tell(kind, who, department=department, manager=f"E{number % BEGINNERS}")
                self.office.tell(kind, f"X{number % 5}", source="it", employeeNumber=f"{number % BEGINNERS}")
            case _:
                self.office.tell(kind, who)

    def operate(self) -> None:
        """Merge, split or undo something."""
        match self.chance.randrange(3):
            case 0:
                one, other = self.chance.sample([row.id for row in self.office.people()], 2)
                merge(self.office.intake, one, other, actor=ACTOR)
            case 1:
                with self.office.database.read() as session:
                    linked = select(RecordRow.person_id, RecordRow.source, RecordRow.subject)
                    rows = session.execute(linked.where(RecordRow.person_id.is_not(None))).all()
                person_id, source, subject = self.chance.choice(rows)
                split(self.office.intake, person_id, [(source, subject)], actor=ACTOR)
            case _:
                undo(self.office.intake, self.chance.choice(self.office.jobs()).id, ACTOR)


def employ(office: Office, number: int, manager: str) -> None:
    """Have somebody join."""
    facts = {"department": "Engineering", "manager": manager, "employeeNumber": f"{number}"}
    office.join(f"E{number}", f"Given{number} Family", **facts)


@ON_POSTGRESQL
def test_everything_at_once_ends_in_what_is_wanted(office: Office) -> None:
    """Four threads mix all kinds of events and operators' acts: nothing fails, no lane stays, and nothing drifted."""
    admit(office.intake, POLICY)
    for number in range(BEGINNERS):
        employ(office, number, manager=f"E{number // 2}")
    office.drain()
    numbers, until = count(BEGINNERS), monotonic() + SECONDS
    days = [Day(office, office.colleague(f"w{each}"), random.Random(each), numbers) for each in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as threads:
        for ended in [threads.submit(day.go_on, until) for day in days]:
            ended.result()
    office.work_on(2 * DAY, every=HOUR)
    found = reconcile(office.execution, "example.org", repair_for=ACTOR)

    assert all(day.done["work"] and day.done["tell"] and day.done["operate"] for day in days)
    assert not office.jobs(JobState.QUEUED, JobState.RUNNING, JobState.WAITING, JobState.PARKED)
    assert not [step for step in office.steps() if step.state in (StepState.SENT, StepState.UNKNOWN)]
    assert {event.state.value for event in office.events()} <= {"applied"}
    assert (found.queued, office.total(DriftRow)) == (0, 0)
