"""The call budget under load: takes and answers of sixteen threads over four processes on PostgreSQL.

The floor in the same run is as many transactions that each update a row of their own, by the same threads. Each
measurement takes a few seconds.
"""

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from functools import partial

from sqlalchemy import text

from tests.servers import POSTGRES, fresh_database, usable_url
from worker.store import schema
from worker.store.budget import CallBudget, CallLimit, NoCallNow
from worker.store.database import Database
from worker.store.gate import Heard

PROCESSES, THREADS, FOR_S = 4, 4, 6.0
AT_ONCE = timedelta(0)
"""A window of nothing: each slot is free as soon as it is answered, so that only the machinery is measured."""

Work = Callable[[Database, str], bool]
"""Does one thing in the database, and tells whether it was done."""


def measure() -> dict[str, object]:
    """Measure on a database that is made for it and dropped. Raises ServerMissing without a PostgreSQL."""
    with fresh_database(usable_url(POSTGRES)) as url:
        schema.upgrade(url)
        floor = _measured(url, update_twice)
        return {
            "threads": PROCESSES * THREADS,
            "floor_pairs_per_s": floor,
            "100 slots": _compared(url, CallLimit(100, AT_ONCE, 10), floor),
            "12000 slots": _compared(url, CallLimit(12_000, AT_ONCE, 100), floor),
            "100/1": _used(url, CallLimit(100, timedelta(seconds=1), 0)),
            "12000/120": _compared(url, CallLimit(12_000, timedelta(seconds=120), 100), floor),
        }


def update_twice(database: Database, name: str) -> bool:
    """Do what is least for a call: two transactions, each updating a row that nobody else updates."""
    for _ in range(2):
        with database.write() as session:
            session.execute(text("update workers set seen_at = clock_timestamp() where id = :id"), {"id": name})
    return True


def take_and_answer(limit: CallLimit, database: Database, name: str) -> bool:
    """Take the right to a call and answer it, in two transactions."""
    budget = CallBudget(limit)
    try:
        with database.write() as session:
            permit = budget.take(session, is_revocation=False)
    except NoCallNow:
        return False
    with database.write() as session:
        budget.answered(session, permit, Heard.SERVED)
    return True


def _compared(url: str, limit: CallLimit, floor: float) -> dict[str, float]:
    _make_anew(url, limit)
    pairs = _measured(url, partial(take_and_answer, limit))
    return {"pairs_per_s": pairs, "of_floor": round(pairs / floor, 2)}


def _used(url: str, limit: CallLimit) -> dict[str, float]:
    _make_anew(url, limit)
    calls = _measured(url, partial(take_and_answer, limit))
    return {"calls_per_s": calls, "of_limit": round(calls * limit.window.total_seconds() / limit.calls, 2)}


def _make_anew(url: str, limit: CallLimit) -> None:
    with closing(Database(url)) as database, database.write() as session:
        session.execute(text("delete from call_slots"))
        CallBudget(limit).fit(session)
    with closing(Database(url)) as database, database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("vacuum analyze call_slots")


def _measured(url: str, work: Work) -> float:
    """Return how often all threads together did their work in a second."""
    context = multiprocessing.get_context("spawn")  # a fork would share connections
    ready = context.Barrier(PROCESSES)
    with context.Pool(PROCESSES, initializer=_wait_with, initargs=(ready,)) as pool:
        counted = pool.starmap(_work, [(url, work, number) for number in range(PROCESSES)], chunksize=1)
    return round(sum(counted) / FOR_S, 1)


_READY: dict[str, object] = {}


def _wait_with(ready: object) -> None:
    _READY["barrier"] = ready


def _work(url: str, work: Work, number: int) -> int:
    names = [f"{number}-{thread}" for thread in range(THREADS)]
    with closing(Database(url, connections=THREADS)) as database, ThreadPoolExecutor(THREADS) as pool:
        with database.write() as session:
            for name in names:
                new = "insert into workers values (:id, now(), now()) on conflict do nothing"
                session.execute(text(new), {"id": name})
        _READY["barrier"].wait()  # type: ignore[attr-defined]
        ends_s = time.monotonic() + FOR_S
        done: Counter[bool] = sum(pool.map(lambda name: _repeat(database, work, name, ends_s), names), Counter())
        return done[True]


def _repeat(database: Database, work: Work, name: str, ends_s: float) -> Counter[bool]:
    done: Counter[bool] = Counter()
    while time.monotonic() < ends_s:
        done[work(database, name)] += 1
    return done
