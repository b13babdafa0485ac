"""A shell for tests of the command line: the real command as a process of its own, in a directory of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.integration.office import KEY, USER, Office

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document that standard output must be."""
        return json.loads(self.out)


class Shell:
    """Runs ``mailroster`` in one directory with one environment."""

    def __init__(self, directory: Path, variables: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAILROSTER_")}
        self.variables = inherited | {"PYTHONPATH": str(ROOT)} | dict(variables or {})

    def run(self, *arguments: str, stdin: str = "", **variables: str) -> Ran:
        """Run a command to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "worker", *arguments],
            cwd=self.directory,
            env=self.variables | variables,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def write(self, name: str, text: str) -> None:
        """Write a file into the directory."""
        (self.directory / name).write_text(text, encoding="utf-8")

    @contextmanager
    def staying(self, *arguments: str, until: str) -> Iterator["Staying"]:
        """Start a command that stays, wait until it says something, and end it at last."""
        said = self.directory / f"{arguments[0]}.out"
        with said.open("wb") as out, (self.directory / f"{arguments[0]}.err").open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "worker", *arguments],
                cwd=self.directory,
                env=self.variables,
                stdout=out,
                stderr=err,
            )
            staying = Staying(process, said)
            try:
                staying.wait_for(until)
                yield staying
            finally:
                staying.kill()


class Staying:
    """A command that runs."""

    def __init__(self, process: subprocess.Popen[bytes], said: Path) -> None:
        self._process, self._said = process, said

    @property
    def out(self) -> str:
        """What it said so far."""
        return self._said.read_text(encoding="utf-8")

    def wait_for(self, text: str) -> None:
        """Wait until it has said this."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.out:
            complaint = self._said.with_suffix(".err").read_text(encoding="utf-8")
            assert self._process.poll() is None, complaint
            assert time.monotonic() < deadline, complaint
            time.sleep(0.05)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self._process.send_signal(number)
        return self._process.wait(PATIENCE_S)

    def kill(self) -> None:
        """End it whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


def beside(office: Office, url: str, directory: Path) -> Shell:
    """Return a shell on an office's database, mail host and time."""
    behind = int((datetime.now(UTC) - office.clock.now()).total_seconds())
    variables = {
        "MAILROSTER_DATABASE_URL": url,
        "MAILROSTER_MIGADU_URL": office.url,
        "MAILROSTER_MIGADU_USER": USER,
        "MAILROSTER_MIGADU_KEY": KEY,
        "MAILROSTER_CALL_LIMIT": "off",
        "MAILROSTER_CLOCK": f"-PT{behind}S",
    }
    return Shell(directory, variables)


def event(number: int, kind: str, subject: str, **told: object) -> dict[str, object]:
    """Return a canonical event of a day that is over."""
    return {
        "specversion": "1.0",
        "id": f"evt-{number}",
        "source": "urn:example:hr",
        "type": kind,
        "subject": subject,
        "time": "2025-03-03T09:00:00Z",
        "data": told,
    }


def lines(*events: Mapping[str, object]) -> str:
    """Return events as NDJSON."""
    return "".join(json.dumps(each) + "\n" for each in events)
