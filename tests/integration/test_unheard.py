"""Bells that nobody hears: after two looks in a row the process does the work itself, until one is heard again."""

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from tests.integration.office import Office
from worker.execution import Unheard, run_next, sweep_once
from worker.intake import apply_next


@dataclass
class Process:
    """A worker process whose bells ring nowhere, or are heard where a test says so."""

    office: Office
    heard: int = 0
    worked: int = 0
    bell_while_it_works: bool = False

    def __post_init__(self) -> None:
        self.unheard = Unheard(heard=lambda: self.heard, work=self._work)

    def look(self) -> None:
        """Sweep once, and let whatever begins by that come to its end."""
        self.unheard.rang(sweep_once(self.office.execution, 4))
        for thread in threading.enumerate():
            if thread.name == "unheard":
                thread.join()

    def _work(self) -> bool:
        self.worked += 1
        self.heard += self.bell_while_it_works
        return any([apply_next(self.office.intake), run_next(self.office.execution)])


@pytest.fixture
def process(office: Office) -> Iterator[Process]:
    """A process of a deployment in which somebody has just joined."""
    office.join("E1", "Ada Lovelace", department="Engineering")
    made = Process(office)
    with closing(office):
        yield made
        made.unheard.stop()


def test_process_whose_bells_nobody_hears_does_the_work_itself(process: Process) -> None:
    """The first look rings; the second finds the work still there and no bell heard, so it is done, to its end."""
    process.look()
    assert process.office.writes() == []
    process.look()

    assert process.office.outstanding() == []
    assert process.office.aliases() == {"engineering": {"ada.lovelace"}}


def test_process_that_hears_bells_leaves_the_work_to_its_tasks(process: Process) -> None:
    """As long as one bell is heard from look to look, nothing is done beside the tasks."""
    for _ in range(5):
        process.look()
        process.heard += 1

    assert process.worked == 0


def test_looks_that_find_nothing_are_no_reason(process: Process) -> None:
    """Work that comes when nothing was due before is left to its bell first."""
    process.look()
    process.office.drain()
    process.look()
    process.office.join("E2", "Grace Hopper")
    process.look()

    assert process.worked == 0


def test_process_ends_working_by_itself_once_a_bell_is_heard(process: Process) -> None:
    """The piece in hand is finished, and what remains is left to the tasks."""
    for number in range(2, 6):
        process.office.join(f"E{number}", f"Grace Hopper{number}")
    process.look()
    process.bell_while_it_works = True
    process.look()

    assert process.worked == 1
