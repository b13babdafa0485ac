"""The link to a broker: one connection, one channel, one consumer. All that kombu does for us is here.

Messages are taken off the channel as they are: kombu's own class would decompress and decode what anybody may send.
"""

import select
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any

from kombu import Connection
from pydantic import SecretStr

from worker.bus.frames import Frames
from worker.bus.message import KEPT, LARGEST, Message
from worker.bus.topology import declare
from worker.sources import AmqpSource

_HEARTBEAT_S = 60
_CONNECT_TIMEOUT_S = 5
_BETWEEN_TICKS_S = 1.0
_AT_LEAST_S = 0.001
REPLIES = "amq.rabbitmq.reply-to"
"""RabbitMQ's pseudo-queue, of which each who waits there has a name that begins so (its guide "Direct reply-to")."""
_MOST_TOGETHER = 100


class LinkLost(Exception):
    """The broker is not to be had: it went away, never came, or refuses what we ask. Says which, quotes no message."""


class Link:
    """An open link. ``waiting`` holds what was delivered and neither acknowledged nor rejected yet, oldest first."""

    def __init__(self, source: AmqpSource, url: SecretStr) -> None:
        self.waiting: deque[Message] = deque()
        self._source = source
        self._connection = connection_to(url.get_secret_value())
        self._channel: Any = None
        self._frames: Any = None
        self._ticked = 0.0
        self._is_lost = False

    def open(self) -> None:
        """Connect, and declare what the source needs. Raises LinkLost."""
        with self._or_lost():
            client = self._connection.connect()
            client.on_inbound_frame = self._frames = Frames(client.on_inbound_frame)
            declare(self._connection, self._source)
            self._channel = self._connection.channel()
            self._channel.auto_decode = False

    def fetch(self) -> bool:
        """Have the oldest message in hand, and no other. False: there is none. Raises LinkLost."""
        with self._or_lost():
            if (delivered := self._channel.basic_get(self._source.queue_name)) is not None:
                self._deliver(delivered)
        return delivered is not None

    def consume(self) -> None:
        """Have as many messages in hand as the source allows from now on. Raises LinkLost."""
        with self._or_lost():
            self._channel.basic_qos(0, self._source.prefetch, False)
            self._channel.basic_consume(self._source.queue_name, callback=self._deliver)

    def listen(self, for_s: float) -> None:
        """Wait until something is delivered, at most so long, and keep the connection alive. Raises LinkLost.

        What has arrived already comes with it, as far as it may be taken together.
        """
        with self._or_lost():
            with suppress(TimeoutError):
                self._connection.drain_events(timeout=max(for_s, _AT_LEAST_S))
                while self._may_have_company() and self._more_has_arrived():
                    self._connection.drain_events(timeout=_AT_LEAST_S)
            if (now := time.monotonic()) - self._ticked >= _BETWEEN_TICKS_S:
                self._ticked = now
                self._connection.heartbeat_check()

    def together(self) -> list[Message]:
        """Return what may be taken in one transaction of what waits, oldest first.

        None if the oldest is to be taken alone: it came back, or is a trial.
        """
        together: list[Message] = []
        size = 0
        for message in islice(self.waiting, _MOST_TOGETHER):
            size += message.size
            if message.came_back or message.is_trial or (together and size > LARGEST):
                break
            together.append(message)
        return together

    def acknowledge(self, message: Message) -> None:
        """Let the broker forget a message and all that still wait before it. Raises LinkLost; then they come again."""
        with self._or_lost():
            self._channel.basic_ack(message.tag, multiple=True)
        while self.waiting and self.waiting[0].tag <= message.tag:
            self.waiting.popleft()

    def reject(self, message: Message) -> None:
        """Send the oldest message that waits to the dead letters. Raises LinkLost; then it comes again."""
        with self._or_lost():
            self._channel.basic_reject(message.tag, requeue=False)
        self.waiting.popleft()

    def answer(self, message: Message, told: bytes) -> None:
        """Tell whoever sent a message, and waits at such a queue as vanishes with them. An answer may be lost."""
        if not message.reply_to.startswith(REPLIES):
            return
        with self._or_lost(), suppress(*self._connection.channel_errors):
            channel: Any = self._connection.channel()  # one of its own: an error closes it
            try:
                channel.basic_publish(channel.prepare_message(told), exchange="", routing_key=message.reply_to)
            finally:
                self._connection.maybe_close_channel(channel)

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

    def _may_have_company(self) -> bool:
        # What came back is settled before anything else is read: what follows it may break the client, and would cost
        # it another redelivery each time.
        return len(self.waiting) < _MOST_TOGETHER and not (self.waiting and self.waiting[-1].came_back)

    def _more_has_arrived(self) -> bool:
        sock = self._connection.connection.sock
        if getattr(sock, "pending", int)():  # of TLS, decrypted already
            return True
        arrived = select.poll()
        arrived.register(sock, select.POLLIN)
        return bool(arrived.poll(0))

    def _deliver(self, delivered: Any) -> None:
        properties = delivered.properties
        body = delivered.body or b""  # an empty one comes as text
        self.waiting.append(
            Message(
                tag=delivered.delivery_tag,
                body=body if len(body) <= LARGEST else bytes(body[:KEPT]),
                size=len(body),
                content_type=properties.get("content_type") or "",
                content_encoding=properties.get("content_encoding") or "",
                headers=properties.get("application_headers") or {},
                is_decoded=self._frames.is_decoded,
                came_back=_times_back(delivered),
                reply_to=properties.get("reply_to") or "",
            )
        )


def _times_back(delivered: Any) -> int:
    """Return how often a message came back: the broker counts it in a header, which any producer may write, too."""
    if not delivered.delivery_info["redelivered"]:
        return 0
    counted = (delivered.properties.get("application_headers") or {}).get("x-delivery-count")
    return max(counted, 1) if isinstance(counted, int) else 1


def connection_to(url: str) -> Connection:
    """Return a connection that is not open yet."""
    # The certificate must be the host's that the URL names: without this any that the system trusts would do.
    secured: dict[str, Any] = {"ssl": {"server_hostname": None}} if url.startswith("amqps") else {}
    return Connection(url, heartbeat=_HEARTBEAT_S, connect_timeout=_CONNECT_TIMEOUT_S, **secured)


def said(error: Exception) -> str:
    """Return what the broker said, or what kind of error it is: others might quote what they choked on."""
    text = getattr(error, "reply_text", None) or (error.strerror if isinstance(error, OSError) else None)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
