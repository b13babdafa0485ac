"""Lanes: one worker per subject, workers that die in the middle or come back too late, and the queries' plans."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum, auto
from threading import Barrier, Event, Thread
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from tests.integration.office import KEY, MONDAY, ON_POSTGRESQL, USER, Office
from worker.execution import LEASE, run_next, sweep_once
from worker.intake import apply, apply_next
from worker.migadu import Call, Hooks, MigaduClient, Outcome, ThreadClients, elapsed_s
from worker.planning.urgency import Urgency
from worker.sandbox import RunningSandbox
from worker.store import events, gate, jobs, leases, people
from worker.store.database import Database, Session
from worker.store.gate import Closing, Refusal
from worker.store.leases import Lease, LeaseLost
from worker.store.states import JobState
from worker.store.subjects import Subject, SubjectKind

MINUTE = timedelta(minutes=1)
FOREVER = timedelta(days=365)
_SOMEBODY_WAITS = """
    select 1 from pg_locks left join pg_database on pg_database.oid = pg_locks.database
    where not granted and coalesce(datname, current_database()) = current_database() limit 1
"""


@pytest.fixture
def office(database: Database, sandbox: RunningSandbox) -> Iterator[Office]:
    """A deployment with a policy and one colleague, who is nobody's concern."""
    with closing(Office(database, sandbox)) as opened:
        opened.employ("Grace Hopper")
        yield opened


class Killed(BaseException):
    """The process died at this point: nothing of ours runs after it."""


class When(Enum):
    """When in a call something happens."""

    BEFORE = auto()
    SENDING = auto()
    """The worker has extended its lease for the call, and nothing is sent yet."""
    AFTER = auto()


@dataclass
class _Interrupted:
    """The hooks of a run in which something happens once, at one call on the wire."""

    hooks: Hooks
    operation: str
    then: list[Callable[[], None]]
    when: When

    def before(self, attempt: Call) -> float | None:
        """Let it happen before the call, or in the last moment before it is sent."""
        if self.when is When.BEFORE:
            self._interrupt(attempt)
        counted_from = self.hooks.before(attempt)
        if self.when is When.SENDING:
            self._interrupt(attempt)
        return counted_from

    def after(self, attempt: Call, outcome: Outcome) -> None:
        """Let it happen after the call was answered, and before we heard of it."""
        if self.when is When.AFTER:
            self._interrupt(attempt)
        self.hooks.after(attempt, outcome)

    def _interrupt(self, attempt: Call) -> None:
        if attempt.operation == self.operation and self.then:
            self.then.pop()()


def _interrupt(office: Office, operation: str, then: Callable[[], None], when: When) -> None:
    """Have something happen in the next run that makes a call, seen from the first worker."""
    once = [then]
    connect = office.execution.connect
    office.execution = replace(
        office.execution, connect=lambda hooks: connect(_Interrupted(hooks, operation, once, when))
    )


def _die() -> None:
    raise Killed


STORIES = [
    ("create-mailbox", lambda office: office.join("E2", "Ada Lovelace", department="Engineering")),
    ("create-alias", lambda office: office.join("E2", "Ada Lovelace", department="Engineering")),
    ("create-identity", lambda office: office.tell("renamed", "E1", familyName="Murray")),
    ("update-mailbox", lambda office: office.tell("renamed", "E1", givenName="Amazing")),
    ("block-mailbox", lambda office: office.tell("left", "E1")),
    ("suspend-mailbox", lambda office: office.tell("suspended", "E1")),
]


def _operation_on_wire(operation: str) -> str:
    return "update-mailbox" if operation in ("block-mailbox", "suspend-mailbox") else operation


@pytest.mark.parametrize("when", [When.BEFORE, When.AFTER], ids=["before", "after"])
@pytest.mark.parametrize(("operation", "tell"), STORIES, ids=[operation for operation, _ in STORIES])
def test_job_of_a_dead_worker_is_finished_by_another_and_nothing_is_done_twice(
    office: Office, operation: str, tell: Callable[[Office], Any], when: When
) -> None:
    """Whether the worker dies just before its call or just after the host obeyed, another settles it and goes on."""
    before = len(office.writes())
    tell(office)
    office.apply_all()
    second = office.colleague()
    _interrupt(office, _operation_on_wire(operation), _die, when)
    with pytest.raises(Killed):
        office.run_all()
    assert [job.state for job in office.jobs()].count(JobState.RUNNING) == 1
    assert (operation, "sent" if when is When.AFTER else "intended") in office.ledger()

    office.execution = second
    office.let_leases_run_out()
    assert sweep_once(second, 4).given_back == 1
    office.drain()
    office.move(MINUTE)
    office.drain()

    writes = office.writes()[before:]
    assert len(writes) == len(set(writes))
    assert {state for _, state in office.ledger()} == {"confirmed"}
    assert office.outstanding() == []
    assert _looks_done(office, operation)


def _looks_done(office: Office, operation: str) -> bool:
    match operation:
        case "create-mailbox" | "create-alias":
            return office.aliases() == {"engineering": {"ada.lovelace"}}
        case "create-identity":
            return office.identities("grace.hopper") == {"grace.murray"}
        case "update-mailbox":
            return office.mailboxes()["grace.hopper"]["name"] == "Amazing Hopper"
        case _:
            return not office.doors("grace.hopper")["send"]


def test_lane_of_a_living_worker_is_left_alone(office: Office) -> None:
    """Before its lease has run out, nobody takes a worker's job."""
    office.join("E2", "Ada Lovelace")
    office.apply_all()
    second = office.colleague()
    _interrupt(office, "create-mailbox", _die, When.BEFORE)
    with pytest.raises(Killed):
        office.run_all()

    assert sweep_once(second, 4).given_back == 0
    assert not run_next(second)


def test_worker_that_wakes_after_a_takeover_sends_nothing(office: Office) -> None:
    """A worker that slept through its lease just before a call does not make it, and writes nothing."""
    before = len(office.writes())
    office.join("E2", "Ada Lovelace")
    office.apply_all()
    second = office.colleague()

    def take_over() -> None:
        office.let_leases_run_out()
        sweep_once(second, 4)
        office.run_all(second)
        office.move(MINUTE)
        office.run_all(second)

    _interrupt(office, "create-mailbox", take_over, When.BEFORE)
    office.drain()

    assert office.writes()[before:] == [("POST", "mailboxes")]
    assert {state for _, state in office.ledger()} == {"confirmed"}
    assert office.job_of(2).fence == 2  # the first claim and the second worker's: nothing was sent that needs a look
    assert office.outstanding() == []


def test_worker_suspended_between_its_permit_and_sending_sends_nothing(office: Office) -> None:
    """A process that is stopped once its lease is extended for a call, and goes on after a takeover, does not make it.

    The deadline of a call counts from before the lease was extended, by a clock that goes on while nobody runs.
    """
    slept_s = [0.0]
    office.tell("renamed", "E1", givenName="Amazing")
    office.apply_all()
    second = office.colleague()

    def take_over() -> None:
        slept_s[0] += LEASE.total_seconds()
        office.let_leases_run_out()
        sweep_once(second, 4)
        office.tell("renamed", "E1", givenName="Analytical")
        office.apply_all()
        office.move(MINUTE)
        office.run_all(second)

    with ThreadClients(elapsed=lambda: elapsed_s() + slept_s[0]) as clients:

        def connect(hooks: Hooks) -> MigaduClient:
            return MigaduClient(office.url, USER, KEY, http=clients.client(), hooks=hooks)

        office.execution = replace(office.execution, connect=connect, elapsed_s=lambda: elapsed_s() + slept_s[0])
        _interrupt(office, "update-mailbox", take_over, When.SENDING)
        office.drain()

    assert [body["name"] for body in office.bodies("PUT", "mailboxes/grace.hopper")] == ["Analytical Hopper"]
    assert office.mailboxes()["grace.hopper"]["name"] == "Analytical Hopper"
    assert office.outstanding() == []


def test_answer_that_comes_after_a_takeover_changes_nothing(office: Office) -> None:
    """A worker whose call was answered after another took over leaves the record to that one."""
    before = len(office.writes())
    office.join("E2", "Ada Lovelace")
    office.apply_all()
    second = office.colleague()

    def take_over() -> None:
        office.let_leases_run_out()
        sweep_once(second, 4)
        office.run_all(second)

    _interrupt(office, "create-mailbox", take_over, When.AFTER)
    office.drain()

    assert office.writes()[before:] == [("POST", "mailboxes")]
    assert office.steps()[-1].reason == "confirmed by reading back"
    assert office.outstanding() == []


def test_a_claim_that_a_power_cut_takes_back_is_nobodys_though_a_thread_beside_gets_the_same_token(
    office: Office,
) -> None:
    """The database forgets who had the lane, and another thread of that process takes it: the former sends nothing."""
    before = len(office.writes())
    office.join("E2", "Ada Lovelace")
    office.apply_all()
    process = office.execution
    is_sent, is_over = Event(), Event()

    def wait() -> None:
        is_sent.set()
        assert is_over.wait(timeout=30)

    def take_back() -> None:
        with office.database.write() as session:
            session.execute(text("update jobs set state = 'queued', fence = 0, worker = null where state = 'running'"))
            session.execute(text("delete from steps where state = 'intended'"))
        beside.start()
        assert is_sent.wait(timeout=30)

    _interrupt(office, "create-mailbox", wait, When.AFTER)
    beside = Thread(target=run_next, args=(office.execution,))
    office.execution = process
    _interrupt(office, "create-mailbox", take_back, When.BEFORE)
    run_next(office.execution)
    is_over.set()
    beside.join()
    office.execution = process
    office.drain()

    assert office.writes()[before:] == [("POST", "mailboxes")]
    assert {state for _, state in office.ledger()} == {"confirmed"}
    assert office.outstanding() == []


def _claimed(office: Office, session: Session, worker: str) -> Lease:
    lease = leases.claim(session, worker=worker, lease=LEASE, now=office.clock.now(), least_urgent=9)
    assert lease is not None
    return lease


def test_old_token_opens_nothing(office: Office) -> None:
    """Once another worker has claimed the lane, every write under the old token raises and changes nothing."""
    office.join("E2", "Ada Lovelace")
    office.apply_all()
    with office.database.write() as session:
        old = _claimed(office, session, "first")
    office.let_leases_run_out()
    with office.database.write() as session:
        leases.give_back_expired(session, office.clock.now())
        new = _claimed(office, session, "second")
    before = office.job_of(2)

    with pytest.raises(LeaseLost), office.database.write() as session:
        leases.hold_lease(session, old, LEASE, office.clock.now())
    with pytest.raises(LeaseLost), office.database.write() as session:
        leases.locked(session, old)

    after = office.job_of(2)
    assert new.fence == old.fence + 1
    assert (after.worker, after.fence, after.lease_until) == ("second", before.fence, before.lease_until)


def test_many_workers_share_the_work_and_do_nothing_twice(office: Office) -> None:
    """Eight workers at once make each mailbox once, and each lane has one of them at a time."""
    names = [f"Ada {letter}" for letter in "ABCDEFGHIJKL"]
    for number, name in enumerate(names, 2):
        office.join(f"E{number}", name, department="Engineering")
    office.apply_all()
    start = Barrier(8)

    def work(name: str) -> None:
        start.wait()
        office.run_all(office.colleague(name))

    threads = [Thread(target=work, args=(f"w{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    office.drain()

    assert len(office.mailboxes()) == 13
    assert office.calls("POST").count(("POST", "mailboxes")) == 13
    assert len(office.aliases()["engineering"]) == 12
    assert office.outstanding() == []


def test_event_that_comes_while_the_job_runs_is_not_lost(office: Office) -> None:
    """What is told while a job runs is done by the same job in another run."""
    office.tell("suspended", "E1")
    office.apply_all()

    def resume() -> None:
        office.move(MINUTE)
        office.tell("resumed", "E1")
        office.apply_all()

    _interrupt(office, "update-mailbox", resume, When.AFTER)
    office.drain()

    assert office.doors("grace.hopper")["send"]
    assert office.outstanding() == []


def test_job_that_ends_well_does_not_open_a_gate_that_was_closed_meanwhile(office: Office) -> None:
    """A call that was under way when the host closed for everybody proves nothing about the time after."""
    office.join("E2", "Ada Lovelace")
    office.join("E3", "Alan Turing")
    office.apply_all()

    def close() -> None:
        with office.database.write() as session:
            gate.close(session, Refusal(Closing.THROTTLED, "closed"), office.clock.now(), probe_sent_at=None)

    _interrupt(office, "create-mailbox", close, When.AFTER)
    office.drain()
    assert set(office.mailboxes()) == {"grace.hopper", "ada.lovelace"}

    office.move(2 * MINUTE)
    office.drain()

    assert "alan.turing" in office.mailboxes()


def test_most_urgent_job_goes_first(office: Office) -> None:
    """A departure told last is done before the joiners that were there already."""
    for number in range(2, 6):
        office.join(f"E{number}", f"Ada {'ABCDEF'[number]}")
    office.tell("left", "E1")
    office.apply_all()
    before = len(office.writes())

    run_next(office.execution)

    assert office.writes()[before:] == [("PUT", "mailboxes/grace.hopper")]


def test_sweep_tells_what_is_there(office: Office) -> None:
    """A look finds events to apply and jobs due, and says so at most once per thread."""
    office.join("E2", "Ada Lovelace")
    found = sweep_once(office.execution, 4)
    assert (found.given_back, found.to_apply, found.due) == (0, 4, 0)

    office.apply_all()
    found = sweep_once(office.execution, 4)

    assert (found.given_back, found.to_apply, found.due) == (0, 0, 1)


_EXPLAINED = ("SELECT", "WITH", "DELETE")
QUEUES: dict[str, tuple[str, Callable[[Session], object]]] = {
    "claim": (
        "ix_jobs_due",
        lambda session: leases.claim(session, worker="w", lease=LEASE, now=MONDAY + FOREVER, least_urgent=3),
    ),
    "due_count": ("ix_jobs_due", lambda session: jobs.due_count(session, MONDAY + FOREVER, 8)),
    "joiners_due": (
        "ix_jobs_due",
        lambda session: jobs.due_count(session, MONDAY + FOREVER, 2, urgency=Urgency.JOINER),
    ),
    "give_back": ("ix_jobs_leases", lambda session: leases.give_back_expired(session, MONDAY)),
    "outstanding": (
        "uq_jobs_outstanding",
        lambda session: jobs.outstanding(session, Subject(SubjectKind.PERSON, "77")),
    ),
    "claim_accepted": ("ix_events_accepted", lambda session: events.claim_accepted(session, MONDAY + FOREVER)),
    "any_accepted": ("ix_events_accepted", lambda session: events.any_accepted(session, MONDAY + FOREVER)),
    "claim_due": ("ix_people_due", lambda session: people.claim_due(session, MONDAY, "h")),
    "any_due": ("ix_people_due", lambda session: people.any_due(session, MONDAY, "h")),
}


def plans_of(database: Database, query: Callable[[Session], object]) -> list[str]:
    """Return PostgreSQL's plan of each statement that a query makes."""
    plans: list[str] = []

    def explain(conn: Connection, cursor: Any, statement: str, parameters: Any, *more: Any) -> None:
        is_many = more[-1]
        asks = statement.startswith(_EXPLAINED) and not statement.startswith("SELECT clock_timestamp")
        if asks and not is_many:
            shown = cursor.connection.execute("EXPLAIN " + statement, parameters).fetchall()
            plans.append("\n".join(line for (line,) in shown))

    event.listen(database.engine, "before_cursor_execute", explain)
    try:
        with database.write() as session:
            query(session)
    finally:
        event.remove(database.engine, "before_cursor_execute", explain)
    return plans


@pytest.mark.parametrize("name", QUEUES)
@pytest.mark.parametrize("engine", [pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_queues_are_read_by_their_partial_indexes(database: Database, name: str) -> None:
    """Among thousands of finished rows the planner finds the few that wait by the index that holds only those."""
    _fill(database)
    index, query = QUEUES[name]

    plans = plans_of(database, query)

    assert index in plans[0]
    assert not any("Seq Scan" in plan for plan in plans)


_PEOPLE = """
insert into people (created_at, name, phase, policy_hash, next_change_at)
select now(), '', '', 'h', case when mod(n, 500) = 0 then now() end from generate_series(1, 5000) n
"""
_EVENTS = """
insert into events (source, ce_source, ce_id, received_at, digest, document, state, failures)
select 'hr', 'urn', n::text, now(), '', '{}', case when mod(n, 500) = 0 then 'accepted' else 'applied' end, 0
from generate_series(1, 5000) n
"""
_JOBS = """
insert into jobs (subject_kind, subject_key, state, urgency, run_at, generation, fence, failures,
                  created_at, updated_at, finished_at, lease_until)
select 'person', n::text, case mod(n, 500) when 0 then 'queued' when 1 then 'running' else 'done' end, 1, now(),
       1, 0, 0, now(), now(), case when mod(n, 500) > 1 then now() end, case mod(n, 500) when 1 then now() end
from generate_series(1, 5000) n
"""
_FILLING = (_PEOPLE, _EVENTS, _JOBS)


def _fill(database: Database) -> None:
    """Put thousands of finished rows and a few waiting ones into the queues."""
    with database.write() as session:
        for statement in _FILLING:
            session.connection().exec_driver_sql(statement)
    with database.write() as session:
        session.connection().exec_driver_sql("analyze")


@ON_POSTGRESQL
def test_a_job_that_ends_while_another_refreshes_it_is_made_anew(database: Database) -> None:
    """A refresh that waited for a run to end makes a new job instead of failing: the run may have looked too early."""
    subject = Subject(SubjectKind.SHARED, "team@example.org")
    with database.write() as session:
        first = jobs.refresh(session, subject, urgency=2, now=MONDAY)
        lease = leases.claim(session, worker="w", lease=timedelta(minutes=1), now=MONDAY, least_urgent=3)
    with ThreadPoolExecutor() as pool:
        with database.write() as session:
            row = leases.locked(session, lease)
            waiting = pool.submit(_refresh, database, subject)
            _wait_for_a_lock(database)
            row.state, row.finished_at = JobState.DONE, MONDAY
        second = waiting.result(timeout=10)

    assert second != first
    with database.read() as session:
        assert jobs.get(session, second).state is JobState.QUEUED


@ON_POSTGRESQL
def test_nobody_is_lost_between_a_reading_and_an_evaluation(office: Office) -> None:
    """Somebody evaluated while the domain's reading is noted is evaluated again, and gets a mailbox."""
    with office.database.write() as session:
        session.execute(text("delete from domains"))
    office.join("E7", "Ada Lovelace")
    office.join("E8", "Alan Turing")
    apply_next(office.intake)  # E7 has the domain read
    with ThreadPoolExecutor() as pool:
        with office.database.write() as session:
            apply._apply_one(session, office.intake, office.clock.now())  # E8, not committed yet
            reading = pool.submit(run_next, office.execution)
            _wait_for_a_lock(office.database)
        assert reading.result(timeout=10)
    office.drain()

    assert {"ada.lovelace", "alan.turing"} <= set(office.mailboxes())


def _refresh(database: Database, subject: Subject) -> int:
    with database.write() as session:
        return jobs.refresh(session, subject, urgency=2, now=MONDAY)


def _wait_for_a_lock(database: Database) -> None:
    deadline = time.monotonic() + 10
    while True:
        with database.read() as session:
            if session.execute(text(_SOMEBODY_WAITS)).first():
                return
        assert time.monotonic() < deadline, "nobody waits"
