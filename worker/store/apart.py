"""A database set apart: a copy in which something long can be tried while everybody else goes on writing."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from worker.store.database import Database


@contextmanager
def set_apart(database: Database) -> Iterator[Database]:
    """Yield a copy of an SQLite database, which is gone at the end; any other database is yielded itself.

    SQLite has one writer at a time, who would keep all others waiting. Copying reads as any reader does, so nobody
    waits for that either; the copy lies in a directory that nobody else may enter, for it holds personal data.
    """
    if not database.is_sqlite:
        yield database
        return
    with TemporaryDirectory(prefix="mailroster-") as directory:
        file = Path(directory) / "copy.db"
        with closing(database.engine.raw_connection()) as source, closing(sqlite3.connect(file)) as copy:
            assert isinstance(source.driver_connection, sqlite3.Connection)
            source.driver_connection.backup(copy)
        with closing(Database(f"sqlite:///{file}")) as opened:
            yield opened
