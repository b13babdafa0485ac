"""Sweep: what bells do not tell. A thread in every worker process looks every few seconds, with no leader.

It gives back what dead workers held, follows the database's clock where that was set back, deletes deliveries and
hints that were kept for long enough, and rings for work that is due. However many sweep, the work is done once.
"""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from worker.execution.context import Execution
from worker.execution.perform import DRY_RUN
from worker.store import deliveries, events, hints, holds, jobs, leases, lines, people, settled_hints, workers
from worker.store.database import DatabaseFailure, Session
from worker.store.policies import active_policy

_log = structlog.get_logger(__name__)
_FORGOTTEN = 500
"""How many deliveries, and how many hints, whose time is over are deleted in one look."""
_HINTS_KEPT = timedelta(days=90)
"""At least so long it is known of a hint that it was delivered; no sender that we know delivers anything so late."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What one look found."""

    given_back: int
    to_apply: int
    due: int
    to_ask_for: int

    @property
    def found_work(self) -> bool:
        """Whether it rang for something."""
        return bool(self.to_apply or self.due or self.to_ask_for)


def sweep_once(execution: Execution, threads: int) -> Swept:
    """Look once: leases that ran out, events, people, jobs and hints that are due; ring at most once per thread."""
    now = execution.clock.now()
    with execution.database.write() as session:
        workers.seen(session, execution.worker)
        execution.budget.follow_clock(session)
        given_back = leases.give_back_expired(session, now) + hints.give_back_expired(session, now)
        holds.close_empty(session, now)
        jobs.look_again(session, now)
        if not execution.dry_run:
            jobs.requeue_held(session, DRY_RUN, now)
    with execution.database.read() as session:
        waiting = _any_to_apply(session, now)
        due = jobs.due_count(session, now, at_most=threads)
        to_ask_for = hints.due_count(session, now, at_most=threads)
        is_anything_over = deliveries.any_older(session, now - execution.raw_kept) or settled_hints.any_older(
            session, now - _hints_kept(execution)
        )
    if is_anything_over:
        with execution.database.write() as session:
            deliveries.forget_older(session, now - execution.raw_kept, limit=_FORGOTTEN)
            settled_hints.forget_older(session, now - _hints_kept(execution), limit=_FORGOTTEN)
    for _ in range(threads if waiting else 0):
        execution.bell.ring_apply()
    for _ in range(due):
        execution.bell.ring_run()
    for _ in range(to_ask_for):
        execution.bell.ring_hydrate()
    return Swept(given_back, threads if waiting else 0, due, to_ask_for)


def _hints_kept(execution: Execution) -> timedelta:
    """A replay asks once more for those that were taken, so they are known for as long as deliveries are kept."""
    return max(_HINTS_KEPT, execution.raw_kept)


def _any_to_apply(session: Session, now: datetime) -> bool:
    if events.any_accepted(session, now) or lines.due(session, now) is not None:
        return True
    policy = active_policy(session)
    return policy is not None and people.any_due(session, now, policy[0])


class Sweep:
    """The sweeping thread of a process."""

    def __init__(
        self,
        execution: Execution,
        *,
        threads: Callable[[], int],
        rang: Callable[[Swept], None] = lambda _: None,
        every_s: float = 3.0,
    ) -> None:
        """``threads`` tells how many worker threads are free now: more bells would only queue up.

        ``rang`` is told of each look during which there was one; it must not take long.
        """
        self._execution, self._threads, self._rang, self._every_s = execution, threads, rang, every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweep", daemon=True)

    def start(self) -> None:
        """Begin sweeping."""
        self._thread.start()

    def stop(self) -> None:
        """End sweeping and wait for the look in hand."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        self._look()  # at once: nobody may have swept since the last worker ended
        while not self._stop.wait(self._every_s * random.uniform(0.5, 1.5)):  # noqa: S311 - jitter, no secret
            self._look()

    def _look(self) -> None:
        try:
            free = self._threads()
            swept = sweep_once(self._execution, max(free, 1))
            if free > 0:
                self._rang(swept)
        except DatabaseFailure as error:
            _log.warning("the sweep could not reach the database", error=type(error).__name__)
        except Exception:  # noqa: BLE001 - the rim of a thread that must outlive any defect
            _log.exception("the sweep failed")
