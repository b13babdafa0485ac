"""A large roster does not fill the memory: what is read is set aside, and what is accepted comes in batches."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.shell import Shell

FEW, SOME, MANY = 500, 2_000, 20_000
MOST_GROWTH_MB = 20
"""Of which the subjects alone, which must be known to tell repetitions and absentees, are about 3."""


def staff(path: Path, number: int) -> None:
    """Write a roster of so many people."""
    with path.open("w") as file:
        file.write("subject,givenName,familyName,department,personalEmail,hireDate\n")
        for each in range(number):
            file.write(f"E{each},Ada{each},Lovelace,Engineering,ada{each}@home.example,2026-11-23\n")


def peak_mb(shell: Shell, *arguments: str) -> float:
    """Run a command and return the most memory that it had."""
    process = subprocess.Popen(
        [sys.executable, "-m", "worker", *arguments],
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
