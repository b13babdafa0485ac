"""The connection to the database, on SQLite and PostgreSQL, with the traps of each closed.

A use case opens ``write`` or ``read`` and closes it; queries never commit. SQLite writers begin IMMEDIATE, because a
deferred transaction that upgrades fails at once with "database is locked" whatever the busy timeout
(`engineering.md` A6), and synchronous is FULL because an answered 202 must survive a power cut.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError as DatabaseBusy
from sqlalchemy.exc import SQLAlchemyError as DatabaseFailure
from sqlalchemy.orm import Session

# DatabaseBusy: a lock that was waited for too long, a deadlock, a database that went away. Trying again may help.
__all__ = ["Database", "DatabaseBusy", "DatabaseFailure", "Session", "after_commit", "database_now"]

_READ_ONLY = "mailroster_read_only"
_BUSY_MS = 15_000
_LOCK_TIMEOUT_MS = 10_000
_STATEMENT_TIMEOUT_MS = 30_000


class Database:
    """One engine and the two kinds of transaction. Threads may share it."""

    def __init__(self, url: str, *, connections: int = 16) -> None:
        """Open lazily: no connection is made before the first transaction."""
        self.engine = _engine(url, connections)

    @property
    def is_sqlite(self) -> bool:
        """Whether the embedded engine is used."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a writing transaction that commits at the end, or rolls back if the block raises."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a reading transaction, which on SQLite never waits for a writer."""
        with (
            self.engine.connect().execution_options(**{_READ_ONLY: True}) as connection,
            Session(connection) as session,
        ):
            yield session

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def after_commit(session: Session, call: Callable[[], None]) -> None:
    """Have this called once the session's transaction is committed, and not at all if it is rolled back."""

    def tell(committed: Session) -> None:
        if not committed.in_nested_transaction():  # a savepoint's release is no commit, though it is announced as one
            call()

    event.listen(session, "after_commit", tell)


def database_now(session: Session) -> datetime:
    """Return the database's own clock, by which leases go: aware UTC, the same for all workers."""
    if session.get_bind().dialect.name == "sqlite":
        written = session.scalars(select(func.strftime("%Y-%m-%dT%H:%M:%f", "now"))).one()
        return datetime.fromisoformat(str(written)).replace(tzinfo=UTC)
    now: datetime = session.scalars(select(func.clock_timestamp())).one()
    return now.astimezone(UTC)


def _engine(url: str, connections: int) -> Engine:
    if make_url(url).get_backend_name() == "sqlite":
        engine = create_engine(url, pool_size=connections, max_overflow=connections, hide_parameters=True)
        event.listen(engine, "do_connect", lambda *_: _make_private(make_url(url).database))
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    options = f"-c lock_timeout={_LOCK_TIMEOUT_MS} -c statement_timeout={_STATEMENT_TIMEOUT_MS} -c timezone=UTC"
    return create_engine(
        url,
        pool_size=connections,
        max_overflow=connections,
        pool_pre_ping=True,
        hide_parameters=True,  # they are personal data, and errors are logged
        connect_args={"options": options, "connect_timeout": 5},
    )


def _make_private(file: str | None) -> None:
    """Let nobody else read a new database: it holds personal addresses. SQLite gives its side files the same mode."""
    if file and file != ":memory:" and not file.startswith("file:") and not Path(file).exists():
        with suppress(OSError):  # where it cannot be made, connecting says so
            os.close(os.open(file, os.O_CREAT | os.O_EXCL, 0o600))


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver's own transactions are the default problem; we emit BEGIN ourselves
    cursor = connection.cursor()
    for pragma in (f"busy_timeout={_BUSY_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
