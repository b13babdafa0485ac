"""Roster files through real processes: dropped while half-written, imported under SIGKILL, and a progress bar."""

import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.end_to_end.installation import Installation, plain_client, wait_until
from worker.sandbox import RunningSandbox

SOURCES = """
[sources.files]
kind = "folder"
path = "drop"
settle = "2s"
creates = true
"""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Installation]:
    """An installation on SQLite with a watched folder, whose processes are ended."""
    with RunningSandbox() as sandbox:
        house = Installation(tmp_path, sandbox, f"sqlite:///{tmp_path / 'house.db'}", "memory://")
        (tmp_path / "sources.toml").write_text(SOURCES)
        (tmp_path / "drop").mkdir()
        assert house.run("db", "upgrade").returncode == 0
        try:
            yield house
        finally:
            for process in house.processes:
                if process.poll() is None:
                    process.kill()
                process.wait()


def rows(house: Installation, query: str) -> int:
    """Return a number that the database tells, beside those who write."""
    with closing(sqlite3.connect(house.directory / "house.db", timeout=30)) as database:
        (number,) = database.execute(query).fetchone()
    return int(number)


def staff(number: int) -> str:
    """Return a roster of so many people."""
    people = (f"E{each},Ada{each},Lovelace,Engineering\n" for each in range(number))
    return "subject,givenName,familyName,department\n" + "".join(people)


def in_room(house: Installation, room: str) -> list[str]:
    """Return the rosters that lie in a room of the folder."""
    return sorted(path.name for path in (house.directory / "drop" / room).glob("*.csv"))


def boxes(house: Installation) -> list[object]:
    """Return the mailboxes that the host holds."""
    with plain_client() as client:
        state = client.get(f"{house.sandbox.url}/_sandbox/state").json()
    return [box for domain in state["domains"] for box in domain["mailboxes"]]


def test_a_file_that_is_dropped_in_pieces_is_taken_when_it_is_whole(house: Installation) -> None:
    """An upload with pauses ends as mailboxes; another with the name of its tool is taken once it is renamed."""
    house.start_serving("up")
    drop = house.directory / "drop"
    whole = staff(3)
    with (drop / "slow.csv").open("w") as slow:
        for start in range(0, len(whole), 25):
            slow.write(whole[start : start + 25])
            slow.flush()
            time.sleep(1.2)
            assert in_room(house, "processed") == []
    (drop / "named.csv.filepart").write_text(staff(4))
    wait_until(lambda: len(in_room(house, "processed")) == 1)
    (drop / "named.csv.filepart").rename(drop / "named.csv")
    wait_until(lambda: len(in_room(house, "processed")) == 2)
    wait_until(lambda: len(boxes(house)) == 4)

    assert in_room(house, "rejected") == []
    assert rows(house, "select count(*) from events") == 4


def test_a_worker_that_is_killed_in_the_middle_loses_and_repeats_nothing(house: Installation) -> None:
    """SIGKILL while the folder's file is being accepted; the next process brings the rest."""
    number = 1_500
    (house.directory / "drop" / "big.csv").write_text(staff(number))
    first = house.start_serving("up")
    wait_until(lambda: 0 < rows(house, "select count(*) from events") < number)
    first.send_signal(signal.SIGKILL)
    first.wait()
    held = rows(house, "select count(*) from events")
    house.start_serving("up")
    wait_until(lambda: len(in_room(house, "processed")) == 1, 180.0)

    assert 0 < held < number
    assert rows(house, "select count(*) from events") == number
    assert rows(house, "select count(distinct subject) from events") == number
    (told,) = (house.directory / "drop" / "processed").glob("*.json")
    assert json.loads(told.read_text())["accepted"] == number - held


def test_a_command_that_is_killed_in_the_middle_loses_and_repeats_nothing(house: Installation) -> None:
    """The same for the command: run again, it brings the rest."""
    number = 1_500
    (house.directory / "big.csv").write_text(staff(number))
    first = house.start("roster", "import", "big.csv")
    wait_until(lambda: rows(house, "select count(*) from events") > 0)
    first.send_signal(signal.SIGKILL)
    first.wait()
    held = rows(house, "select count(*) from events")
    again = house.run("roster", "import", "big.csv", "--json")
    last = house.run("roster", "import", "big.csv", "--json")

    assert 0 < held < number
    assert (again.returncode, json.loads(again.stdout)["accepted"]) == (0, number - held)
    assert json.loads(last.stdout)["accepted"] == 0
    assert rows(house, "select count(*) from events") == number


def test_the_command_shows_faults_differences_and_nothing_else(house: Installation) -> None:
    """Exit codes, sentences and documents, from a file and from a pipe."""
    (house.directory / "bad.csv").write_text("subject,hireDate\nE1,soon\nE2,later\n")
    bad, as_json = house.run("roster", "import", "bad.csv"), house.run("roster", "import", "bad.csv", "--json")
    dry = house.run("roster", "import", "-", "--dry-run", stdin=staff(2))
    unknown = house.run("roster", "import", "bad.csv", "--source", "nobody")
    missing = house.run("roster", "import", "none.csv")

    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr.splitlines()[1].startswith("bad.csv: line 3, column hireDate: a date such as")
    assert bad.stderr.splitlines()[-1] == "mailroster: bad.csv: the file is refused: 2 faults in 2 rows"
    assert (as_json.returncode, json.loads(as_json.stdout)["fault_count"]) == (1, 2)
    assert (dry.returncode, "2 events would be accepted" in dry.stdout) == (0, True)
    assert [(each.returncode, each.stdout) for each in (unknown, missing)] == [(1, "")] * 2
    assert rows(house, "select count(*) from events") == 0


def test_progress_is_shown_on_a_terminal(house: Installation) -> None:
    """On standard error, and only where somebody looks: what is told on standard output stays clean."""
    (house.directory / "staff.csv").write_text(staff(600))
    terminal, other = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "worker", "roster", "import", "staff.csv", "--json"],
        cwd=house.directory,
        env=house.environment | {"TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=other,
    )
    os.close(other)
    shown = b""
    with suppress(OSError):  # how Linux says that the other end is closed
        while piece := os.read(terminal, 4096):
            shown += piece
    out, _ = process.communicate(timeout=60)
    os.close(terminal)

    assert re.search(rb"accepting.*600/600", shown)
    assert json.loads(out)["accepted"] == 600
    assert "\x1b" not in out.decode()
