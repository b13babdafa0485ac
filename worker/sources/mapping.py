"""From a sender's own words to ours: each item of a body becomes a canonical event, or a hint of somebody to ask for.

What a body lacks is told in one sentence with the key of the map and quotes nothing of the body.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from worker.events import FACTS, EventType
from worker.events.parsing import MOST_AHEAD
from worker.events.reading import Refused
from worker.events.reading import subject as read_subject
from worker.events.times import utc_text
from worker.sources.body import BodyInvalid, parse_json
from worker.sources.delivery import Delivery, Hint, Parsed
from worker.sources.expression import Expression, NotFitting
from worker.sources.instants import instant_of
from worker.sources.sections import MapSection
from worker.sources.signature import Proof

MOST_ITEMS = 1000
_LONGEST_KEY = 200
_LISTS = ("groups",)
_DATES = ("hireDate", "lastWorkingDay")
_DATE_LENGTH = len("2026-11-20")


class Lacking(ValueError):
    """An item lacks what the map needs. The sentence names the key of the map."""


@dataclass(frozen=True, slots=True)
class BodyMap:
    """How one source's bodies are read."""

    source: str
    section: MapSection
    thin: bool
    """Deliveries only say who changed: every item is a hint."""

    def parse(self, delivery: Delivery, proof: Proof) -> Parsed:
        """Return what a verified delivery tells. Raises BodyInvalid with one sentence.

        The same delivery gives the same ids and keys whenever it is parsed.
        """
        body = parse_json(delivery.body)
        key = _own_key(self.source, delivery, proof, thin=self.thin)
        reading = _Reading(self, body, key, proof.sent_at, delivery.received_at)
        told = list(reading.told())
        return Parsed(
            events=tuple(one for one in told if isinstance(one, dict)),
            hints=tuple(one for one in told if isinstance(one, Hint)),
            passed_over=told.count(None),
        )


def facts_of(section: MapSection, body: object, record: object) -> dict[str, object]:
    """Return the facts that the map finds in a record, each as the canonical event has it. Raises Lacking.

    A name that is not there is unknown and left out; null is known to be empty. Numbers become text where ours is text.
    """
    facts: dict[str, object] = {}
    for name, expression in section.facts.items():
        try:
            found = expression.find(body, record)
            if found is not None or expression.is_empty(body, record):
                facts[name] = _fact(name, found)
        except NotFitting as error:
            raise Lacking(f"map.facts.{name}: {error}") from None
    return facts


@dataclass(frozen=True, slots=True)
class _Reading:
    mapping: BodyMap
    body: object
    key: str
    sent_at: datetime | None
    received_at: datetime

    def told(self) -> Iterator[dict[str, object] | Hint | None]:
        items = self._items()
        for ordinal, item in enumerate(items):
            try:
                yield self._one(ordinal, item)
            except Lacking as error:
                raise BodyInvalid(f"item {ordinal + 1}: {error}" if len(items) > 1 else str(error)) from None

    def _items(self) -> list[object]:
        if self.mapping.section.items is None:
            return [self.body]
        try:
            found = self.mapping.section.items.find(self.body, self.body)
        except NotFitting as error:
            raise BodyInvalid(f"map.items: {error}") from None
        if found is None:
            raise BodyInvalid(f"map.items: the body has nothing at {self.mapping.section.items.text}")
        items = found if isinstance(found, list) else [found]
        if len(items) > MOST_ITEMS:
            raise BodyInvalid(f"map.items: the body has {len(items):,} items there, {MOST_ITEMS:,} are taken at most")
        return items

    def _one(self, ordinal: int, item: object) -> dict[str, object] | Hint | None:
        word = self._type(item)
        if word is None:
            return None
        subject, key = self._text("subject", item), self._key(ordinal, item)
        at = self._time(item)
        if self.mapping.thin:
            return self._hint(subject, at or self.sent_at or self.received_at, word, key)
        facts = facts_of(self.mapping.section, self.body, item)
        if word != EventType.LEFT:
            facts.pop("immediate", None)
        return self._event(subject, at, word or EventType.UPDATED, key) | {"data": facts}

    def _type(self, item: object) -> str | None:
        """Return our type, nothing where the map leaves it open; None where the item is passed over."""
        section = self.mapping.section
        if section.type is None:
            return ""
        word = self._text("type", item)
        return section.types.get(word) if section.types else word

    def _key(self, ordinal: int, item: object) -> str:
        expression = self.mapping.section.id
        if expression is None:
            return f"{self.key}:{ordinal}"
        key = self._text("id", item)
        if len(key) > _LONGEST_KEY:
            key = hashlib.sha256(key.encode()).hexdigest()
        return f"{key}:{ordinal}" if expression.of_body else key

    def _time(self, item: object) -> datetime | None:
        if self.mapping.section.time is None:
            return None
        instant = instant_of(self._found("time", item))
        if instant is None:
            raise Lacking("map.time: an ISO 8601 instant, or seconds or milliseconds since 1970, is expected there")
        return instant

    def _text(self, name: str, item: object) -> str:
        found = _as_text(self._found(name, item))
        if not isinstance(found, str) or not found.strip():
            raise Lacking(f"map.{name}: text or a whole number is expected there")
        return found.strip()

    def _found(self, name: str, item: object) -> object:
        expression: Expression = getattr(self.mapping.section, name)
        try:
            found = expression.find(self.body, item)
        except NotFitting as error:
            raise Lacking(f"map.{name}: {error}") from None
        if found is None:
            raise Lacking(f"map.{name}: the body has nothing at {expression.text}")
        return found

    def _hint(self, subject: str, at: datetime, word: str, key: str) -> Hint:
        try:
            subject = read_subject(subject)
        except Refused as error:
            raise Lacking(f"map.subject: {error}") from None
        at = at if at <= self.received_at + MOST_AHEAD else self.received_at
        return Hint(subject, at, word if word in tuple(EventType) else None, key)

    def _event(self, subject: str, at: datetime | None, word: str, key: str) -> dict[str, object]:
        document: dict[str, object] = {
            "specversion": "1.0",
            "id": key,
            "source": f"urn:mailroster:{self.mapping.source}",
            "type": word,
            "subject": subject,
            "time": utc_text(at or self.sent_at or self.received_at),
        }
        if at is None:  # the same delivery has another time when it is sent again, and must still be the same event
            document["recordedtime"] = document["time"]
        return document


def _own_key(source: str, delivery: Delivery, proof: Proof, *, thin: bool) -> str:
    """Return what tells a delivery from others: its id, or else a hash that the same body of the same source has.

    Where bodies only say who changed, the same body means another change each time: its time belongs to the hash, and
    to ask once more for a repetition that was signed anew does no harm.
    """
    if proof.id is not None and len(proof.id) <= _LONGEST_KEY:
        return proof.id
    parts = [source.encode(), (proof.id or "").encode(), delivery.body]
    if thin and proof.id is None:
        parts.append((proof.sent_at or delivery.received_at).isoformat().encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _fact(name: str, found: object) -> object:
    if name in _LISTS or name not in FACTS:
        return found
    found = _as_text(found)
    if name in _DATES and isinstance(found, str) and found[_DATE_LENGTH : _DATE_LENGTH + 1] in {"T", " "}:
        return found[:_DATE_LENGTH]  # a day that is sent as an instant
    return found


def _as_text(found: object) -> object:
    """Return a number without a fraction as text, which keys and numbers of people often are; others as they are."""
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else found
