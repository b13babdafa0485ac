"""Accept: validate events, put them into the inbox under their dedupe key, commit, and ring.

Whoever gets a receipt may forget the event. An event that is refused leaves a record with the reason.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.events import Event, EventInvalid, parse_event
from worker.intake.context import Intake
from worker.store import events
from worker.store.database import Session

_KEPT_CHARACTERS = 8_000  # of a body that was refused: enough to see what it was


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one offered event."""

    id: int
    duplicate: bool
    conflict: bool = False
    """The same key came before with another body: kept for a person to see, never applied."""


class EventsRefused(ValueError):
    """At least one of the offered events is invalid; none of them was accepted."""

    def __init__(self, reasons: Sequence[str], ids: Sequence[int]) -> None:
        """Keep one sentence per invalid event, and the ids under which they are kept."""
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)
        self.ids = tuple(ids)


def accept(intake: Intake, source: str, documents: Sequence[object]) -> tuple[Receipt, ...]:
    """Commit events of an authenticated source to the inbox, all or none, then ring. Idempotent by dedupe key.

    Raises EventsRefused if one is invalid; any database error means that nothing was accepted.
    """
    now = intake.clock.now()
    accepted = _validated(intake, source, documents, now)
    with intake.database.write() as session:
        receipts = tuple(_insert(session, source, event, document, now) for event, document in accepted)
    for receipt in receipts:
        if not receipt.duplicate and not receipt.conflict:
            intake.bell.ring_apply()
    return receipts


def refuse(intake: Intake, source: str, body: object, reason: str) -> int:
    """Keep a body that could not even be read as events, with the reason, and return its id."""
    with intake.database.write() as session:
        return _keep_refused(session, source, body, reason, intake.clock.now())


def _validated(
    intake: Intake,
    source: str,
    documents: Sequence[object],
    now: datetime,
) -> list[tuple[Event, dict[str, Any]]]:
    accepted: list[tuple[Event, dict[str, Any]]] = []
    refused: list[tuple[object, str]] = []
    for number, document in enumerate(documents):
        try:
            event = parse_event(document, now=now)
        except EventInvalid as error:
            refused.append((document, f"event {number + 1}: {error}" if len(documents) > 1 else str(error)))
        else:
            assert isinstance(document, dict)
            accepted.append((event, document))
    if refused:
        with intake.database.write() as session:
            ids = [_keep_refused(session, source, document, reason, now) for document, reason in refused]
        raise EventsRefused([reason for _, reason in refused], ids)
    return accepted


def _insert(session: Session, source: str, event: Event, document: dict[str, Any], now: datetime) -> Receipt:
    inserted = events.insert(
        session,
        source=source,
        event=event,
        received_at=now,
        digest=_digest(document),
        document=document,
    )
    if inserted.conflict:
        reason = f"another body came before under the same source and id, as event {inserted.id}"
        return Receipt(_keep_refused(session, source, document, reason, now), duplicate=False, conflict=True)
    return Receipt(inserted.id, duplicate=inserted.duplicate)


def _keep_refused(session: Session, source: str, body: object, reason: str, now: datetime) -> int:
    kept = body if isinstance(body, dict) else {"raw": body}
    if len(text := json.dumps(kept, default=str)) > _KEPT_CHARACTERS:
        kept = {"raw": text[:_KEPT_CHARACTERS]}
    return events.insert_rejected(
        session,
        source=source,
        document=kept,
        digest=_digest(body),
        reason=reason,
        received_at=now,
    )


def _digest(document: object) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()
