"""Hints: a source says of whom something changed. Noted with the delivery, and its record is asked for later."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.intake.accept import accept
from worker.intake.context import Intake
from worker.intake.offers import Receipt
from worker.intake.sealing import Raw
from worker.sources import Hint, Parsed
from worker.store import hints
from worker.store.database import Session
from worker.store.hints import Heard, Noted


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of all that a delivery told."""

    events: tuple[Receipt, ...]
    hints: tuple[Noted, ...]


def take(intake: Intake, source: str, parsed: Parsed, *, raw: Raw | None = None) -> Taken:
    """Commit the events and hints of a delivery of an authenticated source, all or none, then ring. As ``accept``."""
    noted: list[Noted] = []

    def note(session: Session) -> bool:
        noted.extend(note_hints(session, source, parsed.hints, intake.clock.now()))
        return not all(each.duplicate for each in noted)

    receipts = accept(intake, source, parsed.events, raw=raw, also=note if parsed.hints else None)
    if not all(each.duplicate for each in noted):
        intake.bell.ring_hydrate()  # whoever asks for one record rings for the next
    return Taken(receipts, tuple(noted))


def note_hints(session: Session, source: str, heard: Sequence[Hint], now: datetime) -> tuple[Noted, ...]:
    """Note hints of an authenticated source, in the caller's transaction, who rings when it is committed.

    Each is noted once by its key. However many there are of one person, at most one is outstanding.
    """
    return tuple(hints.note(session, source, [_heard(hint) for hint in heard], now))


def _heard(hint: Hint) -> Heard:
    digest = hashlib.sha256(f"{hint.subject}\0{hint.key}".encode()).hexdigest()
    return Heard(hint.subject, hint.occurred_at, hint.type, digest)
