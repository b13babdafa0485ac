"""A trial of a source on a bus: what is there at its broker, and a message of our own for its running consumer.

The message goes straight to our queue, because an exchange may have others who listen; the consumer binds the two
whenever it connects. It is answered by way of RabbitMQ's direct reply-to, and nothing of it is kept.
"""

import json
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import datetime
from typing import Any

from kombu import Connection

from worker.bus.bus import broker_of
from worker.bus.link import REPLIES, connection_to, said
from worker.bus.topology import has_exchange, waiting
from worker.deployment import Deployment
from worker.mail import counted
from worker.sources import AmqpSource
from worker.sources.trial import HEADER, Answer

Look = tuple[str, bool, str]
"""What was looked at, whether it is well, and a sentence."""

_ANSWERED_WITHIN_S = 15.0
_READ, _NOT_READ = 202, 400


def try_bus(deployment: Deployment, source: AmqpSource, body: bytes, at: datetime) -> Iterator[Look | Answer]:
    """Yield what is at a source's broker, and last what its consumer answers to a body, if it can be asked.

    Raises NotConfigured where it has no broker that others could publish to.
    """
    url = broker_of(deployment, source).get_secret_value()
    try:
        with closing(connection_to(url)) as connection:
            connection.connect()
            yield "broker", True, "it answers, and lets us in"
            yield _exchange(connection, source)
            found = waiting(connection, source)
            yield _queue(source, found)
            if found is not None and found[1]:
                yield _asked(connection, source, body, at)
    except Exception as error:  # noqa: BLE001 - the client fails in many ways, and each means that it is not to be had
        yield "broker", False, said(error)


def _exchange(connection: Connection, source: AmqpSource) -> Look:
    there = has_exchange(connection, source)
    told = f"{source.exchange} is there" if there else f"there is no {source.exchange} to publish to"
    return "exchange", there, told if there else f"{told}: `mailroster bus` declares it when it starts"


def _queue(source: AmqpSource, found: tuple[int, int] | None) -> Look:
    if found is None:
        lost = f"there is no {source.queue_name}, so what is published now is lost"
        return "queue", False, f"{lost}: `mailroster bus` declares it when it starts"
    told = f"{source.queue_name} holds {counted(found[0], 'message')}, and has {counted(found[1], 'consumer')}"
    return "queue", bool(found[1]), told if found[1] else f"{told}: start `mailroster bus` or `up`"


def _asked(connection: Connection, source: AmqpSource, body: bytes, at: datetime) -> Look | Answer:
    """Send the message and return what comes back."""
    answers: list[bytes] = []
    headers = {HEADER: str(int(at.timestamp()))}
    try:
        channel: Any = connection.channel()
        message = channel.prepare_message(
            body, content_type="application/json", headers=headers, properties={"reply_to": REPLIES}
        )
        channel.auto_decode = False
        channel.basic_consume(REPLIES, no_ack=True, callback=lambda answer: answers.append(answer.body))
        channel.basic_publish(message, exchange="", routing_key=source.queue_name)
        until = time.monotonic() + _ANSWERED_WITHIN_S
        while not answers and (left_s := until - time.monotonic()) > 0:
            with suppress(TimeoutError):
                connection.drain_events(timeout=left_s)
    except connection.channel_errors as error:
        return "delivery", True, f"not tried, because we may not publish to our own queue: {said(error)}"
    if not answers:
        behind = f"nothing came back from {source.queue_name} within {_ANSWERED_WITHIN_S:.0f} seconds"
        return "delivery", False, f"{behind}: its consumer is behind, or may not answer; `mailroster bus` logs why"
    told = json.loads(answers[0])
    return Answer(_READ if told.get("test") is True else _NOT_READ, told)
