"""A worker that is to stop finishes the call under way, gives its lane back, and another goes on at once."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import count
from threading import Event
from typing import Any

import pytest

from tests.crashes.scenarios import POLICY
from tests.integration.office import Office
from worker.execution import run_next
from worker.sandbox import RunningSandbox
from worker.store.database import Database
from worker.store.states import JobState, StepState


@pytest.fixture
def office(database: Database, sandbox: RunningSandbox) -> Iterator[Office]:
    """An organisation from which somebody has left, which takes several calls that are not made yet."""
    with closing(Office(database, sandbox, policy=POLICY)) as opened:
        opened.join("E1", "Ada Lovelace", department="Engineering")
        opened.join("E2", "Grace Hopper", department="Support", manager="E1")
        opened.drain()
        opened.tell("left", "E2")
        opened.apply_all()
        yield opened


def stop_at(office: Office, number: int) -> None:
    """Have the first worker be told to stop while its call of this number, from 0 on, is under way."""
    numbers = count()

    def tell(_: Any) -> None:
        if next(numbers) == number:
            office.execution.stopping.set()

    office.clients.client().event_hooks = {"request": [tell]}


def calls_of_one_run(office: Office) -> int:
    """Run the most urgent job, and return how many calls the host saw of it."""
    before = len(office.calls())
    assert run_next(office.execution)
    return len(office.calls()) - before


@pytest.mark.parametrize("number", range(4))
def test_worker_that_is_to_stop_gives_its_lane_back_after_the_call_under_way(office: Office, number: int) -> None:
    """The call gets its outcome, no other follows, and whoever comes next needs to wait for no lease."""
    due_at = office.job_of(2).run_at
    stop_at(office, number)
    made = calls_of_one_run(office)
    job = office.job_of(2)

    assert made == number + 1
    assert (job.state, job.lease_until, job.worker, job.failures) == (JobState.QUEUED, None, None, 0)
    assert job.run_at == due_at
    assert not [step for step in office.steps() if step.state in (StepState.SENT, StepState.UNKNOWN)]
    assert len(office.attempts()) == len(office.calls())

    before = len(office.writes())
    assert not run_next(office.execution), "who is to stop begins nothing"
    office.execution = replace(office.execution, worker="second", stopping=Event())
    office.drain()
    again = [step for step in office.steps() if step.job_id == job.id and step.state is StepState.CONFIRMED]

    assert office.outstanding() == []
    assert len({(step.operation, step.target) for step in again}) == len(again)
    assert len(office.writes()) > before
    assert not office.doors("grace.hopper")["send"]
    assert office.mailboxes()["grace.hopper"]["autorespond_active"]


def test_worker_that_stops_at_the_last_call_has_done_its_job(office: Office) -> None:
    """What is complete is done, and not queued for a look that finds nothing."""
    stop_at(office, 4)
    made = calls_of_one_run(office)

    assert (made, office.job_of(2).state) == (5, JobState.DONE)
