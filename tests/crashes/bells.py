"""Bells rung, lost and doubled from outside, at the broker of a test's own."""

from contextlib import suppress
from typing import Any

import amqp
from celery import Celery
from kombu.exceptions import OperationalError

from tests.end_to_end.rabbit import Node
from worker.app import APPLY_QUEUE, EVENTS_QUEUE, HYDRATE_QUEUE, RUN_QUEUE

QUEUES = (APPLY_QUEUE, RUN_QUEUE, HYDRATE_QUEUE, EVENTS_QUEUE)
RANG_AGAIN = "the same bell once more"
"""What a worker says that rings each bell twice (`twice.py`)."""
_BELLS = {"mailroster.apply_next": APPLY_QUEUE, "mailroster.run_next": RUN_QUEUE}


class Bells:
    """Rings as a process of ours does, and does with the queues what nobody should."""

    def __init__(self, url: str) -> None:
        self._celery = Celery("bells", broker=url, set_as_current=False)
        self._celery.conf.broker_transport_options = {"max_retries": 1, "interval_start": 0}

    def ring(self, times: int = 1) -> None:
        """Say that there is something to apply and something to run; where the broker is away nobody hears it."""
        for name, queue in _BELLS.items():
            for _ in range(times):
                with suppress(OperationalError, OSError):
                    self._celery.send_task(name, queue=queue, ignore_result=True, retry=False)

    def waiting(self) -> int:
        """Return how many bells nobody has heard yet."""
        with self._celery.connection_for_read() as connection:
            return sum(_waiting(connection.default_channel, name) for name in _BELLS.values())

    def close(self) -> None:
        """Disconnect."""
        self._celery.close()


def _waiting(channel: Any, queue: str) -> int:
    try:
        return int(channel.queue_declare(queue=queue, passive=True).message_count)
    except amqp.ChannelError:
        return 0  # in Redis an empty queue is none


def lost(node: Node) -> int:
    """Empty the queues; returns how many bells were lost by that."""
    with node.connect() as connection:
        channel = connection.channel()
        for name in QUEUES:
            _declare(channel, name)
        return sum(channel.queue_purge(name) for name in QUEUES)


def _declare(channel: amqp.Channel, name: str) -> None:
    """Have a queue and its exchange be there, as the workers declare them."""
    channel.exchange_declare(name, "direct", durable=True, auto_delete=False)
    channel.queue_declare(name, durable=True, auto_delete=False)
    channel.queue_bind(name, exchange=name, routing_key=name)
