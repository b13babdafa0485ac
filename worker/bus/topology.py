"""What a source needs at its broker: exchange, queue, and where dead letters go. Declared at each connection.

The queue is a quorum queue, whose messages survive a broker's death and know how often they came back. It hands dead
letters on only once they are kept elsewhere (at-least-once, RabbitMQ 3.10 and newer).
"""

from typing import Any

from kombu import Connection, Exchange, Queue

from worker.sources import AmqpSource

_NOT_FOUND = 404


def declare(connection: Connection, source: AmqpSource) -> None:
    """Declare everything. Idempotent. Raises what the broker says, as where a queue exists with other properties."""
    _ensure_exchange(connection, source.exchange, source.exchange_type)
    _ensure_exchange(connection, source.dead_letters, "direct")
    with connection.channel() as channel:
        for queue in (_dead_letters(source), *_own(source)):
            queue(channel).declare()


def has_exchange(connection: Connection, source: AmqpSource) -> bool:
    """Tell whether there is an exchange to publish to. Raises what the broker says of anything else."""
    return _is_there(connection, source.exchange, source.exchange_type)


def waiting(connection: Connection, source: AmqpSource) -> tuple[int, int] | None:
    """Return how many messages wait in the queue and how many consumers it has; None where there is no such queue."""
    channel: Any = connection.channel()  # one of its own: an error closes it
    try:
        found = channel.queue_declare(source.queue_name, passive=True)
    except connection.channel_errors as error:
        if getattr(error, "reply_code", None) != _NOT_FOUND:
            raise
        return None
    finally:
        connection.maybe_close_channel(channel)
    return found.message_count, found.consumer_count


def _own(source: AmqpSource) -> list[Queue]:
    arguments = {
        "x-queue-type": "quorum",
        "x-delivery-limit": source.delivery_limit,  # said, because the broker's default depends on its version (A7)
        "x-dead-letter-exchange": source.dead_letters,
        "x-dead-letter-routing-key": source.queue_name,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",  # the strategy asks for it; there is no length that could overflow
    }
    exchange = _there(source.exchange, source.exchange_type)
    return [
        Queue(source.queue_name, exchange, routing_key=key, durable=True, queue_arguments=arguments)
        for key in source.routing_keys
    ]


def _dead_letters(source: AmqpSource) -> Queue:
    return Queue(
        source.dead_letter_queue,
        _there(source.dead_letters, "direct"),
        routing_key=source.queue_name,  # so that queues may share the exchange
        durable=True,
        queue_arguments={"x-queue-type": "quorum"},
    )


def _there(name: str, type_: str) -> Exchange:
    return Exchange(name, type=type_, no_declare=True)


def _ensure_exchange(connection: Connection, name: str, type_: str) -> None:
    """Leave an exchange alone that is there, whatever its type: it is its producers', and we need no right to it."""
    if not _is_there(connection, name, type_):
        _declare_exchange(connection, name, type_, passive=False)


def _is_there(connection: Connection, name: str, type_: str) -> bool:
    try:
        _declare_exchange(connection, name, type_, passive=True)
    except connection.channel_errors as error:
        if getattr(error, "reply_code", None) != _NOT_FOUND:
            raise
        return False
    return True


def _declare_exchange(connection: Connection, name: str, type_: str, *, passive: bool) -> None:
    channel: Any = connection.channel()  # one of its own: an error closes it
    try:
        channel.exchange_declare(name, type_, passive=passive, durable=True, auto_delete=False)
    finally:
        connection.maybe_close_channel(channel)
