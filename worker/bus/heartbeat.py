"""The sign of life of a consumer that is connected to its broker: a row, by which ``doctor`` and others know it."""

import socket
import time
import uuid

from worker.store import workers
from worker.store.database import Database, DatabaseFailure

_EVERY_S = 10.0


class Heartbeat:
    """One consumer's. A database that does not answer is told, never raised."""

    def __init__(self, database: Database, source: str) -> None:
        self._database, self._source = database, source
        self._process = f"{socket.gethostname()[:40]}-{uuid.uuid4().hex[:8]}"
        self._due_s = 0.0

    def beat(self, *, at_once: bool = False) -> bool:
        """Show that the consumer is connected, every ten seconds or at once. False: the database does not answer."""
        if not at_once and time.monotonic() < self._due_s:
            return True
        self._due_s = time.monotonic() + _EVERY_S
        try:
            with self._database.write() as session:
                workers.consuming(session, self._source, self._process)
        except DatabaseFailure:
            return False
        return True

    def end(self) -> bool:
        """Show that it is connected no more. False: the database does not answer."""
        self._due_s = 0.0
        try:
            with self._database.write() as session:
                workers.consumed(session, self._source, self._process)
        except DatabaseFailure:
            return False
        return True
