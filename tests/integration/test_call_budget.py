"""The limit of the call budget on both engines: slots, the reserve, dead holders, late answers, and changed limits."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
import time_machine
from sqlalchemy import Connection, event, func, select, text

from tests.integration.counter import MINUTE, NOON, SECOND, WINDOW, Counter
from tests.integration.office import ON_POSTGRESQL
from worker.migadu import CALL_DEADLINE
from worker.store.budget import CallBudget, CallLimit, LimitReached, Permit, Room
from worker.store.database import Database, Session, database_now
from worker.store.gate import Heard
from worker.store.slots import LONGEST_CALL
from worker.store.tables import SlotRow


def _taken(counter: Counter, *, is_revocation: bool = False) -> list[Permit]:
    """Take calls until none is to be had."""
    permits: list[Permit] = []
    for _ in range(1000):
        try:
            permits.append(counter.take(is_revocation=is_revocation))
        except LimitReached:
            return permits
    raise AssertionError("there is no limit")


def test_a_slot_is_taken_until_the_answer_plus_the_window(database: Database) -> None:
    """Whatever the latency, a slot is free again one window after its call was answered, and no moment earlier."""
    counter = Counter(database, 2)
    first, second = _taken(counter)
    counter.wait(10 * SECOND)
    counter.answer(first)
    counter.wait(10 * SECOND)
    counter.answer(second)

    counter.wait(WINDOW - 11 * SECOND)
    with pytest.raises(LimitReached) as refused:
        counter.take()
    assert refused.value.wait == SECOND

    counter.wait(SECOND)
    assert len(_taken(counter)) == 1
    counter.wait(10 * SECOND)
    assert len(_taken(counter)) == 1


def test_whoever_is_refused_is_told_when_the_first_slot_is_free(database: Database) -> None:
    """The wait is until the call answered first is a window old; one under way is taken to be answered in a moment."""
    counter = Counter(database, 3)
    first, second, _ = _taken(counter)
    with pytest.raises(LimitReached) as under_way:
        counter.take()
    counter.answer(first)
    counter.wait(5 * SECOND)
    counter.answer(second)
    counter.wait(5 * SECOND)
    with pytest.raises(LimitReached) as answered:
        counter.take()

    assert under_way.value.wait == WINDOW
    assert answered.value.wait == WINDOW - 10 * SECOND


def test_a_reserve_is_kept_for_revocations(database: Database) -> None:
    """Others stop where the reserve begins; revocations first take what is for all, and then the reserve."""
    counter = Counter(database, 5, reserve=2)
    assert counter.room() is Room.EVERYBODY
    counter.call(is_revocation=True)
    assert len(_taken(counter)) == 2

    assert counter.room() is Room.REVOCATIONS
    assert len(_taken(counter, is_revocation=True)) == 2
    assert counter.room() is Room.NOBODY


def test_a_reserve_is_back_a_window_after_its_use(database: Database) -> None:
    """What revocations used of the reserve is kept for revocations again, and not given to the others."""
    counter = Counter(database, 3, reserve=2)
    counter.call()
    counter.call(is_revocation=True)
    counter.call(is_revocation=True)
    counter.wait(WINDOW)

    assert len(_taken(counter)) == 1
    assert len(_taken(counter, is_revocation=True)) == 2


def test_others_use_up_the_limit_by_quarters(database: Database) -> None:
    """A backlog is not let through at once, so that there is always a slot that is free soon; in all it loses none."""
    counter = Counter(database, 60, reserve=10)
    let_through = []
    for _ in range(5):
        let_through.append(0)
        while counter.room() is Room.EVERYBODY:
            counter.call()
            let_through[-1] += 1
        assert counter.room() is not Room.NOBODY
        counter.wait(WINDOW / 4)

    assert let_through == [13, 13, 13, 11, 13]


def test_others_leave_as_many_slots_as_revocations_used_of_the_reserve(database: Database) -> None:
    """What is free for everybody is let to revocations where the reserve is not free."""
    counter = Counter(database, 40, reserve=10)
    for _ in range(30):
        counter.call()
    counter.wait(0.95 * WINDOW)
    for _ in range(8):
        counter.call(is_revocation=True)
    counter.wait(0.05 * WINDOW)

    let_through = []
    for _ in range(4):
        let_through.append(0)
        while counter.room() is Room.EVERYBODY:
            counter.call()
            let_through[-1] += 1
        assert counter.room() is Room.REVOCATIONS
        counter.wait(WINDOW / 4)

    assert let_through == [8, 8, 6, 0]


def test_a_dead_holder_frees_its_slot_after_the_longest_call(database: Database) -> None:
    """A call that nobody ever reports counts as if it had taken longer than any call may, and a window more."""
    counter = Counter(database, 1)
    counter.take()

    counter.wait(LONGEST_CALL + WINDOW - SECOND)
    assert counter.room() is Room.NOBODY
    counter.wait(SECOND)
    assert counter.room() is Room.EVERYBODY
    assert LONGEST_CALL > CALL_DEADLINE


def test_a_call_that_is_never_answered_has_its_slot_to_the_end(database: Database) -> None:
    """Whoever gives up waiting does not know when the call arrives, so its slot is busy for the longest call."""
    counter = Counter(database, 1)
    given_up = counter.take()
    counter.wait(20 * SECOND)
    counter.answer(given_up, Heard.SILENCE)

    counter.wait(LONGEST_CALL - 20 * SECOND + WINDOW - SECOND)
    assert counter.room() is Room.NOBODY
    counter.wait(SECOND)
    assert counter.room() is Room.EVERYBODY


def test_a_clock_that_is_set_back_stops_nobody_for_as_long(database: Database) -> None:
    """After a year's correction there is room again once no call from before can still count, and not earlier."""
    counter = Counter(database, 2)
    counter.call()
    counter.take()
    counter.wait(-365 * 24 * 60 * MINUTE)
    for _ in range(2):  # the sweep does so again and again
        with database.write() as session:
            counter.budget.follow_clock(session)
        counter.wait(LONGEST_CALL)

    counter.wait(WINDOW - LONGEST_CALL - SECOND)
    assert counter.room() is Room.NOBODY
    counter.wait(SECOND)
    assert len(_taken(counter)) == 2


def test_a_late_answer_does_not_free_what_another_call_has_taken(database: Database) -> None:
    """Somebody who was taken for dead and is not, answers for the own call only."""
    counter = Counter(database, 1)
    late = counter.take()
    counter.wait(LONGEST_CALL + WINDOW)
    counter.take()
    counter.answer(late)
    counter.wait(WINDOW)

    assert counter.room() is Room.NOBODY


def test_a_call_that_is_rolled_back_takes_no_slot(database: Database) -> None:
    """A transaction that fails after taking gives everything back."""
    counter = Counter(database, 1)
    with database.write() as session:
        counter.budget.take(session, is_revocation=False)
        session.rollback()

    assert len(_taken(counter)) == 1


def test_without_a_limit_nothing_is_counted(database: Database) -> None:
    """Where the limit is off, every call goes through and no slot is made."""
    counter = Counter(database)
    for _ in range(100):
        counter.call()

    assert counter.room() is Room.EVERYBODY
    assert _counted(database) == (0, 0)


def test_slots_are_made_by_whoever_calls_first(database: Database) -> None:
    """A command that calls before any worker has started makes the slots, however many do so at once."""
    together = Barrier(4)
    budget = CallBudget(CallLimit(3, WINDOW, 1))

    def take(_: int) -> bool:
        together.wait(timeout=10)
        try:
            with database.write() as session:
                return bool(budget.take(session, is_revocation=False))
        except LimitReached:
            return False

    with database.read() as session:
        assert budget.room(session) is Room.EVERYBODY
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(take, range(4))).count(True) == 2  # three less the reserve
    assert _counted(database) == (3, 1)


@pytest.mark.parametrize("reserve", [0, 2])
def test_many_threads_take_each_slot_once(database: Database, reserve: int) -> None:
    """Sixteen threads at once take as many slots as there are for them, and nobody waits for anybody's commit."""
    counter = Counter(database, 40, reserve=reserve)
    together = Barrier(16)

    def work(_: int) -> list[Permit]:
        together.wait(timeout=10)
        return _taken(counter)

    with ThreadPoolExecutor(16) as pool:
        taken = [permit.slot for permits in pool.map(work, range(16)) for permit in permits]

    assert len(taken) == len(set(taken)) == 40 - reserve


@ON_POSTGRESQL
def test_a_taker_passes_over_a_slot_that_another_holds(database: Database) -> None:
    """While one transaction has taken a slot and not committed, others take the rest, and are told to be back soon."""
    counter = Counter(database, 2)
    with database.write() as session:
        counter.budget.take(session, is_revocation=False)
        counter.call()
        counter.wait(WINDOW)
        counter.call()
        with pytest.raises(LimitReached) as refused:
            counter.take()
        assert refused.value.wait < SECOND


def test_a_lower_limit_keeps_the_busiest_slots(database: Database) -> None:
    """After ten calls a limit of four lets nobody through until the fourth last of them is a window old."""
    counter = Counter(database, 10)
    for _ in range(10):
        counter.call()
        counter.wait(SECOND)
    counter.fit(4, reserve=1)
    assert _counted(database) == (4, 1)

    assert counter.room() is Room.NOBODY
    counter.wait(WINDOW - 4 * SECOND)
    assert len(_taken(counter, is_revocation=True)) == 1
    counter.wait(3 * SECOND)
    assert len(_taken(counter, is_revocation=True)) == 3


def test_a_lower_limit_counts_calls_under_way_at_their_longest(database: Database) -> None:
    """An early answer after the change frees nothing: of what was under way not everything is known any more."""
    counter = Counter(database, 4)
    permits = _taken(counter)
    counter.fit(2)
    for permit in permits:
        counter.answer(permit)

    counter.wait(LONGEST_CALL + WINDOW - SECOND)
    assert counter.room() is Room.NOBODY
    counter.wait(SECOND)
    assert len(_taken(counter)) == 2


def test_a_higher_limit_is_used_one_window_later(database: Database) -> None:
    """Slots that are added might stand for some that were taken away a moment ago, so they are busy at first."""
    counter = Counter(database, 4)
    for _ in range(4):
        counter.call()
    counter.fit(1)
    counter.fit(6)
    assert counter.room() is Room.NOBODY

    counter.wait(LONGEST_CALL + WINDOW - SECOND)
    assert len(_taken(counter)) == 1
    counter.wait(SECOND)
    assert len(_taken(counter)) == 5


def test_fitting_again_changes_nothing(database: Database) -> None:
    """A worker that starts with the same limit frees nothing and takes nothing away."""
    counter = Counter(database, 3, reserve=1)
    counter.call()
    before = _rows(database)
    counter.fit(3, reserve=1)

    assert _rows(database) == before


def test_workers_that_start_at_once_fit_the_slots_once(database: Database) -> None:
    """Eight workers that start together with the same limit make it once, while others call."""
    counter = Counter(database, 12, reserve=3)
    budget = CallBudget(CallLimit(5, WINDOW, 2), clock=lambda _: NOON)
    together = Barrier(8)

    def start(number: int) -> None:
        together.wait(timeout=10)
        for _ in range(5):
            with database.write() as session:
                budget.fit(session)
            _taken(counter)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(start, range(8)))

    assert _counted(database) == (5, 2)


def test_a_longer_window_holds_from_the_first_call_on(database: Database) -> None:
    """Slots know when they were busy and not until when, so a changed window needs nothing else."""
    counter = Counter(database, 1)
    counter.call()
    counter.wait(WINDOW)
    longer = CallBudget(CallLimit(1, 2 * WINDOW, 0), clock=lambda _: counter.now)

    with database.write() as session, pytest.raises(LimitReached):
        longer.take(session, is_revocation=False)
    assert counter.room() is Room.EVERYBODY


def test_the_clock_is_the_database_s(database: Database) -> None:
    """The budget goes by the database's clock, so that the clocks of the machines that call need not agree."""
    budget = CallBudget(CallLimit(1, MINUTE, 0))
    with database.write() as session:
        now = database_now(session)
        with time_machine.travel(now + timedelta(days=1)):
            permit = budget.take(session, is_revocation=False)

    assert now <= permit.taken_at < now + timedelta(hours=1)


STATEMENTS = {
    "take": (lambda session, budget: budget.take(session, is_revocation=False), "id % 10 > 0"),
    "take from the reserve": (lambda session, budget: budget.take(session, is_revocation=True), "not kept"),
    "be refused": (lambda session, budget: budget.take(session, is_revocation=True), "true"),
    "ask before claiming": (lambda session, budget: budget.room(session), "true"),
}
"""What is asked, and which slots are busy then."""


@pytest.mark.parametrize("name", STATEMENTS)
def test_slots_are_found_by_their_index(database: Database, name: str) -> None:
    """Among twelve thousand slots, of which most are busy, a take and the question before it read the index alone."""
    counter = Counter(database, 12_000, reserve=100)
    ask, busy = STATEMENTS[name]
    _make_busy(database, busy)
    with _explained(database) as plans, database.write() as session, suppress(LimitReached):
        ask(session, counter.budget)

    told = "\n".join(plans)
    assert "ix_call_slots_busy_until" in told
    assert "Seq Scan on call_slots" not in told, told
    assert "SCAN call_slots\n" not in f"{told}\n", told
    assert "Sort" not in told, told
    assert "TEMP B-TREE" not in told, told


def _make_busy(database: Database, which: str) -> None:
    """Have some slots be busy, and the planner know it."""
    with database.write() as session:
        session.execute(
            text(f"update call_slots set busy_until = :at where {which}"),
            {"at": str(NOON.replace(tzinfo=None)) if database.is_sqlite else NOON},
        )
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("analyze")


@contextmanager
def _explained(database: Database) -> Iterator[list[str]]:
    """Collect the plan of each statement over slots."""
    plans: list[str] = []
    explain, column = ("EXPLAIN QUERY PLAN ", 3) if database.is_sqlite else ("EXPLAIN ", 0)

    def collect(_conn: Connection, cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        if "call_slots" in statement:
            rows = cursor.connection.execute(explain + statement, parameters).fetchall()
            plans.append("\n".join(row[column] for row in rows))

    event.listen(database.engine, "before_cursor_execute", collect)
    try:
        yield plans
    finally:
        event.remove(database.engine, "before_cursor_execute", collect)


def _counted(database: Database) -> tuple[int, int]:
    with database.read() as session:
        return _number(session, SlotRow.id), _number(session, SlotRow.id, SlotRow.kept)


def _number(session: Session, column: Any, *where: Any) -> int:
    return session.scalar(select(func.count(column)).where(*where)) or 0


def _rows(database: Database) -> list[Any]:
    with database.read() as session:
        return list(session.execute(select(SlotRow.id, SlotRow.kept, SlotRow.busy_until, SlotRow.takings)))
