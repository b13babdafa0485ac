"""A PostgreSQL of a test's own, which it may kill, and which then has only what it had told the disk."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from tests.servers import free_port

_START_S = 60.0
_FORGETFUL = {
    # What does not wait for the disk gets there with what does, or in ten seconds, and by no other way.
    "fsync": "on",
    "wal_writer_delay": "10s",
    "wal_writer_flush_after": "1GB",
    "bgwriter_lru_maxpages": "0",
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


@dataclass(eq=False)
class OwnPostgres:
    """One cluster. Its files are on a disk, and belong to who may run a server."""

    programs: Path
    directory: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens, in SQLAlchemy's form."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def make(self) -> None:
        """Make the cluster."""
        options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"]
        self._run("initdb", f"--pgdata={self.directory / 'data'}", *options).check_returncode()

    def start(self, port: int | None = None) -> None:
        """Start, and return once it answers and has recovered. ``port``: where nobody but the test looks for it."""
        at = self.port if port is None else port
        options = {"port": str(at), "listen_addresses": "127.0.0.1", "unix_socket_directories": "", **_FORGETFUL}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.directory / "data", *settings],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **_whoever_may(),
            )
        end = time.monotonic() + _START_S
        while not self._answers(at):
            assert self.process.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < end, "the server did not start"
            time.sleep(0.05)

    def stop(self) -> None:
        """End it in order, whoever is connected: all that was committed is on the disk."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Have it end by itself without telling the disk anything (``pg_ctl stop --mode immediate``)."""
        self._end(signal.SIGQUIT)

    def kill(self) -> None:
        """End each of its processes at once, without a word to anybody."""
        if self.process is None:
            return
        children = [int(each) for each in self._children()]
        for process in (self.process.pid, *children):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.process.wait()
        while any(_lives(each) for each in children):  # they hold its memory, and keep the next one out
            time.sleep(0.01)

    def _end(self, by: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(by)
            self.process.wait()

    def _children(self) -> list[str]:
        assert self.process is not None
        with suppress(FileNotFoundError):
            return Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return []

    def _answers(self, port: int) -> bool:
        try:
            psycopg.connect(host="127.0.0.1", port=port, user="postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [self.programs / program, *arguments],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            **_whoever_may(),
        )


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """Yield a server that runs; kill it afterwards. Skips the test where it is not installed, but not in CI."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda each: int(each.parts[4]))
    if not programs:
        assert not os.environ.get("CI"), "there is no PostgreSQL in /usr/lib/postgresql"
        pytest.skip("there is no PostgreSQL in /usr/lib/postgresql")
    # pytest's directories are closed to whom the server runs as.
    directory = Path(tempfile.mkdtemp(prefix="mailroster-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(directory, "postgres")
    server = OwnPostgres(programs[-1].parent, directory)
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(directory)


def _lives(process: int) -> bool:
    """Tell whether a process is more than a name that nobody has asked after yet."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def _whoever_may() -> dict[str, str]:
    """Return as whom a server is run: PostgreSQL refuses to be root's."""
    return {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
