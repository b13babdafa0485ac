"""A RabbitMQ node of a test's own, which it may kill: its name, ports, data and cookie are nobody else's."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import amqp
import pytest

from tests.servers import free_port

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""The server itself: the command on the path becomes the user rabbitmq first, who may not write where a test may."""
_START_S = 60.0


@dataclass(eq=False)
class Node:
    """One node; its messages survive its death."""

    directory: Path
    name: str = field(default_factory=lambda: f"mailroster_{uuid4().hex[:8]}@localhost")
    port: int = field(default_factory=free_port)
    dist_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        """Start, and return once it answers."""
        (self.directory / "plugins").write_text("[].")
        variables = {
            "HOME": str(self.directory),  # where the cookie is made
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.dist_port),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "data"),
            "RABBITMQ_LOG_BASE": str(self.directory / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.directory / "none"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RABBITMQ_")}
        with (self.directory / "node.log").open("ab") as log:
            self.process = subprocess.Popen(
                [SERVER], env=kept | variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + _START_S
        while not self._answers():
            assert self.process.poll() is None, (self.directory / "node.log").read_text()
            assert time.monotonic() < end, "the node did not start"
            time.sleep(0.1)

    def kill(self) -> None:
        """End it at once, without a word to anybody."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def connect(self, *, timeout_s: float = 10.0) -> amqp.Connection:
        """Return an open connection."""
        connection = amqp.Connection(f"127.0.0.1:{self.port}", connect_timeout=timeout_s)
        connection.connect()
        return connection

    def _answers(self) -> bool:
        try:
            self.connect(timeout_s=2).close()
        except (OSError, amqp.AMQPError):
            return False
        return True


@contextmanager
def own_node(directory: Path) -> Iterator[Node]:
    """Yield a node that runs; kill it afterwards. Skips the test where the server is not installed, but not in CI."""
    if not SERVER.exists():
        assert not os.environ.get("CI"), f"there is no {SERVER}"
        pytest.skip(f"there is no {SERVER}")
    node = Node(directory)
    try:
        node.start()
        yield node
    finally:
        node.kill()


class Producer:
    """Publishes in lots, each again until the broker has confirmed all of it: what it returns from is not lost."""

    def __init__(self, node: Node, exchange: str, lost: Callable[[], None] = lambda: None) -> None:
        """``lost`` is called whenever a lot must be sent again."""
        self._node, self._exchange, self._lost = node, exchange, lost
        self._connection: amqp.Connection | None = None
        self._channel: Any = None
        self._confirmed: set[int] = set()

    def publish(self, lot: list[amqp.Message]) -> None:
        """Publish a lot, and return once each of it is confirmed."""
        while True:
            try:
                return self._publish(lot)
            except (OSError, amqp.AMQPError):
                self._lost()
                self.close()
                time.sleep(0.2)

    def close(self) -> None:
        """Disconnect."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.collect()

    def _publish(self, lot: list[amqp.Message]) -> None:
        if self._connection is None:
            self._open()
        assert self._connection is not None
        self._confirmed.clear()
        first = self._next
        for message in lot:
            self._channel.basic_publish(message, self._exchange, "hr.people", mandatory=True)
        self._next += len(lot)
        wanted = set(range(first, self._next))
        while not wanted <= self._confirmed:
            self._connection.drain_events(timeout=10)

    def _open(self) -> None:
        self._connection = self._node.connect()
        self._channel = self._connection.channel()
        self._channel.confirm_select()
        self._next = 1
        self._channel.events["basic_ack"].add(self._acknowledged)

    def _acknowledged(self, tag: int, multiple: bool) -> None:  # noqa: FBT001 - the client's signature
        # Confirmations come in order of their tags on one queue: all up to this one are confirmed where it says so.
        self._confirmed |= set(range(1, tag + 1)) if multiple else {tag}
