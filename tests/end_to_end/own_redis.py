"""A Redis of a test's own, which it may kill, and which then forgets everything."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis

from tests.servers import free_port

_START_S = 60.0


@dataclass(eq=False)
class OwnRedis:
    """One server, with nothing on a disk."""

    directory: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start, and return once it answers."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        with (self.directory / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(
                ["redis-server", *options], cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        end = time.monotonic() + _START_S
        while not self._answers():
            assert self.process.poll() is None, (self.directory / "redis.log").read_text()
            assert time.monotonic() < end, "the server did not start"
            time.sleep(0.05)

    def kill(self) -> None:
        """End it at once, without a word to anybody."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@contextmanager
def own_redis(directory: Path) -> Iterator[OwnRedis]:
    """Yield a server that runs; kill it afterwards. Skips the test where it is not installed, but not in CI."""
    if shutil.which("redis-server") is None:
        assert not os.environ.get("CI"), "there is no redis-server"
        pytest.skip("there is no redis-server")
    server = OwnRedis(directory)
    try:
        server.start()
        yield server
    finally:
        server.kill()
