"""A large roster does not fill the memory: what is read is set aside, and what is accepted comes in batches."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.shell import Shell

FEW, SOME, MANY, MOST = 500, 2_000, 20_000, 100_000
READ = """
import sys
from datetime import datetime, UTC
from worker.sources.roster_files import Contents, read_roster
from worker.sources.roster_files.forms import form_of
with open(sys.argv[1], "rb") as file:
    rows = read_roster(file, form_of("hr", None, creates=True), datetime.now(UTC), Contents())
    assert sum(1 for _ in rows) == int(sys.argv[2])
"""
MOST_GROWTH_MB = 20
"""Of which the subjects alone, which must be known to tell repetitions and absentees, are about 3 of 20,000 people."""


def staff(path: Path, number: int) -> None:
    """Write a roster of so many people."""
    with path.open("w") as file:
        file.write("subject,givenName,familyName,department,personalEmail,hireDate\n")
        for each in range(number):
            file.write(f"E{each},Ada{each},Lovelace,Engineering,ada{each}@home.example,2026-11-23\n")


def peak_mb(shell: Shell, *arguments: str, program: tuple[str, ...] = ("-m", "worker")) -> float:
    """Run a command and return the most memory that it had."""
    process = subprocess.Popen(
        [sys.executable, *program, *arguments],
        cwd=shell.directory,
        env=shell.variables,
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_maxrss / 1024


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell with a database and three rosters."""
    shell = Shell(tmp_path)
    assert shell.run("db", "upgrade").code == 0
    staff(tmp_path / "few.csv", FEW)
    staff(tmp_path / "some.csv", SOME)
    staff(tmp_path / "many.csv", MANY)
    return shell


def test_memory_does_not_grow_with_the_roster(shell: Shell) -> None:
    """Forty times as many people, read and compared, take hardly more memory; nor do those that are accepted."""
    few = peak_mb(shell, "roster", "import", "few.csv")

    assert peak_mb(shell, "roster", "import", "some.csv", "--full") - few < MOST_GROWTH_MB
    assert peak_mb(shell, "roster", "import", "many.csv", "--full", "--dry-run") - few < MOST_GROWTH_MB


def test_memory_does_not_grow_with_what_is_read(shell: Shell, tmp_path: Path) -> None:
    """Two hundred times as many rows, a hundred thousand of them."""
    staff(tmp_path / "most.csv", MOST)
    few, most = (
        peak_mb(shell, name, str(number), program=("-c", READ))
        for name, number in (("few.csv", FEW), ("most.csv", MOST))
    )

    assert most - few < MOST_GROWTH_MB
