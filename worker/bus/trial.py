"""A trial of a source on a bus: what is there at its broker, looked at and left as it is."""

from contextlib import closing

from kombu import Connection

from worker.bus.bus import broker_of
from worker.bus.link import connection_to, said
from worker.bus.topology import has_exchange, waiting
from worker.deployment import Deployment
from worker.mail import counted
from worker.sources import AmqpSource

Look = tuple[str, bool, str]
"""What was looked at, whether it is well, and a sentence."""


def look_at_broker(deployment: Deployment, source: AmqpSource) -> list[Look]:
    """Return what is at a source's broker. Raises NotConfigured where it has none that others could publish to."""
    url = broker_of(deployment, source).get_secret_value()
    try:
        with closing(connection_to(url)) as connection:
            connection.connect()
            return [
                ("broker", True, "it answers, and lets us in"),
                _exchange(connection, source),
                _queue(connection, source),
            ]
    except Exception as error:  # noqa: BLE001 - the client fails in many ways, and each means that it is not to be had
        return [("broker", False, said(error))]


def _exchange(connection: Connection, source: AmqpSource) -> Look:
    there = has_exchange(connection, source)
    told = f"{source.exchange} is there" if there else f"there is no {source.exchange} to publish to"
    return "exchange", there, told if there else f"{told}: `mailroster bus` declares it when it starts"


def _queue(connection: Connection, source: AmqpSource) -> Look:
    found = waiting(connection, source)
    if found is None:
        lost = f"there is no {source.queue_name}, so what is published now is lost"
        return "queue", False, f"{lost}: `mailroster bus` declares it when it starts"
    return (
        "queue",
        True,
        f"{source.queue_name} holds {counted(found[0], 'message')}, and has {counted(found[1], 'consumer')}",
    )
