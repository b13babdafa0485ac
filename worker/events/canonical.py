"""The canonical event as a value. ``contracts.md`` section 4 fixes its wire form."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

FactValue = str | int | float | bool | None | tuple[str, ...]
"""A stated fact: text, number, truth value, a list of texts, or None for "known to be empty"."""


class EventType(StrEnum):
    """What can happen to a person."""

    JOINED = "person.joined"
    JOINING_CANCELLED = "person.joining_cancelled"
    UPDATED = "person.updated"
    RENAMED = "person.renamed"
    LEFT = "person.left"
    LEAVING_CANCELLED = "person.leaving_cancelled"
    SUSPENDED = "person.suspended"
    RESUMED = "person.resumed"
    PURGED = "person.purged"


EVENT_TYPES = tuple(EventType)


@dataclass(frozen=True, slots=True)
class Event:
    """One validated canonical event.

    ``facts`` holds the attributes of ``data`` as they were stated (absent is unknown, None is known to be empty);
    dates stay ISO text (``YYYY-MM-DD``), ``leftAt`` is RFC 3339 text in UTC, ``workEmail`` is in its checked form and
    ``personalEmail`` as given; blank text counts as None; ``immediate`` is no fact and has its own field.
    """

    id: str
    source: str
    """The CloudEvents source the sender wrote; our own name of the authenticated source is not part of the event."""
    type: EventType
    subject: str
    time: datetime
    """When it happened: aware, UTC."""
    facts: Mapping[str, FactValue]
    immediate: bool = False
    """Only on ``person.left``: block at once, whatever the dates."""
    warnings: tuple[str, ...] = ()
    """What was mended on reading and its sender should know; repeats no value of a person."""
