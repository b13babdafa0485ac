"""A message as the broker delivered it, and the CloudEvents in it by the RabbitMQ binding (`event-sources.md` 2.2).

Its attributes stand in headers that begin with ``ce-``; those of the AMQP 1.0 binding (``cloudEvents:``,
``cloudEvents_``) are understood, too, because a broker that speaks both passes them on as they are.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from worker.intake.sealing import Channel, Raw
from worker.sources import BodyInvalid, cloud_events
from worker.sources.trial import HEADER as TRIAL

LARGEST = 1024 * 1024
"""Bytes of a body, as over HTTP (`contracts.md` 3)."""
KEPT = 16 * 1024
"""Bytes that are kept of a body that is larger than that: the rest is let go as soon as it has arrived."""

_PREFIXES = ("ce-", "cloudevents:", "cloudevents_")
_PLAIN = {"", "utf-8", "utf8", "us-ascii", "ascii", "identity", "binary"}
"""Content encodings that say nothing was done to the text; Python's clients send ``binary`` with bytes."""


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery. Nothing in it is believed, and its repr shows nothing of it."""

    tag: int
    """By which it is acknowledged, on the channel it came by."""
    body: bytes = field(repr=False)
    size: int
    """Bytes that were sent, of which ``body`` may hold only the first."""
    content_type: str = field(repr=False, default="")
    content_encoding: str = field(repr=False, default="")
    headers: Mapping[object, object] = field(repr=False, default_factory=dict)
    is_decoded: bool = True
    """Its properties and headers could be decoded; else it has none."""
    came_back: int = 0
    """How often it was delivered before, and neither acknowledged nor rejected."""

    reply_to: str = field(repr=False, default="")
    """The queue at which its sender waits for an answer."""

    @property
    def is_trial(self) -> bool:
        """Its sender wants to know what we read of it, and nothing is to come of it."""
        return TRIAL in self.headers

    @property
    def text(self) -> str:
        """The body for people to look at."""
        return self.body.decode("utf-8", "replace")


def documents(message: Message) -> list[object]:
    """Return the events of a message, not validated yet. Raises BodyInvalid with one sentence."""
    if not message.is_decoded:
        raise BodyInvalid("a property or header of the message cannot be decoded")
    if message.size > LARGEST:
        raise BodyInvalid(f"the body is larger than {LARGEST:,} bytes")
    if message.content_encoding.strip().lower() not in _PLAIN:
        raise BodyInvalid("an encoded body is not accepted: send it as UTF-8, without another content encoding")
    return cloud_events.documents(message.content_type, _attributes(message.headers), message.body)


def raw_of(message: Message) -> Raw:
    """Return what is kept of a message whose events could be read, to be replayed."""
    attributes = {f"ce-{name}": str(value) for name, value in _attributes(message.headers).items()}
    return Raw(Channel.BUS, attributes | {"content-type": message.content_type}, message.body)


def _attributes(headers: Mapping[object, object]) -> dict[str, object]:
    attributes: dict[str, object] = {}
    for name, value in _prefixed(headers):
        if name in attributes:
            raise BodyInvalid("an attribute is given twice in the headers")
        attributes[name] = _text(value)
    return attributes


def _prefixed(headers: Mapping[object, object]) -> Iterator[tuple[str, object]]:
    for name, value in headers.items():
        lower = name.lower() if isinstance(name, str) else ""
        for prefix in _PREFIXES:
            if lower.startswith(prefix):
                yield lower.removeprefix(prefix), value


def _text(value: object) -> str:
    """Write a header's value as CloudEvents writes its type: AMQP has types of its own for most of them."""
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case datetime():  # the client gives it in UTC and without a zone
            return value.replace(tzinfo=UTC).isoformat()
        case _:
            raise BodyInvalid("an attribute in the headers is neither text nor number nor time")
