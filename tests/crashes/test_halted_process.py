"""A worker that stands still in its lane for longer than its lease, as a machine that sleeps, and then goes on."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from signal import SIGCONT
from subprocess import Popen
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Table, select

from tests.crashes.bells import Bells
from tests.crashes.conftest import Sample
from tests.crashes.depth import Crew, Played, RealStage
from tests.crashes.halted import DEADLINE_S, HALTS_AT, SENT, WITHOUT, Halt, Place
from tests.crashes.scenarios import SCENARIOS
from tests.crashes.scene import Scenario, differing
from tests.end_to_end.installation import wait_until
from worker.store.states import JobState
from worker.store.tables import AddressRow, AttemptRow, JobRow, StepRow

ROOT = Path(__file__).parents[2]
HALTED = ("-A", "tests.crashes.halted", "worker")
JOIN, LEAVE = (each for each in SCENARIOS if each.name in ("join", "leave"))
CALLS = ((JOIN, "POST", "/mailboxes"), (JOIN, "PUT", "/aliases/"), (LEAVE, "PUT", "/mailboxes/"))
POINTS = [
    (scenario, Halt(method, path, place), in_the_end)
    for (scenario, method, path), place, in_the_end in product(CALLS, Place, (False, True))
]
TAKEN_OVER = "the lane was taken over"
LATENCY_S = 0.05
_WRITTEN: tuple[Any, ...] = (JobRow, StepRow, AttemptRow, AddressRow)


@dataclass
class Sleep:
    """What is done with the first of two workers, and what was seen of it."""

    in_the_end: bool
    """Whether it goes on only once everything is done, else while the other is in the lane that was its."""
    jobs: list[int] = field(default_factory=list)
    """Those that the other took over."""
    sent: int | None = None
    """How many calls it sent when it had gone on, to the end of its task."""
    said: str = ""
    """What it wrote into its log until then."""
    wrote: bool = False
    """Whether anything differed once it had gone on to the end of its task, in the end."""

    def meanwhile(self, crew: Crew) -> None:
        """Once it stands still, let its lease run out and have another take over; wake it at a call of that one."""
        first, _ = crew.members[0]
        if not self.jobs and _stands_still(first):
            Event().wait(DEADLINE_S)  # a lease lasts longer than any call
            self.jobs = crew.let_leases_run_out(first)
            crew.hire()
        elif self.jobs and self.sent is None and not self.in_the_end and _is_in_lane(crew, self.jobs):
            self._wake(crew)

    def afterwards(self, crew: Crew, _: Bells) -> None:
        """Wake it if that has not been done, and wait until it is through with what it had begun."""
        before = _written(crew)
        if self.sent is None:
            self._wake(crew)
            self.wrote = _written(crew) != before

    def _wake(self, crew: Crew) -> None:
        first, _ = crew.members[0]
        first.send_signal(SIGCONT)

        def sent() -> str:
            """The worker that was stopped ends its task, and says what it sent."""
            self.said = crew.installation.log_of(first)
            return self.said.partition(SENT)[2].partition("\n")[0]

        self.sent = int(wait_until(sent))


def _stands_still(worker: Popen[bytes]) -> bool:
    return os.waitid(os.P_PID, worker.pid, os.WSTOPPED | os.WNOWAIT | os.WNOHANG) is not None


def _is_in_lane(crew: Crew, jobs: list[int]) -> bool:
    """Tell whether somebody else has gone on with what one had begun, and has called the host for it."""
    states = [job.state for job in crew.office.jobs() if job.id in jobs]
    return crew.members[-1][1].calls > 0 and JobState.RUNNING in states


def _written(crew: Crew) -> list[list[tuple[object, ...]]]:
    with crew.office.database.read() as session:
        tables: list[Table] = [row.__table__ for row in _WRITTEN]
        return [[tuple(row) for row in session.execute(select(each).order_by(each.c.id))] for each in tables]


def _sleep(stage: RealStage, halt: Halt, *, in_the_end: bool, without: str = "") -> tuple[Sleep, Played]:
    sleep = Sleep(in_the_end)
    played = stage.play(
        celery=HALTED,
        meanwhile=sleep.meanwhile,
        afterwards=sleep.afterwards,
        latency_s=LATENCY_S,
        PYTHONPATH=str(ROOT),
        MAILROSTER_WORKER_THREADS="1",
        **{HALTS_AT: str(halt), WITHOUT: without},
    )
    return sleep, played


def _complaints(stage: RealStage, sleep: Sleep, played: Played) -> list[str]:
    return [
        *(["it was never stopped in a lane"] if not sleep.jobs else []),
        *([f"it sent {sleep.sent} calls after it had slept"] if sleep.sent else []),
        *(["it wrote something after it had slept"] if sleep.wrote else []),
        *(["it did not find its lane taken over"] if TAKEN_OVER not in sleep.said else []),
        *(["another found its lane taken over"] if played.logs.count(TAKEN_OVER) > 1 else []),
        *([f"a call was made twice: {twice}"] if (twice := played.writes - stage.whole.writes) else []),
        *differing(stage.whole.outcome, {"": played.outcome}).get("", []),
    ]


def test_a_process_that_sleeps_in_its_lane_sends_and_writes_nothing_when_it_wakes(
    real_stages: Callable[[Scenario], RealStage], sample: Sample
) -> None:
    """Stopped before, in and behind a call, until another has taken over or is through: everything is that one's."""
    tried = [POINTS[n] for n in sample.of_processes.of(range(len(POINTS)))]
    print(f"{len(tried)} of {len(POINTS)} points, seed {sample.seed}")  # noqa: T201 - shown where it fails
    found = {
        f"{halt} of {scenario.name}, in the end: {in_the_end}": _complaints(
            real_stages(scenario), *_sleep(real_stages(scenario), halt, in_the_end=in_the_end)
        )
        for scenario, halt, in_the_end in tried
    }

    assert {where: complaints for where, complaints in found.items() if complaints} == {}


@pytest.mark.parametrize(
    ("without", "halt", "in_the_end", "complaint"),
    [
        ("fence", Halt("PUT", "/aliases/", Place.ANSWERED), False, "it did not find its lane taken over"),
        ("deadlines", Halt("PUT", "/aliases/", Place.COMMITTED), True, "it sent 1 calls after it had slept"),
    ],
    ids=["fence", "deadlines"],
)
def test_an_engine_that_lets_who_slept_go_on_is_found_out(
    real_stages: Callable[[Scenario], RealStage], without: str, halt: Halt, complaint: str, *, in_the_end: bool
) -> None:
    """The harness goes red where the token is not asked for, or the deadline of a call does not go on in sleep."""
    stage = real_stages(JOIN)

    assert complaint in _complaints(stage, *_sleep(stage, halt, in_the_end=in_the_end, without=without))
