"""Urgency on the wire: who is served in which order, and what a revocation waits for."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from itertools import count
from threading import Event, Thread
from typing import Any

import pytest

from tests.crashes.scenarios import POLICY
from tests.integration.office import ON_POSTGRESQL, Office
from worker.execution import LEASE, run_next
from worker.execution.passwords import reset_password
from worker.intake import apply_next
from worker.planning.urgency import Urgency
from worker.sandbox import RunningSandbox
from worker.store import jobs, leases
from worker.store.budget import CallLimit, Room
from worker.store.database import Database
from worker.store.states import JobState, StepState
from worker.store.subjects import Subject, SubjectKind

JOINERS, WORKERS = 100, 4
LIMIT = CallLimit(calls=30, window=timedelta(hours=1), reserve=10)


@pytest.fixture
def office(database: Database, sandbox: RunningSandbox) -> Iterator[Office]:
    """An organisation in which a departure takes several calls."""
    with closing(Office(database, sandbox, policy=POLICY)) as opened:
        opened.join("E1", "Ada Lovelace", department="Engineering")
        opened.join("E2", "Grace Hopper", department="Support", manager="E1")
        opened.join("E3", "Alan Turing", department="Support")
        opened.drain()
        yield opened


def _during_call(office: Office, number: int, then: Callable[[], None]) -> None:
    """Let something happen while our call of this number, from 0 on, is under way."""
    numbers = count()

    def tell(_: Any) -> None:
        if next(numbers) == number:
            then()

    office.clients.client().event_hooks = {"request": [tell]}


def test_order_is_revocation_joiner_change_drift_and_the_oldest_within_each(office: Office) -> None:
    """Whatever was there first: urgency goes before age, and age before number."""
    now, minute = office.clock.now(), timedelta(minutes=1)
    asked = [(Urgency.DRIFT, 9), (Urgency.CHANGE, 5), (Urgency.JOINER, 1), (Urgency.JOINER, 3), (Urgency.REVOCATION, 0)]
    with office.database.write() as session:
        for urgency, age in asked:
            subject = Subject(SubjectKind.SHARED, f"{urgency.name.lower()}-{age}@example.org")
            jobs.refresh(session, subject, urgency=urgency, now=now, due_at=now - age * minute)
        claimed = []
        while lease := leases.claim(session, worker="w", lease=LEASE, now=now, least_urgent=Urgency.DRIFT):
            claimed.append(lease.subject.key.partition("@")[0])

    assert claimed == ["revocation-0", "joiner-3", "joiner-1", "change-5", "drift-9"]


def test_revocation_goes_before_the_next_call_of_a_run_that_is_under_way(office: Office) -> None:
    """A worker with a job of several calls lets a block go first, and goes on behind it, with nothing done twice."""
    office.tell("renamed", "E1", familyName="King")
    office.apply_all()
    due_at, before = office.job_of(1).run_at, len(office.calls())

    def leave() -> None:
        office.tell("left", "E2", immediate=True)
        office.apply_all()

    _during_call(office, 0, leave)
    run_next(office.execution)
    overtaken = office.job_of(1)
    run_next(office.execution)
    calls = [path for _, path in office.calls()[before:]]
    office.drain()

    assert [path.startswith("mailboxes/grace.hopper") for path in calls] == [False] + [True] * (len(calls) - 1)
    assert len(calls) > 2
    assert (overtaken.state, overtaken.reason) == (JobState.QUEUED, "a revocation went first")
    assert (overtaken.run_at, overtaken.failures, overtaken.lease_until) == (due_at, 0, None)
    assert not office.doors("grace.hopper")["send"]
    assert "ada.king" in office.identities("ada.lovelace")
    assert office.outstanding() == []
    assert {step.state for step in office.steps()} == {StepState.CONFIRMED}
    writes = office.writes()
    assert writes.count(("POST", "mailboxes/ada.lovelace/identities")) == 1


def test_person_who_leaves_while_their_own_job_runs_is_blocked_next(office: Office) -> None:
    """What the run still wanted is not done first: it is planned anew, and begins with the block."""
    office.tell("renamed", "E1", familyName="King")
    office.apply_all()
    before = len(office.writes())

    def leave() -> None:
        office.tell("left", "E1", immediate=True)
        office.apply_all()

    _during_call(office, 0, leave)
    office.drain()

    assert office.writes()[before] == ("PUT", "mailboxes/ada.lovelace")
    assert office.bodies("PUT", "mailboxes/ada.lovelace")[0]["may_send"] is False
    assert not office.doors("ada.lovelace")["send"]


def test_operators_own_call_gives_way_to_nobody(office: Office) -> None:
    """A new password is set although somebody is to be blocked just then: an operator waits for the answer."""
    office.tell("left", "E2", immediate=True)
    office.apply_all()
    assert office.job_of(2).urgency == Urgency.REVOCATION

    assert reset_password(office.execution, 1, actor="cli:ada").password


@contextmanager
def _at_work(office: Office) -> Iterator[None]:
    """Have several workers run whatever is due."""
    stop = Event()

    def work(name: str) -> None:
        mine = office.colleague(name)
        while not stop.is_set():
            if not run_next(mine):
                stop.wait(0.01)

    threads = [Thread(target=work, args=(f"w{number}",)) for number in range(WORKERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _room(office: Office) -> Room:
    with office.database.read() as session:
        return office.execution.budget.room(session)


def _wait_until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not met():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def _calls_behind_a_departure(office: Office) -> list[tuple[str, str]]:
    """Have E2 leave, wait until they are blocked, and return the calls that the host saw since this was known."""
    office.tell("left", "E2", immediate=True)
    apply_next(office.intake)
    mark = len(office.calls())
    _wait_until(lambda: office.job_of(2).state is JobState.DONE)
    return office.calls()[mark:]


def _queue_up(office: Office) -> None:
    for number in range(JOINERS):
        office.join(f"J{number}", f"{_letters(number)} Joiner")
    office.apply_all()
    office.fail({"match": {}, "times": 10_000, "fault": "latency", "seconds": 0.03})


def _letters(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in f"{number:03}")


@ON_POSTGRESQL
def test_revocation_behind_many_joiners_has_the_next_calls_on_the_wire(office: Office) -> None:
    """Where joiners have used up what they may for now, the wire is the leaver's mailbox's and its lists'."""
    _queue_up(office)
    office.limited(LIMIT)
    with _at_work(office):
        _wait_until(lambda: _room(office) is Room.REVOCATIONS)
        calls = _calls_behind_a_departure(office)

    assert "mailboxes/grace.hopper" in {path for _, path in calls[:WORKERS]}
    assert ("PUT", "mailboxes/grace.hopper") in calls
    assert ("POST", "mailboxes") not in calls
    assert not office.doors("grace.hopper")["send"]


@ON_POSTGRESQL
def test_revocation_waits_for_the_calls_in_flight_at_most(office: Office) -> None:
    """Where all workers are busy with joiners, each has one call under way, and the next is the revocation's."""
    _queue_up(office)
    with _at_work(office):
        _wait_until(lambda: ("POST", "mailboxes") in office.calls()[-WORKERS:])
        calls = _calls_behind_a_departure(office)
        waiting = len([job for job in office.jobs(JobState.QUEUED) if job.urgency == Urgency.JOINER])

    first = next(number for number, (_, path) in enumerate(calls) if path == "mailboxes/grace.hopper")
    assert first <= WORKERS
    assert waiting > JOINERS // 2
