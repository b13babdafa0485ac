"""What a source sent, and what was read in it: the values that pass between verifying, parsing and the intake."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message of a source as it came: nothing in it is believed, and nothing of it is in the repr."""

    body: bytes
    """The raw bytes: signatures are over these."""
    headers: Mapping[str, str]
    """Their names in any case."""
    received_at: datetime

    def __repr__(self) -> str:
        return f"Delivery({len(self.body)} bytes, received_at={self.received_at.isoformat()})"


@dataclass(frozen=True, slots=True)
class Hint:
    """Somebody changed, but what they are now has to be asked for."""

    subject: str
    """Who: the source's stable key of the person."""
    occurred_at: datetime
    """When, aware and in UTC; the time of receipt where the source does not tell."""
    type: str | None
    """The canonical type where the source's word for it is known; None leaves it to what the record says."""
    key: str
    """What dedupes it: a repeated delivery gives the same key."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a delivery tells: documents of canonical events, not validated yet, and hints."""

    events: tuple[object, ...] = ()
    hints: tuple[Hint, ...] = ()
    passed_over: int = 0
    """Items whose type the source's table does not list."""
