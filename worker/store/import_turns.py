"""Turns at importing a roster: of each source one import at a time, whichever process does it.

A turn must end with its process, however that ends, because whoever runs a command once more will not wait for a lease.
So it is a lock that the system gives back: of a session of its own on PostgreSQL, of a file beside the database on
SQLite.
"""

import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from worker.store.database import Database, DatabaseFailure

_MINE: Final = "mailroster import since "
_KEY: Final = {"imports": "mailroster.imports"}
_TAKE = text("select pg_try_advisory_lock(hashtext(:imports), hashtext(:source))")
_GIVE_BACK = text("select pg_advisory_unlock(hashtext(:imports), hashtext(:source))")
_SAY_SINCE = text("select set_config('application_name', :name, false)")
_WHO = text(
    "select application_name from pg_stat_activity join pg_locks using (pid)"
    " where locktype = 'advisory' and objsubid = 2 and granted"
    " and pg_locks.database = (select oid from pg_database where datname = current_database())"
    " and classid = (hashtext(:imports)::bigint & 4294967295)::oid"
    " and objid = (hashtext(:source)::bigint & 4294967295)::oid"
)
"""The name of the session that holds a lock of two keys, which the catalogue shows without their signs."""


class ImportUnderWay(Exception):
    """Another import of this source has the turn."""

    def __init__(self, since: datetime | None) -> None:
        """Keep since when, where that could be found out."""
        super().__init__(self.__class__.__doc__)
        self.since = since


@dataclass(frozen=True, slots=True)
class Turn:
    """The turn of this import, until its block ends."""

    hold: Callable[[], None]
    """Raises DatabaseFailure where the lock may be lost, because the session that held it is."""


@contextmanager
def turn(database: Database, source: str, now: datetime) -> Iterator[Turn]:
    """Take the turn at a source until the block ends. Raises ImportUnderWay at once where another has it."""
    with (_by_file if database.is_sqlite else _by_session)(database, source, now) as mine:
        yield mine


@contextmanager
def _by_session(database: Database, source: str, now: datetime) -> Iterator[Turn]:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.detach()  # the lock ends with this session, so nobody shall have it afterwards
        told = _KEY | {"source": source}
        if not connection.scalar(_TAKE, told):
            raise ImportUnderWay(_since(connection.scalar(_WHO, told)))
        try:
            connection.execute(_SAY_SINCE, {"name": f"{_MINE}{now.isoformat(timespec='seconds')}"})
            yield Turn(lambda: _ask(connection))
        finally:
            with suppress(DatabaseFailure):  # a session that ends gives it back by itself, a moment later
                connection.execute(_GIVE_BACK, told)


def _ask(connection: Connection) -> None:
    connection.execute(text("select 1"))


@contextmanager
def _by_file(database: Database, source: str, now: datetime) -> Iterator[Turn]:
    beside = Path(str(database.engine.url.database)).resolve()
    path = beside.with_name(f"{beside.name}-import-{source}")
    handle = _locked(path)
    try:
        _share(handle, beside.stat())
        os.ftruncate(handle, 0)
        os.write(handle, f"{_MINE}{now.isoformat(timespec='seconds')}".encode())
        yield Turn(lambda: None)
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(handle)


def _locked(path: Path) -> int:
    while True:
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            written = os.read(handle, 100).decode()
            os.close(handle)
            raise ImportUnderWay(_since(written)) from None
        if _is_there(path, handle):
            return handle
        os.close(handle)  # its former holder has removed it meanwhile


def _share(handle: int, database: os.stat_result) -> None:
    """Let whoever may use the database take the next turn, as SQLite does with its side files: root leaves no file."""
    with suppress(PermissionError):
        os.fchmod(handle, stat.S_IMODE(database.st_mode))
        os.fchown(handle, database.st_uid, database.st_gid)


def _is_there(path: Path, handle: int) -> bool:
    with suppress(FileNotFoundError):
        return path.stat().st_ino == os.fstat(handle).st_ino
    return False


def _since(written: str | None) -> datetime | None:
    with suppress(ValueError):
        return datetime.fromisoformat((written or "").removeprefix(_MINE))
    return None
