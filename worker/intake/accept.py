"""Accept: validate events, put them into the inbox under their dedupe key, commit, and ring.

Whoever gets a receipt may forget the event. An event that is refused leaves a record with the reason.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.events import Event, EventInvalid, Problem, parse_event
from worker.intake.context import OPERATOR, Intake
from worker.intake.documents import keep_refused
from worker.intake.offers import Offer, Receipt, commit, count, insert_valid, kept_as, seal
from worker.intake.sealing import Raw
from worker.store import deliveries
from worker.store.database import Session
from worker.store.tallies import TallyKind

NAMELESS = "refused"
"""What is kept of a sender whose name of a source cannot be a row's is kept under this one."""

_SOURCE = re.compile(r"[a-z0-9_-]{1,64}")
_PERSON = re.compile(r"[0-9]{1,18}")


class EventsRefused(ValueError):
    """At least one of the offered events is invalid; none of them was accepted."""

    def __init__(self, reasons: Sequence[str], kept: Sequence[Receipt]) -> None:
        """Keep one sentence per invalid event, and how each is kept: a duplicate was refused for the same before."""
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)
        self.kept = tuple(kept)

    @property
    def ids(self) -> tuple[int, ...]:
        """The ids under which they are kept."""
        return tuple(each.id for each in self.kept)


def accept(
    intake: Intake,
    source: str,
    documents: Sequence[object],
    *,
    raw: Raw | None = None,
    also: Callable[[Session], bool] | None = None,
) -> tuple[Receipt, ...]:
    """Commit events of an authenticated source to the inbox, all or none, then ring. Idempotent by dedupe key.

    With them the delivery they were read from, ``raw``, is kept to be replayed, unless it brings nothing new; where it
    was read as no event at all, it is kept alone. ``also`` is done in the same transaction, so that it stays with the
    events or nothing does, and tells whether it brought news. Raises EventsRefused if one is invalid, or if the source
    has a name that no source may have, the operator's among them; any database error means that nothing was accepted.
    """
    if (why := _unfit(source)) is not None:
        raise EventsRefused([why], _keep_all(intake, NAMELESS, [_Refused(document, why) for document in documents]))
    return _accept(intake, source, documents, lambda document, now: parse_event(document, now=now), raw, also)


def offer(intake: Intake, source: str, documents: Sequence[object], *, raw: Raw | None = None) -> Offer | None:
    """Return what may be committed beside offers of others; None where ``accept`` would refuse it and keep the reason.

    Nothing is asked of the database yet.
    """
    now = intake.clock.now()
    accepted, refused = _validated(documents, lambda document: parse_event(document, now=now))
    if refused or _unfit(source) is not None:
        return None
    return Offer(source, tuple(accepted), now, seal(intake, raw))


def rehearse(intake: Intake, source: str, documents: Sequence[object]) -> tuple[Event, ...]:
    """Return the events that would be accepted, and have the database take them for a moment; nothing stays of it.

    Raises EventsRefused, with nothing kept, or any database error.
    """
    now = intake.clock.now()
    accepted, refused = _validated(documents, lambda document: parse_event(document, now=now))
    if refused:
        raise EventsRefused([each.said for each in refused], [])
    with intake.database.write() as session:
        for event, document in accepted:
            insert_valid(session, source, event, document, now)
        session.rollback()
    return tuple(event for event, _ in accepted)


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
    parsed = [(_parse_statement(document, now), dict(document)) for document in documents]
    return [insert_valid(session, OPERATOR, event, document, now) for event, document in parsed]


def refuse(intake: Intake, source: str, body: object, reason: str, *, raw: Raw | None = None) -> Receipt:
    """Keep a body that could not even be read as events, with the reason, once, and return how."""
    (kept,) = _keep_all(intake, source, [_Refused(body, reason)], raw)
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


@dataclass(frozen=True, slots=True)
class _Refused:
    document: object
    reason: str
    place: str = ""
    """Which of a delivery's events it was. Not kept with it: the same may be refused elsewhere in another delivery."""

    @property
    def said(self) -> str:
        return self.place + self.reason


def _accept(
    intake: Intake,
    source: str,
    documents: Sequence[object],
    parse: _Parse,
    raw: Raw | None = None,
    also: Callable[[Session], bool] | None = None,
) -> tuple[Receipt, ...]:
    now = intake.clock.now()
    accepted, refused = _validated(documents, lambda document: parse(document, now))
    if refused:
        raise EventsRefused([each.said for each in refused], _keep_all(intake, source, refused, raw, documents))
    return commit(intake, Offer(source, tuple(accepted), now, seal(intake, raw), also))


def _validated(
    documents: Sequence[object], parse: Callable[[object], Event]
) -> tuple[list[tuple[Event, dict[str, Any]]], list[_Refused]]:
    """Return the events, and beside them what is invalid with its reason."""
    accepted: list[tuple[Event, dict[str, Any]]] = []
    refused: list[_Refused] = []
    for number, document in enumerate(documents):
        try:
            event = parse(document)
        except EventInvalid as error:
            refused.append(_Refused(document, str(error), f"event {number + 1}: " if len(documents) > 1 else ""))
        else:
            assert isinstance(document, dict)
            accepted.append((event, document))
    return accepted, refused


def _keep_all(
    intake: Intake,
    source: str,
    refused: Sequence[_Refused],
    raw: Raw | None = None,
    documents: Sequence[object] = (),
) -> list[Receipt]:
    now, sealed = intake.clock.now(), seal(intake, raw)
    with intake.database.write() as session:
        kept = [keep_refused(session, source, each.document, each.reason, now) for each in refused]
        if sealed is not None and not all(each.duplicate for each in kept):
            deliveries.keep(session, [kept_as(source, sealed, [each.id for each in kept], documents, now)])
    count(intake, source, TallyKind.REPEATED, sum(each.duplicate for each in kept))
    return [Receipt(each.id, each.duplicate) for each in kept]
