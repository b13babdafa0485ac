"""Offers: what deliveries tell that were found valid, committed one at a time or many in one transaction.

A transaction costs much more than an event in it, so those who arrive together share one; each is answered for itself.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from worker.events import Event
from worker.intake.context import Intake
from worker.intake.documents import digest_of_event, keep_refused, subjects_of
from worker.intake.sealing import Raw
from worker.store import deliveries, events
from worker.store.database import DatabaseBusy, Session
from worker.store.events import Entry, Inserted
from worker.store.tallies import TallyKind

_EVENTS_OF_A_BELL = 25
"""Whoever hears a bell rings again while there is work, so a few of them soon wake every thread there is."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one offered event."""

    id: int
    duplicate: bool
    conflict: bool = False
    """The same key came before with another body: kept for a person to see, never applied."""


Receipts = tuple[Receipt, ...]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A delivery that is to be kept, and what is kept of it."""

    raw: Raw
    text: str


@dataclass(frozen=True, slots=True)
class Offer:
    """The events of one delivery of an authenticated source, each valid and beside the document it was read from."""

    source: str
    events: tuple[tuple[Event, dict[str, Any]], ...]
    received_at: datetime
    sealed: Sealed | None = None
    """The delivery, to be kept unless it brings nothing new."""
    also: Callable[[Session], bool] | None = None
    """Is done in the same transaction, and tells whether it brought news."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What dedupes its first event."""
        return (self.source, self.events[0][0].source, self.events[0][0].id) if self.events else (self.source, "", "")


def commit(intake: Intake, offer: Offer) -> Receipts:
    """Commit an offer to the inbox, all of it or nothing, then ring. Idempotent by dedupe key.

    Any database error means that nothing was accepted.
    """
    (receipts,) = commit_together(intake, [offer])
    return receipts


def commit_together(intake: Intake, offers: Sequence[Offer]) -> list[Receipts]:
    """Commit offers to the inbox in their order, all of them or nothing, then ring. Idempotent by dedupe key.

    Any database error means that nothing was accepted.
    """
    with intake.database.write(ahead=True) as session:
        receipts = _inserted(session, offers)
    _tell(intake, offers, receipts)
    return receipts


def commit_each(intake: Intake, gather: Callable[[], Sequence[Offer]]) -> list[Receipts | Exception]:
    """Commit offers of which each stands for itself: in one transaction, or each in its own where that cannot be.

    ``gather`` is called once the transaction has begun, so that whoever comes while others write is in it, too. Returns
    for each offer its receipts, or why it was not accepted. Raises, with none gathered, what keeps it from beginning.
    """
    offers: Sequence[Offer] = ()
    try:
        with intake.database.write(ahead=True) as session:
            session.connection()
            offers = gather()
            receipts = _inserted(session, offers)
    except DatabaseBusy as error:
        if not offers:
            raise
        return [error for _ in offers]  # it would keep each of them waiting as long
    except Exception as error:
        if not offers:
            raise
        return [error] if len(offers) == 1 else [_alone(intake, offer) for offer in offers]
    _tell(intake, offers, receipts)
    return [*receipts]


def insert_valid(
    session: Session,
    source: str,
    event: Event,
    document: dict[str, Any],
    now: datetime,
    *,
    reads_anew: int | None = None,
) -> Receipt:
    """Put a valid event into the inbox under its key, in the caller's transaction; a conflict is kept beside it."""
    (receipt,) = _receipts(session, [_entry(source, event, document, now, reads_anew)])
    return receipt


def seal(intake: Intake, raw: Raw | None) -> Sealed | None:
    """Seal a delivery, if any is kept. Before a transaction begins: it takes long where the body is large."""
    return None if raw is None or intake.sealer is None else Sealed(raw, intake.sealer.seal(raw))


def kept_as(
    source: str, sealed: Sealed, ids: Iterable[int], documents: Iterable[object], now: datetime
) -> deliveries.Entry:
    """Return how a delivery is kept with the events of these ids, whatever became of them."""
    subjects = subjects_of(documents) | sealed.raw.subjects
    return deliveries.Entry(source, sealed.raw.channel.value, now, sealed.text, [*ids], subjects)


def count(intake: Intake, source: str, kind: TallyKind, number: int) -> None:
    """Count what leaves no row."""
    if intake.tallies is not None and number:
        intake.tallies.count(source, kind, number=number)


def _alone(intake: Intake, offer: Offer) -> Receipts | Exception:
    try:
        return commit(intake, offer)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one of them must not harm the others
        return error


def _inserted(session: Session, offers: Sequence[Offer]) -> list[Receipts]:
    entries = [
        _entry(offer.source, event, document, offer.received_at) for offer in offers for event, document in offer.events
    ]
    told = iter(_receipts(session, entries))
    receipts = [tuple(islice(told, len(offer.events))) for offer in offers]
    kept = [_kept(session, offer, each) for offer, each in zip(offers, receipts, strict=True)]
    deliveries.keep(session, [entry for entry in kept if entry is not None])
    return receipts


def _receipts(session: Session, entries: Sequence[Entry]) -> list[Receipt]:
    inserted = events.insert(session, entries)
    return [_receipt(session, entry, became) for entry, became in zip(entries, inserted, strict=True)]


def _receipt(session: Session, entry: Entry, became: Inserted) -> Receipt:
    if became.conflict:
        reason = f"another body came before under the same source and id, as event {became.id}"
        kept = keep_refused(session, entry.source, entry.document, reason, entry.received_at)
        return Receipt(kept.id, duplicate=False, conflict=True)
    return Receipt(became.id, duplicate=became.duplicate)


def _entry(source: str, event: Event, document: dict[str, Any], now: datetime, reads_anew: int | None = None) -> Entry:
    return Entry(source, event, now, digest_of_event(document), document, reads_anew)


def _kept(session: Session, offer: Offer, receipts: Receipts) -> deliveries.Entry | None:
    brought_news = offer.also is None or offer.also(session)
    if receipts:
        brought_news = not all(each.duplicate for each in receipts)
    if offer.sealed is None or not brought_news:
        return None
    documents = [document for _, document in offer.events]
    return kept_as(offer.source, offer.sealed, [each.id for each in receipts], documents, offer.received_at)


def _tell(intake: Intake, offers: Sequence[Offer], receipts: Sequence[Receipts]) -> None:
    fresh = sum(not each.duplicate and not each.conflict for told in receipts for each in told)
    for _ in range(0, fresh, _EVENTS_OF_A_BELL):
        intake.bell.ring_apply()
    for offer, told in zip(offers, receipts, strict=True):
        count(intake, offer.source, TallyKind.REPEATED, sum(each.duplicate for each in told))
        count(intake, offer.source, TallyKind.NO_EVENT, 0 if told else 1)
