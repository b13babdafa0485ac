"""Events of a message bus: how many a second one consumer commits, on each engine.

The floor in the same run is a bare kombu consumer on a queue of the same kind, which reads the JSON and inserts one row
with one commit by the same library. Both find all messages waiting. Each measurement takes a few seconds.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import amqp
from kombu import Connection, Consumer, Queue
from sqlalchemy import JSON, Column, Engine, MetaData, String, Table, event, func, insert, select
from sqlalchemy import create_engine as bare_engine

from tests.benchmarks._place import broker
from tests.integration.bus_place import Place, placed, told
from tests.servers import POSTGRES, fresh_database, usable_url
from worker.bus.consumer import Consumer as OurConsumer
from worker.bus.topology import declare
from worker.store import schema
from worker.store.database import Database
from worker.store.tables import EventRow

EVENTS = 5_000


def measure() -> dict[str, object]:
    """Measure on databases and a broker that are made for it and deleted. Raises ServerMissing without the server."""
    with (
        fresh_database(usable_url(POSTGRES)) as postgresql,
        TemporaryDirectory() as directory,
        broker(Path(directory, "broker")) as amqp_url,
    ):
        return {
            "events": EVENTS,
            "postgresql": _compared(postgresql, Path(directory), amqp_url),
            "sqlite": _compared(f"sqlite:///{directory}/mailroster.db", Path(directory), amqp_url),
        }


def _compared(url: str, directory: Path, amqp_url: str) -> dict[str, float]:
    schema.upgrade(url)
    with placed(directory, database_url=url, amqp_url=amqp_url) as place:
        floor = _measured(place, _bare_consumer)
        ours = _measured(place, _our_consumer)
    return {"events_per_s": ours, "floor_per_s": floor, "of_floor": round(ours / floor, 2)}


def _measured(place: Place, consumer: Callable[[Place], None]) -> float:
    declare(place.broker, place.source)
    with place.broker.channel() as channel:
        channel.queue_purge(place.source.queue_name)
    _publish(place)
    begun = time.monotonic()
    consumer(place)
    return round(EVENTS / (time.monotonic() - begun), 1)


def _publish(place: Place) -> None:
    with (
        Connection(place.deployment.settings.broker_url.get_secret_value()) as connection,
        connection.channel() as channel,
    ):
        for number in range(EVENTS):
            body = json.dumps(told(number)).encode()
            message = amqp.Message(body, delivery_mode=2, content_type="application/json")
            channel.basic_publish(message, place.source.exchange, "hr.people")
    while place.waiting() < EVENTS:
        time.sleep(0.05)


def _our_consumer(place: Place) -> None:
    stop, url = threading.Event(), place.deployment.settings.broker_url
    ours = threading.Thread(target=OurConsumer(place.source, url, place.deployment.intake, stop).run)
    ours.start()
    while _count(place.deployment.database) < EVENTS:
        time.sleep(0.05)
    stop.set()
    ours.join()


def _count(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(EventRow)) or 0


def _bare_consumer(place: Place) -> None:
    with _bare_table(place.deployment.database.engine) as (engine, table):
        taken = 0

        def take(message: Any) -> None:
            nonlocal taken
            document = json.loads(message.body)
            with engine.begin() as connection:
                connection.execute(insert(table), {"id": document["id"], "document": document})
            message.ack()
            taken += 1

        url = place.deployment.settings.broker_url.get_secret_value()
        queue = Queue(place.source.queue_name, no_declare=True)
        with Connection(url) as connection, Consumer(connection, [queue], on_message=take, prefetch_count=100):
            while taken < EVENTS:
                with suppress(socket.timeout):
                    connection.drain_events(timeout=1)


@contextmanager
def _bare_table(of: Engine) -> Iterator[tuple[Engine, Table]]:
    """Yield a table of two columns, and an engine that commits as safely as ours, with nothing of ours on its way."""
    engine = bare_engine(of.url)
    if of.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda raw, _: raw.executescript("pragma synchronous=full"))
    table = Table("floor", MetaData(), Column("id", String(256), primary_key=True), Column("document", JSON))
    table.create(engine)
    try:
        yield engine, table
    finally:
        table.drop(engine)
        engine.dispose()
