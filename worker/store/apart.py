"""A database set apart: a copy in which something long can be tried while everybody else goes on writing."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from worker.store.database import Database
from worker.store.exclusion import is_apart
from worker.store.tables import AttemptRow, Base, DeliveryRow, DeliverySubjectRow

_HISTORY = {row.__table__ for row in (AttemptRow, DeliveryRow, DeliverySubjectRow)}
"""Only grows, is looked at by nobody who plans, and is not worth its room."""


@contextmanager
def set_apart(database: Database) -> Iterator[Session]:
    """Yield a transaction on a copy of a database as it is now. The caller rolls it back; the copy is gone at the end.

    Copying reads as any reader does, so nobody waits for that either.
    """
    if not database.is_sqlite:
        with database.write() as session:
            _copy_within(session)
            yield session
        return
    # SQLite has one writer at a time, who would keep all others waiting. The copy lies in a directory that nobody else
    # may enter, for it holds personal data.
    with TemporaryDirectory(prefix="mailroster-") as directory:
        file = Path(directory) / "copy.db"
        with closing(database.engine.raw_connection()) as source, closing(sqlite3.connect(file)) as copy:
            assert isinstance(source.driver_connection, sqlite3.Connection)
            source.driver_connection.backup(copy)
        with closing(Database(f"sqlite:///{file}")) as opened, opened.write() as session:
            yield session


def _copy_within(session: Session) -> None:
    """Put temporary tables in front of PostgreSQL's own, which only this transaction sees, and no lock reaches out of.

    They have the same names, indexes and counters of ids, and no foreign keys.
    """
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})  # all of them as of one instant
    session.execute(text("set local statement_timeout to 0"))  # that is for those whom somebody waits for
    schema = session.scalar(select(func.current_schema()))
    for table in Base.metadata.sorted_tables:
        if table not in _HISTORY:
            session.execute(text(f"create temporary table {table.name} (like {table.name} including all)"))
            session.execute(text(f"insert into pg_temp.{table.name} table {schema}.{table.name}"))
            session.execute(text(f"analyze pg_temp.{table.name}"))
    session.execute(text("discard plans"))  # those of statements that were prepared before name the other tables
    is_apart(session)
