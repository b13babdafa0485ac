"""Two imports of one source at once: the second is refused, or waits in its folder, and no death keeps a turn."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.integration.office import MONDAY, ON_POSTGRESQL, Office
from tests.integration.shell import ROOT, Shell
from tests.integration.test_roster_folder import SETTLED_S, drop, look, result, watched
from tests.integration.test_roster_import import STAFF, bring, csv
from tests.unit.roster_texts import source
from worker.intake.rosters import ImportRunning
from worker.store.database import Database, DatabaseFailure
from worker.store.import_turns import turn

SUPPORT, ENGINEERING = ({"E1": STAFF["E1"] | {"department": name}} for name in ("Support", "Engineering"))
HOLDER = """
import sys
from datetime import UTC, datetime
from worker.store.database import Database
from worker.store.import_turns import turn
with turn(Database(sys.argv[1]), "import", datetime(2026, 11, 28, 10, tzinfo=UTC)):
    print("mine", flush=True)
    sys.stdin.read()
"""


def once(stage: str, act: Callable[[], object]) -> Callable[[str, int, int | None], None]:
    """Return a watch that acts at the first batch of a stage."""
    acts = [act]

    def watch(now: str, _done: int, _of: int | None) -> None:
        if now == stage and acts:
            acts.pop()()

    return watch


def test_a_second_import_of_a_source_is_refused_and_the_newer_roster_holds(office: Office) -> None:
    """Else it would be compared with what the first is about to change, find nothing new, and the older would hold."""
    bring(office, SUPPORT)

    def interfere() -> None:
        with pytest.raises(ImportRunning, match=r"^another import of hr is running, since 2026-\d\d-\d\d .* UTC: try"):
            bring(office, SUPPORT)

    bring(office, ENGINEERING, watch=once("comparing", interfere))
    assert bring(office, SUPPORT).accepted == 1
    office.drain()

    assert office.aliases().keys() == {"support"}


def test_another_source_and_a_dry_run_are_not_kept_waiting(office: Office) -> None:
    """A dry run writes nothing, and other sources are compared with other things."""
    told: list[int] = []

    def beside() -> None:
        told.append(bring(office, ENGINEERING, dry_run=True).differences.total)
        told.append(bring(office, ENGINEERING, source(name="payroll")).accepted)

    bring(office, SUPPORT, watch=once("comparing", beside))

    assert told == [1, 1]


def test_an_import_that_fails_gives_its_turn_back(office: Office) -> None:
    """Whatever ends it, and nothing is left beside the database."""
    database = office.database

    def fail() -> None:
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError):
        bring(office, SUPPORT, watch=once("accepting", fail))
    if database.is_sqlite:
        assert not list(Path(str(database.engine.url.database)).parent.glob("*-import-*"))

    assert bring(office, ENGINEERING).accepted == 1


def test_a_file_in_a_folder_waits_for_an_import_of_its_source(office: Office, tmp_path: Path) -> None:
    """It stays taken, counts no try, and is imported by the next look."""
    folder = watched(tmp_path / "drop")
    drop(folder, "staff.csv", csv(ENGINEERING))

    def try_it() -> None:
        with pytest.raises(ImportRunning):
            look(office, folder)

    bring(office, SUPPORT, watch=once("accepting", try_it))
    (waiting,) = (folder.source.path / "working").glob("*~staff.csv")
    assert "~0~" in waiting.name
    assert look(office, folder, 3 * SETTLED_S) == 1

    assert result(folder, "processed")["accepted"] == 1


@ON_POSTGRESQL
def test_an_import_whose_lock_may_be_lost_stops(office: Office) -> None:
    """The session that holds it can be ended alone: another import may have begun by then."""

    def end_session() -> None:
        with office.database.write() as session:
            ended = session.scalar(
                text(
                    "select count(pg_terminate_backend(pid)) from pg_locks where locktype = 'advisory' and objsubid = 2"
                    " and database = (select oid from pg_database where datname = current_database())"
                )
            )
            assert ended == 1

    with pytest.raises(DatabaseFailure):
        bring(office, SUPPORT, watch=once("comparing", end_session))

    assert office.events() == []
    assert bring(office, ENGINEERING).accepted == 1


def test_a_file_that_is_left_behind_is_for_whoever_may_use_the_database(tmp_path: Path, sqlite_template: Path) -> None:
    """An import by root that is killed must not keep a worker out, who is somebody else."""
    path, uid = tmp_path / "mailroster.db", 12345 if os.geteuid() == 0 else os.geteuid()
    shutil.copy(sqlite_template, path)
    path.chmod(0o640)
    os.chown(path, uid, -1)
    with closing(Database(f"sqlite:///{path}")) as database, turn(database, "hr", MONDAY):
        left = (tmp_path / "mailroster.db-import-hr").stat()

    assert (left.st_uid, left.st_mode & 0o777) == (uid, 0o640)


def test_the_command_says_since_when_another_runs_and_death_ends_its_turn(migrated_url: str, tmp_path: Path) -> None:
    """One sentence and exit code 1; after SIGKILL the same command goes through at once."""
    shell = Shell(tmp_path, {"MAILROSTER_DATABASE_URL": migrated_url})
    shell.write("staff.csv", csv(STAFF))
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    holding = subprocess.Popen(
        [sys.executable, "-c", HOLDER, migrated_url], env=os.environ | {"PYTHONPATH": str(ROOT)}, **pipes
    )
    try:
        assert holding.stdout is not None
        assert holding.stdout.readline() == "mine\n"
        refused = shell.run("roster", "import", "staff.csv")
    finally:
        holding.kill()
        holding.communicate()
    imported = shell.run("roster", "import", "staff.csv", "--json")

    said = "another import of import is running, since 2026-11-28 10:00:00 UTC: try again when it has ended"
    assert (refused.code, refused.err) == (1, f"mailroster: {said}\n")
    assert (imported.code, imported.document["accepted"]) == (0, len(STAFF)), imported.err
