"""Accept: validate events, put them into the inbox under their dedupe key, commit, and ring.

Whoever gets a receipt may forget the event. An event that is refused leaves a record with the reason.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.events import UNSTORABLE, Event, EventInvalid, Problem, flaw_of, parse_event
from worker.intake.context import OPERATOR, Intake
from worker.store import events
from worker.store.database import Session

NAMELESS = "refused"
"""What is kept of a sender whose name of a source cannot be a row's is kept under this one."""

_SOURCE = re.compile(r"[a-z0-9_-]{1,64}")
_PERSON = re.compile(r"[0-9]{1,18}")
_KEPT_CHARACTERS = 8_000  # of a body that was refused: enough to see what it was
_NO_JSON = "what JSON cannot hold, or nested too deeply"


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

    Raises EventsRefused if one is invalid, or if the source has a name that no source may have, the operator's among
    them; any database error means that nothing was accepted.
    """
    if (why := _unfit(source)) is not None:
        ids = _keep_all(intake, NAMELESS, [(document, why) for document in documents])
        raise EventsRefused([why], ids)
    return _accept(intake, source, documents, lambda document, now: parse_event(document, now=now))


def accept_of_operator(intake: Intake, document: object) -> Receipt:
    """Commit an operator's own statement, whose subject is our id of a person. For those alone who know the operator.

    Raises EventsRefused if it is invalid.
    """
    (receipt,) = _accept(intake, OPERATOR, [document], _parse_statement)
    return receipt


def insert_of_operator(session: Session, documents: Sequence[Mapping[str, object]], now: datetime) -> list[Receipt]:
    """Put an operator's statements into the inbox, in the caller's transaction, who rings when it is committed.

    Raises EventInvalid if one is invalid.
    """
    return [_insert(session, OPERATOR, _parse_statement(document, now), dict(document), now) for document in documents]


def refuse(intake: Intake, source: str, body: object, reason: str) -> int:
    """Keep a body that could not even be read as events, with the reason, and return its id."""
    (kept,) = _keep_all(intake, source, [(body, reason)])
    return kept


def _unfit(source: object) -> str | None:
    if not isinstance(source, str) or not _SOURCE.fullmatch(source):
        return "The name of the source is refused: it has 1 to 64 characters out of a-z, 0-9, _ and -."
    if source == OPERATOR:  # it outranks every other
        return "The name of the source is refused: nobody but an operator states things as the operator."
    return None


def _parse_statement(document: object, now: datetime) -> Event:
    event = parse_event(document, now=now)
    if not _PERSON.fullmatch(event.subject):
        raise EventInvalid((Problem("subject", "our id of a person is expected, digits alone"),))
    return event


_Parse = Callable[[object, datetime], Event]


def _accept(intake: Intake, source: str, documents: Sequence[object], parse: _Parse) -> tuple[Receipt, ...]:
    now = intake.clock.now()
    accepted = _validated(intake, source, documents, lambda document: parse(document, now))
    with intake.database.write() as session:
        receipts = tuple(_insert(session, source, event, document, now) for event, document in accepted)
    for receipt in receipts:
        if not receipt.duplicate and not receipt.conflict:
            intake.bell.ring_apply()
    return receipts


def _validated(
    intake: Intake,
    source: str,
    documents: Sequence[object],
    parse: Callable[[object], Event],
) -> list[tuple[Event, dict[str, Any]]]:
    accepted: list[tuple[Event, dict[str, Any]]] = []
    refused: list[tuple[object, str]] = []
    for number, document in enumerate(documents):
        try:
            event = parse(document)
        except EventInvalid as error:
            refused.append((document, f"event {number + 1}: {error}" if len(documents) > 1 else str(error)))
        else:
            assert isinstance(document, dict)
            accepted.append((event, document))
    if refused:
        raise EventsRefused([reason for _, reason in refused], _keep_all(intake, source, refused))
    return accepted


def _insert(session: Session, source: str, event: Event, document: dict[str, Any], now: datetime) -> Receipt:
    inserted = events.insert(
        session,
        source=source,
        event=event,
        received_at=now,
        digest=_digest(_json(document)),
        document=document,
    )
    if inserted.conflict:
        reason = f"another body came before under the same source and id, as event {inserted.id}"
        return Receipt(_keep_refused(session, source, document, reason, now), duplicate=False, conflict=True)
    return Receipt(inserted.id, duplicate=inserted.duplicate)


def _keep_all(intake: Intake, source: str, refused: Sequence[tuple[object, str]]) -> list[int]:
    now = intake.clock.now()
    with intake.database.write() as session:
        return [_keep_refused(session, source, body, reason, now) for body, reason in refused]


def _keep_refused(session: Session, source: str, body: object, reason: str, now: datetime) -> int:
    text = body if isinstance(body, str) else _json(body)
    is_whole = text != _NO_JSON and len(text) <= _KEPT_CHARACTERS and flaw_of(body) is None
    return events.insert_rejected(
        session,
        source=source,
        document=body if is_whole and isinstance(body, dict) else {"raw": _storable(text)[:_KEPT_CHARACTERS]},
        digest=_digest(_json(body)),
        reason=reason,
        received_at=now,
    )


def _storable(text: str) -> str:
    return UNSTORABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _json(document: object) -> str:
    """Write anything as JSON in ASCII, and in one way for equal values, which makes digests of it equal."""
    try:
        return json.dumps(document, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return _NO_JSON


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
