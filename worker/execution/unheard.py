"""Unheard bells: while nobody answers those that a sweep rings, its process does the work itself, one by one.

A broker that is away, or a consumer of it that stands still, so delays what is due by seconds, however long it lasts.
"""

import threading
from collections.abc import Callable

import structlog

from worker.execution.sweep import Swept
from worker.store.database import DatabaseFailure

_log = structlog.get_logger(__name__)


class Unheard:
    """Watches whether bells are heard in this process, and stands in for its tasks while they are not."""

    def __init__(self, *, heard: Callable[[], int], work: Callable[[], bool]) -> None:
        """``heard`` counts the tasks that began here; ``work`` does a piece of each kind. Was there any? it returns."""
        self._heard, self._work = heard, work
        self._heard_before: int | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def rang(self, swept: Swept) -> None:
        """Be told what a sweep rang for. Where it rang in vain the last time, begin to work.

        Work that is there at two looks in a row, and not one bell between them: where other processes heard them all,
        as may be, the work is done once all the same.
        """
        before, self._heard_before = self._heard_before, self._heard() if swept.found_work else None
        heard = self._heard_before
        if heard is not None and heard == before and not self._is_at_work:
            self._thread = threading.Thread(target=self._work_until_heard, args=(heard,), name="unheard", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End, and wait for the piece of work in hand."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def _is_at_work(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _work_until_heard(self, heard: int) -> None:
        _log.info("no bell was heard since the last sweep: this process does what is due by itself")
        try:
            while not self._stop.is_set() and self._heard() == heard and self._work():
                pass
        except DatabaseFailure as error:
            _log.warning("the database did not take what was done without bells", error=type(error).__name__)
        except Exception:  # noqa: BLE001 - the rim of a thread; the next sweep begins another
            _log.exception("work without bells failed")
