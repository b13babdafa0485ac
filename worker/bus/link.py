"""The link to a broker: one connection, one channel, one consumer. All that kombu does for us is here.

Messages are taken off the channel as they are: kombu's own class would decompress and decode what anybody may send.
"""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from kombu import Connection
from pydantic import SecretStr

from worker.bus.message import KEPT, LARGEST, Message
from worker.bus.topology import declare
from worker.sources import AmqpSource

_HEARTBEAT_S = 60
_CONNECT_TIMEOUT_S = 5
_BETWEEN_TICKS_S = 1.0


class LinkLost(Exception):
    """The broker is not to be had: it went away, never came, or refuses what we ask. Says which, quotes no message."""


class Link:
    """An open link. ``waiting`` holds what was delivered and not looked at yet, oldest first."""

    def __init__(self, source: AmqpSource, url: SecretStr) -> None:
        self.waiting: deque[Message] = deque()
        self._source = source
        self._connection = connection_to(url.get_secret_value())
        self._channel: Any = None
        self._consumer: str | None = None
        self._ticked = 0.0
        self._is_lost = False

    def open(self) -> None:
        """Connect, and declare what the source needs. Raises LinkLost."""
        with self._or_lost():
            self._connection.connect()
            declare(self._connection, self._source)
            self._channel = self._connection.channel()
            self._channel.auto_decode = False

    def consume(self, *, prefetch: int) -> None:
        """Have so many messages in hand from now on. Raises LinkLost."""
        with self._or_lost():
            if self._consumer is not None:
                self._channel.basic_cancel(self._consumer)
            self._channel.basic_qos(0, prefetch, False)  # holds for consumers that begin afterwards
            self._consumer = self._channel.basic_consume(self._source.queue_name, callback=self._deliver)

    def listen(self, for_s: float) -> None:
        """Wait until something is delivered, at most so long, and keep the connection alive. Raises LinkLost."""
        with self._or_lost():
            with suppress(TimeoutError):
                self._connection.drain_events(timeout=max(for_s, 0.001))
            if (now := time.monotonic()) - self._ticked >= _BETWEEN_TICKS_S:
                self._ticked = now
                self._connection.heartbeat_check()

    def acknowledge(self, message: Message) -> None:
        """Let the broker forget a message. Raises LinkLost; then it comes again."""
        with self._or_lost():
            self._channel.basic_ack(message.tag)

    def reject(self, message: Message) -> None:
        """Send a message to the dead letters. Raises LinkLost; then it comes again."""
        with self._or_lost():
            self._channel.basic_reject(message.tag, requeue=False)

    def close(self) -> None:
        """Give back what is in hand, and disconnect. Never raises."""
        self.waiting.clear()
        with suppress(Exception):  # a broken connection fails in many ways
            if not self._is_lost:
                self._connection.release()
        with suppress(Exception):
            self._connection.collect()  # without a word, which is all that a lost one allows: or the socket stays open

    @contextmanager
    def _or_lost(self) -> Iterator[None]:
        """Turn whatever the client raises into LinkLost; afterwards the link is of no more use."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a message that it cannot decode breaks the client in many ways
            self._is_lost = True
            raise LinkLost(said(error)) from None

    def _deliver(self, delivered: Any) -> None:
        properties = delivered.properties
        body = delivered.body or b""  # an empty one comes as text
        headers = properties.get("application_headers") or {}
        self.waiting.append(
            Message(
                tag=delivered.delivery_tag,
                body=body if len(body) <= LARGEST else bytes(body[:KEPT]),
                size=len(body),
                content_type=properties.get("content_type") or "",
                content_encoding=properties.get("content_encoding") or "",
                headers=headers,
                came_back=count if isinstance(count := headers.get("x-delivery-count"), int) else 0,
            )
        )


def connection_to(url: str) -> Connection:
    """Return a connection that is not open yet."""
    # The certificate must be the host's that the URL names: without this any that the system trusts would do.
    secured: dict[str, Any] = {"ssl": {"server_hostname": None}} if url.startswith("amqps") else {}
    return Connection(url, heartbeat=_HEARTBEAT_S, connect_timeout=_CONNECT_TIMEOUT_S, **secured)


def said(error: Exception) -> str:
    """Return what the broker said, or what kind of error it is: others might quote what they choked on."""
    text = getattr(error, "reply_text", None) or (error.strerror if isinstance(error, OSError) else None)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
