"""Which schema a database is at, and what is said where it is the wrong one."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest
from sqlalchemy import text

from worker.store import schema
from worker.store.database import Database

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def empty(database_url: str) -> Iterator[Database]:
    """A database without a schema."""
    with closing(Database(database_url)) as opened:
        yield opened


@pytest.fixture
def newer_program(tmp_path: Path) -> Path:
    """A copy of this program with one revision more."""
    for part in ("worker", "migrations"):
        copytree(CHECKOUT / part, tmp_path / "newer" / part, ignore=ignore_patterns("__pycache__"))
    (tmp_path / "newer" / "migrations" / "versions" / "999_to_come.py").write_text(
        f"revision = '999_to_come'\ndown_revision = {schema.head()!r}\ndef upgrade(): pass\ndef downgrade(): pass\n"
    )
    return tmp_path / "newer"


def run(program: Path, code: str, url: str) -> str:
    """Run some Python with a program's packages, on a database; return what it said on standard error."""
    imports = "import sys; from worker.store import schema; from worker.store.database import Database;"
    return subprocess.run(
        [sys.executable, "-c", f"{imports} {code}", url],
        cwd=program,
        env={},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    ).stderr


def set_revision(database: Database, revision: str) -> None:
    """Have the database claim to be at some revision."""
    with database.write() as session:
        session.execute(text("update alembic_version set version_num = :revision"), {"revision": revision})


def test_an_empty_database_is_at_no_revision(empty: Database) -> None:
    """A database that was never upgraded has no current revision."""
    assert schema.current(empty) is None


def test_an_empty_database_is_refused_with_the_command_to_run(empty: Database) -> None:
    """The refusal of an empty database names the command that mends it."""
    with pytest.raises(schema.SchemaOutdated, match=r"no schema yet.*`mailroster db upgrade`"):
        schema.require_current(empty)


def test_an_upgraded_database_is_accepted(database: Database) -> None:
    """A database at the head is the one that is required."""
    schema.require_current(database)

    assert schema.current(database) == schema.head()


def test_an_older_schema_is_refused_with_the_command_to_run(
    database: Database, migrated_url: str, newer_program: Path
) -> None:
    """A program that needs a later revision than the database's refuses, and names both and the command."""
    said = run(newer_program, "schema.require_current(Database(sys.argv[1]))", migrated_url)

    assert f"is at schema {schema.current(database)}, 999_to_come is needed: run `mailroster db upgrade`" in said


def test_a_newer_program_upgrades_what_this_one_then_refuses(
    database: Database, migrated_url: str, newer_program: Path
) -> None:
    """After a newer program's upgrade this one refuses, and says what happened."""
    run(newer_program, "schema.upgrade(sys.argv[1])", migrated_url)

    with pytest.raises(schema.SchemaOutdated, match="999_to_come, which this program does not know: a newer one"):
        schema.require_current(database)


def test_upgrade_refuses_a_newer_schema(database: Database, migrated_url: str) -> None:
    """Upgrading never goes back: it refuses a database that a newer program has upgraded, in the same words."""
    set_revision(database, "999_to_come")

    with pytest.raises(schema.SchemaOutdated, match="a newer one has upgraded it"):
        schema.upgrade(migrated_url)


def test_upgrade_leaves_logging_alone(database_url: str) -> None:
    """Upgrading changes neither handlers nor levels nor existing loggers."""
    root, other = logging.getLogger(), logging.getLogger("worker.some_room")
    before = (list(root.handlers), root.level, logging.getLogger("alembic").level, other.disabled)
    schema.upgrade(database_url)

    assert (list(root.handlers), root.level, logging.getLogger("alembic").level, other.disabled) == before


def test_a_path_with_a_percent_sign_is_no_trouble(tmp_path: Path) -> None:
    """A URL with escaped characters reaches the driver as it is."""
    url = f"sqlite:///{tmp_path / '50%25 of it.db'}"
    schema.upgrade(url)

    with closing(Database(url)) as database:
        schema.require_current(database)
