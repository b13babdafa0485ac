"""A worker's life: how far it gets before it is killed, at a commit or at a call, as a process is that gets SIGKILL."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import event

from worker.store.database import Database, Session, after_commit


class Killed(BaseException):
    """The process is gone at this instant: nothing of ours may catch it, as nothing survives SIGKILL."""


@dataclass(slots=True)
class Life:
    """Counts the points at which a process may die, and ends at one of them."""

    ends_at: int | None = None
    """Which point is the last, from 0 on; None lives as long as the test."""
    points: list[str] = field(default_factory=list)
    """The points passed, in words."""
    over: bool = False

    def pass_point(self, what: str) -> None:
        """Go past a point, or die there. Raises Killed, and again at whatever is tried afterwards."""
        if self.over:
            raise Killed
        self.points.append(what)
        if self.ends_at == len(self.points) - 1:
            self.over = True
            raise Killed(what)

    def follow(self, client: httpx.Client) -> None:
        """Count the calls of a client: before each is sent, and once its answer has begun to come."""
        client.event_hooks = {
            "request": [lambda sent: self.pass_point(f"before {_shown(sent)}")],
            "response": [lambda answer: self.pass_point(f"after {_shown(answer.request)}")],
        }


class MortalDatabase(Database):
    """A database whose user may die immediately before or after each commit."""

    def __init__(self, url: str, life: Life) -> None:
        super().__init__(url)
        self.life = life

    @contextmanager
    def write(self, *, durable: bool = True, ahead: bool = False) -> Iterator[Session]:
        """Open a writing transaction, with a point on either side of its commit."""
        with super().write(durable=durable, ahead=ahead) as session:
            yield session
            self.life.pass_point("before a commit")
        self.life.pass_point("after a commit")

    def come_back(self) -> None:
        """Begin again after a death: this database outlives who uses it, with all that it was told."""


class PowerlessDatabase(MortalDatabase):
    """An SQLite database on a machine that its user's death takes with it: what had not waited for the disk is gone.

    Of a power cut a test cannot know what it takes; it is all that it may take.
    """

    def __init__(self, url: str, life: Life) -> None:
        super().__init__(url, life)
        self._file = Path(self.engine.url.database or "")
        self._log = self._file.with_name(f"{self._file.name}-wal")
        self._written = self._on_disk = 0
        self.lost = 0
        """How much of the log went with the power, in bytes."""
        event.listen(self.engine, "connect", _write_ahead_only)

    @contextmanager
    def write(self, *, durable: bool = True, ahead: bool = False) -> Iterator[Session]:
        """Open a writing transaction, and note once it is committed how far the log is safe."""
        with super().write(durable=durable, ahead=ahead) as session:
            after_commit(session, lambda: self._note(durable=durable))
            yield session

    def come_back(self) -> None:
        """Have what is on the disk, and no more."""
        file, log = self._file.read_bytes(), self._log.read_bytes()
        self.close()  # which moves the log into the file, and removes it
        self._file.write_bytes(file)
        self._log.write_bytes(log[: self._on_disk])
        self.lost += self._written - self._on_disk
        self._written = self._on_disk

    def _note(self, *, durable: bool) -> None:
        written = self._log.stat().st_size
        if durable and written > self._written:  # a transaction that changed nothing does not wait either
            self._on_disk = written
        self._written = written


def _write_ahead_only(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA wal_autocheckpoint=0")


def _shown(request: httpx.Request) -> str:
    return f"{request.method} {request.url.path.partition('/domains/')[2]}"
