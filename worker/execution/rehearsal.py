"""A rehearsal: a copy of the database, in a transaction that is always rolled back, for rooms that know a database."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from worker.store.apart import set_apart
from worker.store.database import Database, Session


class _Over(Exception):
    """The rehearsal is over; raised to roll it back."""


class Rehearsal(Database):
    """A database whose transactions are savepoints of one that never commits. One thread at a time."""

    def __init__(self, session: Session) -> None:
        """Stand in for the database that a writing transaction is of."""
        self.engine = session.get_bind().engine
        self._session = session

    @contextmanager
    def write(self, *, durable: bool = True, ahead: bool = False) -> Iterator[Session]:  # noqa: ARG002 - nothing lasts
        """Open a savepoint, kept for the rest of the rehearsal unless the block raises."""
        with self._session.begin_nested():
            yield self._session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Read what the rehearsal has written so far."""
        yield self._session

    def close(self) -> None:
        """Close nothing: the connections belong to the real database."""


@contextmanager
def rehearsed(database: Database) -> Iterator[Rehearsal]:
    """Yield a stand-in of a database that forgets everything at the end, also where the block raises.

    It is a copy, so that no writer waits for it. Make no network call within.
    """
    with suppress(_Over), set_apart(database) as session:
        yield Rehearsal(session)
        raise _Over
