"""The connection to the database, on SQLite and PostgreSQL, with the traps of each closed.

A use case opens ``write`` or ``read`` and closes it; queries never commit. SQLite writers begin IMMEDIATE, because a
deferred transaction that upgrades fails at once with "database is locked" whatever the busy timeout
(`engineering.md` A6).

What is promised is durable: an answered 202 and the intention behind a call survive a power cut. What anybody can find
again, such as a claim or what came of a call, does not wait for the disk. On both engines what is committed durably
takes everything with it that was committed before, so that nothing ever stands on what may still get lost.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    ExceptionContext,
    Interval,
    SQLColumnExpression,
    bindparam,
    create_engine,
    event,
    func,
    select,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.exc import OperationalError as DatabaseBusy
from sqlalchemy.exc import SQLAlchemyError as DatabaseFailure
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from worker.store.tables.columns import Instant
from worker.store.turns import Turns

# DatabaseBusy: a lock that was waited for too long, a deadlock, a database that went away. Trying again may help.
__all__ = [
    "Database",
    "DatabaseBusy",
    "DatabaseFailure",
    "Session",
    "after_commit",
    "database_now",
    "until",
    "until_of",
]

_READ_ONLY = "mailroster_read_only"
_LAZY = "mailroster_lazy"
_AHEAD = "mailroster_ahead"
_TURNS = "mailroster_turns"
_AFTER_COMMIT = "mailroster_after_commit"
_SEEN_ALIVE_S = "mailroster_seen_alive_s"
_ALIVE_FOR_S = 1.0
"""A connection that was used so recently is not asked whether it is alive: a third of a small transaction."""
_WITHOUT_WAITING = text("set local synchronous_commit to off")
_BUSY_MS = 15_000
_LOCK_TIMEOUT_MS = 10_000
_STATEMENT_TIMEOUT_MS = 30_000
_IDLE_TIMEOUT_MS = 120_000
"""Whoever stands still in a transaction for so long is dead, or sleeps with their machine, and others want its locks: a
lease that runs out does not free them. Nothing of ours computes half as long between two statements."""
_STOOD_STILL = "25P03"
"""What PostgreSQL then says, which the driver does not count among what went wrong outside."""


class Database:
    """One engine and the two kinds of transaction. Threads may share it."""

    def __init__(self, url: str, *, connections: int = 16) -> None:
        """Open lazily: no connection is made before the first transaction."""
        self.engine = _engine(url, connections)
        self._turns = Turns()
        self._writer = self.engine.execution_options(**{_TURNS: self._turns})
        self._lazy_writer = self._writer.execution_options(**{_LAZY: True})
        self._writer_ahead = self._writer.execution_options(**{_AHEAD: True})

    @property
    def is_sqlite(self) -> bool:
        """Whether the embedded engine is used."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def write(self, *, durable: bool = True, ahead: bool = False) -> Iterator[Session]:
        """Open a writing transaction that commits at the end, or rolls back if the block raises.

        ``durable=False``: a power cut within a second may undo it, for it can be found again. ``ahead``: somebody waits
        for an answer, so where there is one writer it goes before this process's others, and is durable.
        """
        writer = self._writer_ahead if ahead else self._writer if durable else self._lazy_writer
        try:
            with _Telling(writer, expire_on_commit=False) as session, session.begin():
                if not durable and not self.is_sqlite:
                    session.execute(_WITHOUT_WAITING)
                yield session
        finally:
            self._turns.leave()

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
    session.info.setdefault(_AFTER_COMMIT, []).append(call)


class _Telling(Session):
    """A session that tells what waits for its commit; it makes one transaction, and is not used again."""


@event.listens_for(_Telling, "after_commit")  # once, because a listener of each session's own takes longer than a query
def _tell(session: Session) -> None:
    if not session.in_nested_transaction():  # a savepoint's release is no commit, though it is announced as one
        for call in session.info.pop(_AFTER_COMMIT, ()):
            call()


def until(dialect: str) -> SQLColumnExpression[datetime]:
    """Return, for a statement that is put together once, the instant of which ``until_of`` tells.

    On PostgreSQL the statement asks the clock itself, which saves asking before.
    """
    if dialect == "sqlite":
        return bindparam("until", type_=Instant)
    return func.clock_timestamp() + bindparam("span", type_=Interval)


def until_of(session: Session, span: timedelta) -> dict[str, object]:
    """Return what such a statement is told for the instant that much later than now by the database's own clock."""
    if session.get_bind().dialect.name == "sqlite":
        return {"until": database_now(session) + span}
    return {"span": span}


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
    timeouts = {
        "lock_timeout": _LOCK_TIMEOUT_MS,
        "statement_timeout": _STATEMENT_TIMEOUT_MS,
        "idle_in_transaction_session_timeout": _IDLE_TIMEOUT_MS,
    }
    options = " ".join(f"-c {name}={limit_ms}" for name, limit_ms in timeouts.items()) + " -c timezone=UTC"
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=connections,
        hide_parameters=True,  # they are personal data, and errors are logged
        connect_args={"options": options, "connect_timeout": 5},
    )
    event.listen(engine, "checkout", partial(_ping_idle, engine))
    event.listen(engine, "checkin", _note_alive)
    event.listen(engine, "handle_error", _say_it_went_away)
    return engine


def _say_it_went_away(context: ExceptionContext) -> None:
    """Have whoever stood still for too long hear that their connection is gone, as if the network had taken it."""
    if getattr(context.original_exception, "sqlstate", None) == _STOOD_STILL:
        raise DatabaseBusy(context.statement, None, context.original_exception, hide_parameters=True)


def _ping_idle(engine: Engine, connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Replace a connection that has been idle and is dead, so that nobody meets what broke while nothing was done."""
    seen_s = record.info.get(_SEEN_ALIVE_S)
    if seen_s is None or time.monotonic() - seen_s < _ALIVE_FOR_S:
        return
    try:
        alive = engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error:
        alive = False
    if not alive:
        raise DisconnectionError  # the pool tries another


def _note_alive(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info[_SEEN_ALIVE_S] = time.monotonic()


def _make_private(file: str | None) -> None:
    """Let nobody else read a new database: it holds personal addresses. SQLite gives its side files the same mode."""
    if file and file != ":memory:" and not file.startswith("file:") and not Path(file).exists():
        with suppress(OSError):  # where it cannot be made, connecting says so
            os.close(os.open(file, os.O_CREAT | os.O_EXCL, 0o600))


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver's own transactions are the default problem; we emit BEGIN ourselves
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    _write_ahead(cursor)
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _write_ahead(cursor: Any) -> None:
    """Turn a new file to a write-ahead log. Of several who try at once SQLite refuses all but one without waiting."""
    until_s = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until_s:
                raise
            threading.Event().wait(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if _TURNS in options:
        options[_TURNS].take(_BUSY_MS / 1000, ahead=_AHEAD in options)
    if options.get(_READ_ONLY):
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql(f"PRAGMA synchronous={'NORMAL' if options.get(_LAZY) else 'FULL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
