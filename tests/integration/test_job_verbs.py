"""What operators do with jobs in whatever state they are, also while a worker is in them."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from threading import Barrier, Thread
from typing import Any

import pytest

from tests.integration.office import DAY, ON_POSTGRESQL, Office
from worker.bell import SilentBell
from worker.execution import run_next, sweep_once, verbs
from worker.execution.undo import undo
from worker.execution.verbs import NotAllowedNow, VerbRefused
from worker.store.audit import latest_acts
from worker.store.states import JobState, StepState

MINUTE = timedelta(minutes=1)
on_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@pytest.fixture
def office(office: Office) -> Office:
    """An office with Ada, and Grace beside her."""
    office.employ("Ada Lovelace", "Grace Hopper", department="Support")
    return office


def _retry(office: Office, job_id: int) -> int:
    return verbs.retry(office.database, office.clock, SilentBell(), job_id, "cli:ada")


def _dismiss(office: Office, job_id: int) -> None:
    verbs.dismiss(office.database, office.clock, SilentBell(), job_id, "cli:ada", reason="a test")


def _undo(office: Office, job_id: int) -> None:
    undo(office.intake, job_id, "cli:ada")


def _job_in(office: Office, state: JobState) -> int:
    """Have Ada's suspension be in a state; returns its job."""
    office.tell("suspended", "E1")
    office.apply_all()
    job = office.job_of(1)
    if state is JobState.DONE:
        office.drain()
    elif state is not JobState.QUEUED:
        over = "finished_at = created_at," if state is JobState.DISMISSED else "lease_until = created_at,"
        office.execute(
            f"update jobs set {over} state = :state, failures = 3, reason = 'why' where id = :id",
            state=state.value,
            id=job.id,
        )
    return job.id


RETRIED = {
    JobState.QUEUED: "it runs as soon as a worker is free",
    JobState.RUNNING: "a worker is in it",
    JobState.DONE: "it is over",
}
DISMISSED = {
    JobState.RUNNING: "a worker is in it; dismiss it when it has stopped",
    JobState.DONE: "it is over",
    JobState.DISMISSED: "it is over",
}


@on_sqlite
@pytest.mark.parametrize("state", JobState)
def test_retry_in_every_state(office: Office, state: JobState) -> None:
    """What waits, is held or parked runs now; what was dismissed is made anew; all else is refused with a reason."""
    job_id = _job_in(office, state)
    if state in RETRIED:
        with pytest.raises(NotAllowedNow, match=f"^job {job_id} is {state}: {RETRIED[state]}"):
            _retry(office, job_id)
        return

    queued = _retry(office, job_id)
    office.drain()

    assert (queued != job_id) == (state is JobState.DISMISSED)
    assert not office.doors("ada.lovelace")["send"]
    assert office.outstanding() == []


@on_sqlite
@pytest.mark.parametrize("state", JobState)
def test_dismissal_in_every_state(office: Office, state: JobState) -> None:
    """What is outstanding and in no worker's hands is over at once; the next event about the person makes a new job."""
    job_id = _job_in(office, state)
    if state in DISMISSED:
        with pytest.raises(NotAllowedNow, match=f"^job {job_id} is {state}: {DISMISSED[state]}$"):
            _dismiss(office, job_id)
        return

    _dismiss(office, job_id)
    office.drain()
    assert office.doors("ada.lovelace")["send"]
    assert office.outstanding() == []

    office.move(DAY)
    office.tell("updated", "E1", title="x")
    office.drain()
    assert not office.doors("ada.lovelace")["send"]


@on_sqlite
@pytest.mark.parametrize("state", JobState)
def test_undo_in_every_state(office: Office, state: JobState) -> None:
    """A suspension is turned, whether or not it was carried out, and once."""
    job_id = _job_in(office, state)
    office.move(MINUTE)

    _undo(office, job_id)
    office.apply_all()
    office.let_leases_run_out()
    sweep_once(office.execution, 4)
    office.drain()

    assert office.doors("ada.lovelace")["send"]
    assert office.outstanding() == []
    with pytest.raises(NotAllowedNow, match="is undone already"):
        _undo(office, job_id)


def _during_call(office: Office, number: int, then: Callable[[], None]) -> None:
    """Let something happen while our call of this number, from 0 on, is under way."""
    numbers = count()

    def tell(_: Any) -> None:
        if next(numbers) == number:
            then()

    office.clients.client().event_hooks = {"request": [tell]}


@pytest.mark.parametrize("call", [0, 1], ids=["while it looks", "while it writes"])
def test_what_a_worker_has_in_hand_is_neither_retried_nor_dismissed_and_can_be_undone(
    office: Office, call: int
) -> None:
    """The run ends as it would have; an undoing that came meanwhile is carried out behind it."""
    office.tell("suspended", "E1")
    office.apply_all()
    job_id, before, refused = office.job_of(1).id, len(office.writes()), []

    def interfere() -> None:
        for verb in (_retry, _dismiss):
            with pytest.raises(NotAllowedNow) as error:
                verb(office, job_id)
            refused.append(str(error.value))
        office.move(MINUTE)
        _undo(office, job_id)
        office.apply_all()

    _during_call(office, call, interfere)
    office.drain()

    assert [f"job {job_id} is running: a worker is in it" in each for each in refused] == [True, True]
    assert office.doors("ada.lovelace")["send"]
    assert office.outstanding() == []
    assert {step.state for step in office.steps()} <= {StepState.CONFIRMED, StepState.SUPERSEDED}
    assert len(office.writes()) - before <= 2


@on_sqlite
def test_parked_job_keeps_everything_needed_to_go_on(office: Office) -> None:
    """A creation whose fate was never told is parked after days; retried, it is read back first and made once."""
    match = {"method": "POST", "path": "/v1/domains/*/mailboxes"}
    office.fail({"match": match, "times": 1, "fault": "drop-after-apply"})
    office.join("E3", "Alan Turing")
    office.apply_all()
    run_next(office.execution)
    office.fail({"match": {"method": "GET"}, "times": 10_000, "fault": "503"})
    office.work_on(3 * DAY, every=DAY / 8)
    parked = office.job_of(3)
    assert parked.state is JobState.PARKED
    assert "it failed" in str(parked.reason)
    assert parked.plan
    assert [step.state for step in office.steps() if step.job_id == parked.id] == [StepState.UNKNOWN]

    office.fail()
    assert _retry(office, parked.id) == parked.id
    office.drain()

    assert office.job_of(3).state is JobState.DONE
    assert [step.state for step in office.steps() if step.job_id == parked.id] == [StepState.CONFIRMED]
    assert office.calls("POST").count(("POST", "mailboxes")) == 3
    with office.database.read() as session:
        (act,) = latest_acts(session)
    assert (act.act, act.detail["from"]) == ("job.retry", "parked")


@ON_POSTGRESQL
def test_operators_and_workers_at_the_same_jobs_at_once(office: Office) -> None:
    """Whoever is first: each verb is done as a whole or refused, each mailbox is made once, nothing is left over."""
    for number in range(3, 15):
        office.join(f"E{number}", f"{'ABCDEFGHIJKLMNOP'[number]}da Byron")
    office.apply_all()
    ids = [job.id for job in office.jobs(JobState.QUEUED)]
    start, refused = Barrier(6), []

    def act(verb: Callable[[Office, int], object]) -> None:
        start.wait(60)
        for job_id in ids:
            try:
                verb(office, job_id)
            except VerbRefused as error:
                refused.append(str(error))

    def work(name: str) -> None:
        start.wait(60)
        office.run_all(office.colleague(name))

    threads = [Thread(target=act, args=(verb,)) for verb in (_retry, _dismiss, _retry, _dismiss)]
    threads += [Thread(target=work, args=(f"w{number}",)) for number in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    office.drain()

    made = office.calls("POST").count(("POST", "mailboxes"))
    assert office.outstanding() == []
    assert len(office.mailboxes()) == made
    dismissed = {job.person_id for job in office.jobs(JobState.DISMISSED)}
    done = {job.person_id for job in office.jobs(JobState.DONE)}
    assert {job.person_id for job in office.jobs()} == dismissed | done
    with office.database.read() as session:
        acts = latest_acts(session, limit=1000)
    assert len(acts) + len(refused) == 4 * len(ids)
