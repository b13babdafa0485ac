"""A bus for our consumer: a real RabbitMQ, an exchange of the test's own, a confirming producer, and the inbox."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import amqp
from kombu import Connection
from sqlalchemy import select, text

from tests.end_to_end.installation import wait_until
from worker.bell import Bell, SilentBell
from worker.bus import Bus
from worker.deployment import Deployment
from worker.settings import Settings
from worker.sources import AmqpSource
from worker.store import workers
from worker.store.tables import EventRow

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


def told(number: int = 1, **more: object) -> dict[str, Any]:
    """Return the event of somebody who joined."""
    return {
        "specversion": "1.0",
        "id": f"evt-{number}",
        "source": "urn:example:payroll",
        "type": "person.joined",
        "subject": f"E{number}",
        "time": "2026-11-20T09:00:00Z",
        "data": {"givenName": "Ada", "familyName": f"Lovelace{number}"},
    } | more


@dataclass
class Place:
    """One source on a bus, with what surrounds it."""

    deployment: Deployment
    source: AmqpSource
    broker: Connection
    """Past whatever stands between our consumer and the broker."""

    @property
    def producer(self) -> Any:
        """A channel on which each publication is confirmed before the call returns."""
        return self.broker.channel()

    def send(
        self,
        *bodies: object,
        headers: Mapping[str, object] | None = None,
        routing_key: str | bytes = "hr.people",
        **properties: object,
    ) -> None:
        """Publish each body, JSON unless it is bytes, so described; return once the broker has confirmed them."""
        with self.producer as channel:
            channel.exchange_declare(self.source.exchange, "topic", durable=True, auto_delete=False)
            for body in bodies:
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                message = amqp.Message(content, application_headers=dict(headers or {}), delivery_mode=2, **properties)
                channel.basic_publish(message, self.source.exchange, routing_key)

    def rows(self) -> list[EventRow]:
        """Return the inbox, oldest first."""
        with self.deployment.database.read() as session:
            return list(session.scalars(select(EventRow).order_by(EventRow.id)))

    def inbox(self) -> list[tuple[str | None, str]]:
        """Return (id of the event, state) of the inbox."""
        return [(row.ce_id, row.state.value) for row in self.rows()]

    def waiting(self) -> int:
        """Return how many messages are in the queue and in nobody's hand."""
        return self._count(self.source.queue_name)

    def dead(self) -> list[Any]:
        """Return the dead letters that have arrived, and leave them there."""
        with self.broker.channel() as channel:
            letters = []
            while (letter := channel.basic_get(self.source.dead_letter_queue)) is not None:
                letters.append(letter)
        return letters

    def dead_count(self) -> int:
        """Return how many dead letters there are."""
        return self._count(self.source.dead_letter_queue)

    def _count(self, queue: str) -> int:
        with self.broker.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).message_count)

    def connected(self) -> bool:
        """Our consumer is connected."""
        with self.deployment.database.read() as session:
            return bool(workers.consumers(session, self.source.name))

    def refuse_inserts_of(self, ce_id: str) -> None:
        """Have the database fail on this one event."""
        database = self.deployment.database
        trigger = "create trigger no before insert on events"
        with database.write() as session:
            if database.is_sqlite:
                failing = f"when new.ce_id = '{ce_id}' begin select raise(abort, 'no'); end"
            else:
                failing = f"for each row when (new.ce_id = '{ce_id}') execute function no()"
                body = "begin raise exception 'no'; end"
                session.execute(text(f"create function no() returns trigger language plpgsql as $${body}$$"))
            session.execute(text(f"{trigger} {failing}"))

    @contextmanager
    def consumed(self) -> Iterator[None]:
        """Have our consumer at work, from when it is connected on."""
        with Bus(self.deployment):
            wait_until(self.connected)
            yield

    def clear_away(self) -> None:
        """Delete whatever was declared."""
        with self.broker.channel() as channel:
            for queue in (self.source.queue_name, self.source.dead_letter_queue):
                channel.queue_delete(queue)
            for exchange in (self.source.exchange, self.source.dead_letters):
                channel.exchange_delete(exchange)


@contextmanager
def placed(
    directory: Path,
    *,
    database_url: str,
    amqp_url: str,
    through: str | None = None,
    bell: Bell | None = None,
    keys: str = "",
    exchange: str = "",
    raw_key: str | None = None,
) -> Iterator[Place]:
    """Yield a place, with no consumer yet; delete from the broker what was declared there.

    ``through``: the URL our consumer uses, where it is another one than ours. ``keys``: more of the source's table.
    """
    exchange = exchange or f"test-{uuid4().hex[:12]}"
    file = directory / "sources.toml"
    file.write_text(f'[sources.payroll]\nkind = "amqp"\nexchange = "{exchange}"\nqueue = "{exchange}-queue"\n{keys}')
    settings = Settings(database_url=database_url, broker_url=through or amqp_url, sources=file, raw_key=raw_key)
    with (
        closing(Deployment(settings, bell or SilentBell())) as deployment,
        Connection(amqp_url, transport_options={"confirm_publish": True}) as broker,
    ):
        (source,) = deployment.sources.of(AmqpSource)
        place = Place(deployment, source, broker)
        try:
            yield place
        finally:
            place.clear_away()
