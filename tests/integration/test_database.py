"""The two kinds of transaction on both engines, under threads; and instants, which must come back as they went."""

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import event, select, text, update
from sqlalchemy.exc import IntegrityError, StatementError

from tests.integration.office import ON_POSTGRESQL
from worker.store import database as database_module
from worker.store.database import Database, DatabaseBusy, after_commit, database_now
from worker.store.tables import MembershipRow, PersonRow, WorkerRow

NOON = datetime(2026, 11, 20, 12, 30, 15, 123456, tzinfo=UTC)


def add_people(database: Database, number: int) -> None:
    """Put some people into the database, evaluated under no policy."""
    with database.write() as session:
        session.add_all(PersonRow(created_at=NOON, phase="new") for _ in range(number))


def claim_one(database: Database, worker: str) -> int | None:
    """Claim somebody who is new: read, think, write, as a use case does."""
    with database.write() as session:
        wanted = select(PersonRow).where(PersonRow.phase == "new").order_by(PersonRow.id).limit(1)
        person = session.scalar(wanted.with_for_update(skip_locked=True))
        if person is None:
            return None
        person.phase, person.name = "claimed", worker
        return person.id


@pytest.fixture
def statements(database: Database) -> Iterator[list[str]]:
    """Every statement that is sent to the database, in order."""
    seen: list[str] = []

    def note(_connection, _cursor, statement: str, *_) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(database.engine, "before_cursor_execute", note)


def test_eight_threads_claim_each_row_once(database: Database) -> None:
    """Eight threads that read and then write claim 80 rows: nobody is told of a lock, and no row is claimed twice."""
    add_people(database, 80)
    together = threading.Barrier(8)

    def claim_all(number: int) -> list[int]:
        together.wait(timeout=10)
        claimed = []
        while (person := claim_one(database, f"worker {number}")) is not None:
            claimed.append(person)
        return claimed

    with ThreadPoolExecutor(8) as pool:
        claimed = [person for mine in pool.map(claim_all, range(8)) for person in mine]

    assert sorted(claimed) == list(range(1, 81))


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_sqlite_writers_begin_immediate_and_readers_do_not(database: Database, statements: list[str]) -> None:
    """A writing transaction takes the write lock before it reads; a reading one never asks for it."""
    with database.write() as session:
        session.execute(select(PersonRow.id))
    with database.read() as session:
        session.execute(select(PersonRow.id))
    began = [statement for statement in statements if statement.startswith("BEGIN")]

    assert began == ["BEGIN IMMEDIATE", "BEGIN"]


def test_a_reader_does_not_wait_for_a_writer(database: Database) -> None:
    """While a transaction has written and not committed, another reads at once, and sees what was before."""
    add_people(database, 1)
    with database.write() as writing:
        writing.execute(update(PersonRow).values(phase="changed"))
        with database.read() as reading:
            during = reading.scalar(select(PersonRow.phase))
    with database.read() as reading:
        after = reading.scalar(select(PersonRow.phase))

    assert (during, after) == ("new", "changed")


def test_a_write_that_raises_leaves_nothing(database: Database) -> None:
    """A block that raises is rolled back, and its connection serves the next one."""

    def write_in_vain() -> None:
        with database.write() as session:
            session.add(PersonRow(created_at=NOON))
            session.flush()
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        write_in_vain()
    with database.write() as session:
        people = session.scalars(select(PersonRow)).all()

    assert people == []


def test_a_savepoint_is_no_commit(database: Database) -> None:
    """What is to happen after the commit does not happen where a part was released and the whole is rolled back."""
    told: list[str] = []
    with suppress(RuntimeError), database.write() as session:
        after_commit(session, lambda: told.append("rolled back"))
        with session.begin_nested():
            session.execute(text("select 1"))
        raise RuntimeError
    with database.write() as session:
        after_commit(session, lambda: told.append("committed"))
        with session.begin_nested():
            session.execute(text("select 1"))

    assert told == ["committed"]


def test_a_read_changes_nothing(database: Database) -> None:
    """What a block writes in a reading transaction by mistake is gone after it."""
    with database.read() as session:
        session.add(PersonRow(created_at=NOON))
        session.flush()
    with database.read() as session:
        people = session.scalars(select(PersonRow)).all()

    assert people == []


def test_foreign_keys_are_enforced(database: Database) -> None:
    """A row that refers to nobody is refused, on SQLite too."""
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(MembershipRow(person_id=99, address="all@example.org", since=NOON))


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-11))])
def test_instants_come_back_as_aware_utc(database: Database, zone: timezone) -> None:
    """An instant in any zone comes back equal, to the microsecond, and in UTC."""
    with database.write() as session:
        session.add(PersonRow(created_at=NOON.astimezone(zone)))
    with database.read() as session:
        created_at = session.scalars(select(PersonRow.created_at)).one()

    assert created_at == NOON
    assert created_at.tzinfo is UTC


def test_instants_of_different_zones_compare_as_instants(database: Database) -> None:
    """A later instant is later whatever the zone it was written in, in the database's own comparison too."""
    with database.write() as session:
        session.add(PersonRow(created_at=NOON.astimezone(timezone(timedelta(hours=9)))))
        session.add(PersonRow(created_at=(NOON + timedelta(hours=1)).astimezone(timezone(timedelta(hours=-9)))))
    with database.read() as session:
        cut = (NOON + timedelta(minutes=30)).astimezone(timezone(timedelta(hours=3)))
        earlier = session.scalars(select(PersonRow.id).where(PersonRow.created_at < cut)).all()

    assert earlier == [1]


def test_naive_instants_are_refused(database: Database) -> None:
    """A datetime without a zone is refused before it reaches the database."""
    with pytest.raises(StatementError, match="an instant needs a time zone"), database.write() as session:
        session.add(PersonRow(created_at=NOON.replace(tzinfo=None)))


def test_the_databases_clock_is_aware_moves_and_can_be_stored(database: Database) -> None:
    """The database's own clock is aware UTC, goes on within a transaction, and comes back as it was stored."""
    with database.write() as session:
        first = database_now(session)
        while (later := database_now(session)) <= first:
            assert (datetime.now(UTC) - first) < timedelta(seconds=10)
        session.add(WorkerRow(id="a", started_at=first, seen_at=later))
    with database.read() as session:
        worker = session.scalars(select(WorkerRow)).one()

    assert first.tzinfo is UTC
    assert abs(datetime.now(UTC) - first) < timedelta(minutes=1)
    assert (worker.started_at, worker.seen_at) == (first, later)


def test_opening_makes_no_connection() -> None:
    """A database that cannot be reached is noticed at the first transaction and not before."""
    with closing(Database("postgresql+psycopg://nobody@127.0.0.1:1/none")) as database:
        assert not database.is_sqlite


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_sqlite_survives_a_power_cut(database: Database) -> None:
    """SQLite writes ahead and syncs at each commit that is to last: an event that was answered 202 is on the disk."""
    with database.read() as session:
        journal = session.scalar(text("pragma journal_mode"))
    kept = []
    for durable in (True, False, True):
        with database.write(durable=durable) as session:
            kept.append(session.scalar(text("pragma synchronous")))

    assert (journal, kept) == ("wal", [2, 1, 2])


@pytest.mark.parametrize("engine", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
def test_postgresql_waits_for_the_disk_where_a_commit_is_to_last(database: Database) -> None:
    """What can be found again does not wait, and is on the disk with the next commit that does."""
    kept = []
    for durable in (True, False, True):
        with database.write(durable=durable) as session:
            kept.append(session.scalar(text("show synchronous_commit")))

    assert kept == ["on", "off", "on"]


@ON_POSTGRESQL
def test_who_stands_still_in_a_transaction_keeps_others_waiting_for_a_while_only(
    database: Database, migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its locks are freed and what it wrote is undone; when it goes on it is told so, and its next one works."""
    monkeypatch.setattr(database_module, "_IDLE_TIMEOUT_MS", 500)
    with closing(Database(migrated_url)) as sleeper, closing(Database(migrated_url)) as other:
        add_people(other, 1)

        def sleep() -> None:
            with sleeper.write() as session:
                session.execute(update(PersonRow).values(name="asleep"))
                with other.write() as meanwhile:
                    meanwhile.execute(update(PersonRow).values(name="renamed"))
                session.execute(update(PersonRow).values(name="awake"))

        with pytest.raises(DatabaseBusy):
            sleep()
        add_people(sleeper, 1)

    with database.read() as session:
        assert session.scalars(select(PersonRow.name).order_by(PersonRow.id)).all() == ["renamed", ""]


def test_sqlite_waits_where_another_process_is_opening_the_new_file(tmp_path: Path) -> None:
    """Who opens a new file while another process writes its first page waits for it, as everywhere else."""
    file = tmp_path / "new.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as other, closing(Database(f"sqlite:///{file}")) as ours:
        other.execute("begin immediate")
        with ThreadPoolExecutor(1) as pool:
            now = pool.submit(_now_of, ours)
            assert not wait([now], timeout=0.3).done
            other.execute("commit")

            assert now.result(timeout=10).tzinfo is UTC


def _now_of(database: Database) -> datetime:
    with database.read() as session:
        return database_now(session)
