"""Counting what leaves no row: in memory, and written down by a thread of its own every few seconds.

So nobody can make us write at every request, and what is written grows by at most a row per configured source, kind
and minute, whoever sends what; and where forged and good deliveries alternate, by one at each writing.
"""

import threading
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from worker.clock import Clock
from worker.store import tallies
from worker.store.database import Database, DatabaseFailure
from worker.store.source_health import WEEK
from worker.store.tallies import Tally, TallyKind, minute_of

_log = structlog.get_logger(__name__)

EVERY_S = 5.0
_MOST_KEPT = 1_000  # minutes of sources, while the database does not answer
_KEPT_FOR = WEEK + timedelta(days=1)


class Tallies:
    """The counts of one process that are not written yet. Threads may share it."""

    def __init__(self, database: Database, clock: Clock, *, every_s: float = EVERY_S) -> None:
        self._database, self._clock, self._every_s = database, clock, every_s
        self._lock = threading.Lock()
        self._pending: dict[tuple[str, TallyKind, str], Tally] = {}
        self._behind: dict[str, datetime | None] = {}
        """When the first refusal came behind the latest good delivery of a source; None as long as none did."""
        self._timer: threading.Timer | None = None

    def heard(self, source: str) -> None:
        """Count a delivery by the source itself just now: what is refused from now on is counted apart."""
        self.count(source, TallyKind.HEARD)
        with self._lock:
            if (began := self._behind.get(source)) is not None:
                # Those before it need no row of their own any more.
                past = self._pending.pop(_key(source, TallyKind.REFUSED, began), None)
                if past is not None:
                    self._add(replace(past, apart=None))
            self._behind[source] = None

    def count(self, source: str, kind: TallyKind, *, number: int = 1, said: str | None = None) -> None:
        """Count something that happened just now to a configured source; ``said`` quotes nothing that was sent."""
        now = self._clock.now()
        with self._lock:
            apart = self._apart(source, now) if kind is TallyKind.REFUSED else None
            self._add(Tally(source, kind, number, now, now, said, apart))
            if self._timer is None:
                self._timer = self._begin()

    def flush(self) -> None:
        """Write down what was counted; while the database does not answer it is kept."""
        with self._lock:
            pending, self._pending, self._timer = list(self._pending.values()), {}, None
        if not pending:
            return
        try:
            with self._database.write() as session:
                tallies.add(session, pending)
                tallies.forget(session, self._clock.now() - _KEPT_FOR)
        except DatabaseFailure as error:
            _log.warning("counts of sources could not be written; they are kept", error=type(error).__name__)
            self._keep(pending)

    def close(self) -> None:
        """Write down what is left, and count no more by itself."""
        with self._lock:
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        self.flush()

    def _apart(self, source: str, now: datetime) -> datetime | None:
        if source not in self._behind:
            return None
        began = self._behind[source] or now
        if minute_of(began) != minute_of(now):  # a minute in which nothing good came has a row of its own anyway
            del self._behind[source]
            return None
        self._behind[source] = began
        return began

    def _begin(self) -> threading.Timer:
        timer = threading.Timer(self._every_s, self.flush)
        timer.daemon = True
        timer.start()
        return timer

    def _keep(self, pending: list[Tally]) -> None:
        with self._lock:
            for each in pending:
                self._add(each)
            if self._timer is None:
                self._timer = self._begin()

    def _add(self, tally: Tally) -> None:
        key = _key(tally.source, tally.kind, tally.minute)
        known = self._pending.get(key)
        if known is not None:
            self._pending[key] = replace(
                known, count=known.count + tally.count, last_at=tally.last_at, said=tally.said or known.said
            )
        elif len(self._pending) < _MOST_KEPT:
            self._pending[key] = tally


def _key(source: str, kind: TallyKind, minute: datetime) -> tuple[str, TallyKind, str]:
    return source, kind, minute.isoformat()
