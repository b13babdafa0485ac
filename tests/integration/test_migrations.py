"""The migrations on both engines: from nothing, up and down, with data, equal to the models, one upgrader at a time."""

import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Column, Enum, Inspector, bindparam, func, inspect, literal_column, select, text

from worker.store import gate, schema
from worker.store.budget import CallBudget, CallLimit, Room
from worker.store.database import Database, database_now
from worker.store.tables import Base, Instant, SlotRow

CHECKOUT = Path(__file__).parents[2]
UPGRADE = "import sys; from worker.store import schema; schema.upgrade(sys.argv[1]); print(schema.__file__)"
UPGRADE_ON_CALL = f"from worker.store import schema; print('ready', flush=True); input(); {UPGRADE}"


def alembic(url: str) -> Config:
    """Alembic as one uses it in a checkout, on this database."""
    config = Config(CHECKOUT / "alembic.ini")
    config.attributes["database_url"] = url
    return config


def tables(database: Database) -> set[str]:
    """The names of all tables in a database."""
    return set(inspect(database.engine).get_table_names())


def described(database: Database) -> dict[str, Any]:
    """Everything that the engine says about the tables, in an order that does not matter to it."""
    inspector = inspect(database.engine)
    asked: tuple[Callable[[Inspector, str], Any], ...] = (
        Inspector.get_columns,
        Inspector.get_foreign_keys,
        Inspector.get_indexes,
        Inspector.get_unique_constraints,
        Inspector.get_check_constraints,
    )
    return {
        table: [
            *(sorted(map(plain, ask(inspector, table))) for ask in asked),
            plain(inspector.get_pk_constraint(table)),
        ]
        for table in tables(database) - {"alembic_version"}
    }


def plain(description: Mapping[str, Any]) -> str:
    """One column, key or index in words: the condition of a partial index comes as an object, unlike any other."""
    options = {name: str(option) for name, option in description.get("dialect_options", {}).items()}
    return repr({**description, "dialect_options": options})


def fill_every_table(database: Database) -> None:
    """Put a row into each table, each referring to the others' rows."""
    in_order = (name for name, _ in inspect(database.engine).get_sorted_table_and_fkc_names())
    with database.write() as session:
        for table in (Base.metadata.tables[name] for name in in_order if name in Base.metadata.tables):
            session.execute(table.insert().values({column.name: any_value(column) for column in table.columns}))


def any_value(column: Column[Any]) -> object:
    """Some value that the column can hold; for numbers 1, which is every row's id."""
    match column.type:
        case Enum() as words:
            return words.enums[0]
        case Instant():
            return datetime(2026, 11, 20, 12, tzinfo=UTC)
        case JSON():
            return {"Zoë": [1, None]}
        case other:
            return {str: "text", int: 1, float: 0.5, bool: True}[other.python_type]


def everything_in(database: Database) -> dict[str, list[Any]]:
    """All rows of all tables."""
    with database.read() as session:
        return {table.name: session.execute(select(table)).all() for table in Base.metadata.sorted_tables}


def test_upgrade_makes_every_table_from_nothing(database_url: str) -> None:
    """Upgrading an empty database makes all tables and notes the head."""
    schema.upgrade(database_url)

    with closing(Database(database_url)) as database:
        assert tables(database) == {*Base.metadata.tables, "alembic_version"}
        assert schema.current(database) == schema.head()


def test_migrated_schema_has_nothing_to_generate(migrated_url: str) -> None:
    """Alembic's autogenerate finds no difference between the migrated database and the models."""
    with closing(Database(migrated_url)) as database, database.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})

        assert compare_metadata(context, Base.metadata) == []


def test_migrated_schema_is_what_the_models_make(database: Database, database_url: str) -> None:
    """Columns, keys, names and partial indexes of the migrations are exactly those of the models."""
    with closing(Database(database_url)) as from_models:
        Base.metadata.create_all(from_models.engine)

        assert described(database) == described(from_models)


def test_downgrade_leaves_nothing_and_upgrade_brings_it_back(database_url: str) -> None:
    """Up, down and up again ends in the same schema, and down leaves no table behind."""
    config = alembic(database_url)
    with closing(Database(database_url)) as database:
        command.upgrade(config, "head")
        first = described(database)
        command.downgrade(config, "base")
        left_over = tables(database)
        command.upgrade(config, "head")

        assert left_over == {"alembic_version"}
        assert described(database) == first


def test_downgrade_works_with_data(database: Database, migrated_url: str) -> None:
    """A database with rows in every table can be downgraded: no foreign key is in the way."""
    fill_every_table(database)
    command.downgrade(alembic(migrated_url), "base")

    assert tables(database) == {"alembic_version"}


def test_upgrade_keeps_data(database: Database, migrated_url: str) -> None:
    """Upgrading a database that is at the head changes no row of any table."""
    fill_every_table(database)
    before = everything_in(database)
    schema.upgrade(migrated_url)

    assert all(before.values())
    assert everything_in(database) == before


def test_an_upgrade_that_fails_leaves_nothing(database_url: str) -> None:
    """A revision that fails half-way leaves the schema as it was, on SQLite too."""
    with closing(Database(database_url)) as database:
        with database.engine.begin() as connection:
            connection.execute(text("create table workers (id integer)"))  # the last table that the revision makes
        with pytest.raises(Exception, match="workers"):
            schema.upgrade(database_url)

        assert tables(database) == {"workers"}


def test_upgraders_at_once_take_turns(database_url: str) -> None:
    """Four processes that upgrade one empty database at once all succeed."""
    upgraders = [start_python(UPGRADE_ON_CALL, database_url) for _ in range(4)]
    for upgrader in upgraders:
        assert upgrader.stdout.readline() == "ready\n"
    for upgrader in upgraders:
        upgrader.stdin.write("go\n")
        upgrader.stdin.flush()
    errors = [upgrader.communicate(timeout=60)[1] for upgrader in upgraders]

    assert [upgrader.returncode for upgrader in upgraders] == [0] * 4, errors
    with closing(Database(database_url)) as database:
        schema.require_current(database)


def test_there_is_one_head_and_every_revision_fits() -> None:
    """There is one head, and each revision's name is one that the version table can hold."""
    scripts = ScriptDirectory.from_config(alembic("sqlite://"))

    assert scripts.get_heads() == [schema.head()]
    assert all(len(script.revision) <= 32 for script in scripts.walk_revisions())


def test_statements_can_be_printed_for_postgresql(capsys: pytest.CaptureFixture[str]) -> None:
    """`alembic upgrade head --sql` prints the statements without any database."""
    command.upgrade(alembic("postgresql+psycopg://nobody@nowhere.invalid/none"), "head", sql=True)

    assert "CREATE UNIQUE INDEX uq_jobs_outstanding" in capsys.readouterr().out


def test_alembic_by_hand_upgrades_the_database_of_the_settings(tmp_path: Path) -> None:
    """`alembic upgrade head` from a checkout works on MAILROSTER_DATABASE_URL, and `alembic check` finds no change."""
    url = f"sqlite:///{tmp_path / 'by-hand.db'}"
    for arguments in (["upgrade", "head"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=CHECKOUT,
            env={"MAILROSTER_DATABASE_URL": url},
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )

        assert done.returncode == 0, done.stderr


def test_an_installed_wheel_carries_the_migrations(tmp_path: Path) -> None:
    """What a wheel installs upgrades a database with no checkout in sight."""
    source, installed = tmp_path / "source", tmp_path / "installed"
    for part in ("worker", "migrations"):
        copytree(CHECKOUT / part, source / part, ignore=ignore_patterns("__pycache__"))
    for part in ("pyproject.toml", "README.md"):
        (source / part).write_bytes((CHECKOUT / part).read_bytes())
    build = "from setuptools import build_meta; print(build_meta.build_wheel('..'))"
    wheel = run_python(build, cwd=source).splitlines()[-1]
    with zipfile.ZipFile(tmp_path / wheel) as archive:
        archive.extractall(installed)
    answer = run_python(UPGRADE, f"sqlite:///{tmp_path / 'wheel.db'}", cwd=tmp_path, path=installed)

    assert answer.strip() == str(installed / "worker" / "store" / "schema.py")


def start_python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start some Python in the checkout, to be talked with."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_python(code: str, *arguments: str, cwd: Path, path: Path | None = None) -> str:
    """Run some Python elsewhere, by preference with the packages at a path, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        env={"PYTHONPATH": str(path)} if path else {},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


CALLS_BEFORE = "insert into calls (taken_at, counts_until) values (:now, :now), (:now, :until)"
PAUSES_BEFORE = """
insert into pauses (kind, since, until, pauses, reason)
values ('throttled', :now, :until, 3, 'r'), ('creations', :now, :until, 1, 'full')
"""


def test_calls_of_a_moment_ago_make_the_first_window_wait(database_url: str) -> None:
    """Where calls still count at the upgrade, the worker that starts then lets none through for a window."""
    budget = CallBudget(CallLimit(5, timedelta(minutes=2), 1))
    with closing(Database(database_url)) as database:
        command.upgrade(alembic(database_url), "001_roster_and_jobs")
        _execute_with_times(database, CALLS_BEFORE)
        command.upgrade(alembic(database_url), "head")
        with database.write() as session:
            budget.fit(session)
            assert budget.room(session) is Room.NOBODY
            assert session.scalars(select(func.count()).select_from(SlotRow)).one() == 5


def test_calls_of_long_ago_make_nobody_wait(database_url: str) -> None:
    """Where no call counts any more at the upgrade, the slots are made as on an empty database."""
    with closing(Database(database_url)) as database:
        command.upgrade(alembic(database_url), "001_roster_and_jobs")
        _execute_with_times(database, "insert into calls (taken_at, counts_until) values (:now, :now)")
        command.upgrade(alembic(database_url), "head")
        with database.write() as session:
            CallBudget(CallLimit(5, timedelta(minutes=2), 1)).take(session, is_revocation=False)


def test_a_closed_host_stays_closed_up_and_down(database_url: str) -> None:
    """What was paused for all calls is a closed gate, and a pause again after a downgrade; creations stay paused."""
    with closing(Database(database_url)) as database:
        command.upgrade(alembic(database_url), "001_roster_and_jobs")
        _execute_with_times(database, PAUSES_BEFORE)
        before = _pauses(database)
        command.upgrade(alembic(database_url), "head")
        with database.read() as session:
            closed = gate.closed(session)
            assert CallBudget().room(session) is Room.NOBODY
        assert closed is not None
        assert closed.closing is gate.Closing.THROTTLED
        assert [row[0] for row in _pauses(database)] == ["creations"]

        command.downgrade(alembic(database_url), "001_roster_and_jobs")
        assert _pauses(database) == before


def test_slots_that_were_used_count_after_a_downgrade(database_url: str) -> None:
    """The older program finds a call for each slot that was used, and counts it for the usual window."""
    with closing(Database(database_url)) as database:
        command.upgrade(alembic(database_url), "head")
        with database.write() as session:
            budget = CallBudget(CallLimit(5, timedelta(minutes=2), 1))
            permit = budget.take(session, is_revocation=False)
            budget.answered(session, permit, gate.Heard.SERVED)
        command.downgrade(alembic(database_url), "001_roster_and_jobs")
        with database.read() as session:
            now = database_now(session)
            (until,) = session.scalars(select(literal_column("counts_until", Instant)).select_from(text("calls")))

    assert timedelta(seconds=110) < until - now <= timedelta(seconds=120)


def _execute_with_times(database: Database, statement: str) -> None:
    with database.write() as session:
        now = database_now(session)
        times = text(statement).bindparams(bindparam("now", now, Instant))
        if ":until" in statement:
            times = times.bindparams(bindparam("until", now + timedelta(hours=1), Instant))
        session.execute(times)


def _pauses(database: Database) -> list[Any]:
    with database.read() as session:
        return list(session.execute(text("select kind, until, pauses, reason from pauses order by kind")))
