"""Replay: what a source delivered, read once more by today's configuration.

What reads as before is a repetition and changes nothing. What was refused before and reads well now is accepted. What
reads otherwise now becomes another event of the same time, whose id is the former's with a number behind it; it takes
the place of all that the former reading said, where both are about one subject. Of another subject the former reading
stays, because nobody said that it is not so.

Each delivery is one transaction that holds its row: replays at the same time do nothing twice, and one that is killed
leaves each delivery as it was or as it shall be.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from worker.events import Event, EventInvalid, parse_event
from worker.events.times import utc_text
from worker.intake.context import Intake
from worker.intake.documents import digest_of_event, keep_refused, subjects_of
from worker.intake.hints import note_hints
from worker.intake.offers import Receipt, insert_valid
from worker.intake.sealing import CannotOpen, Channel, Raw
from worker.sources import BodyInvalid, Hint, Parsed
from worker.store import deliveries, events
from worker.store.database import Session
from worker.store.tables import DeliveryRow, EventRow

_PAGE = 200

Read = Callable[[Raw, datetime], Parsed]
"""Reads a delivery that was received at an instant. Raises BodyInvalid."""


class NothingToReplay(ValueError):
    """No delivery can be replayed; the sentence says why."""


class Outcome(StrEnum):
    """What came of one thing that a delivery says."""

    ACCEPTED = "accepted"
    """It was not in the inbox before."""
    CHANGED = "changed"
    """It reads otherwise than before, and the new reading was accepted."""
    SAME = "same"
    """It reads as before."""
    ASKED = "asked"
    """It only tells who changed, as before: their record is asked for again, because a map may read it otherwise."""
    CONFLICT = "conflict"
    """Another delivery brought another body under its id first: never applied, as when it came."""
    REFUSED = "refused"
    """It is still no event."""
    UNOPENED = "unopened"
    """The key that sealed the delivery is not among ours."""


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that a delivery says, and what came of it."""

    delivery: int
    outcome: Outcome
    event: int | None = None
    """The event in the inbox, where it is known."""
    said: str | None = None
    """Why it was refused."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which deliveries of a source are replayed."""

    source: str
    since: datetime | None = None
    until: datetime | None = None
    delivery: int | None = None


def replay(intake: Intake, wanted: Wanted, read: Read, *, dry_run: bool = False) -> Iterator[Told]:
    """Replay deliveries, oldest first, and yield what came of each thing they say. Rings after each that brought news.

    A dry run changes nothing. Raises NothingToReplay without a key, or where the delivery asked for is not there.
    """
    if intake.sealer is None:
        raise NothingToReplay("MAILROSTER_RAW_KEY is not set, so no delivery was kept and none can be opened")
    for delivery_id in _chosen(intake, wanted):
        told = _replay_one(intake, delivery_id, read, dry_run=dry_run)
        yield from told
        if not dry_run and any(each.outcome in (Outcome.ACCEPTED, Outcome.CHANGED) for each in told):
            intake.bell.ring_apply()
            intake.bell.ring_hydrate()
        elif not dry_run and any(each.outcome is Outcome.ASKED for each in told):
            intake.bell.ring_hydrate()


def _chosen(intake: Intake, wanted: Wanted) -> Iterator[int]:
    if wanted.delivery is not None:
        with intake.database.read() as session:
            row = deliveries.get(session, wanted.delivery)
            if row is None or row.source != wanted.source:
                raise NothingToReplay(f"there is no delivery {wanted.delivery} of {wanted.source}, or not any more")
        yield wanted.delivery
        return
    behind = 0
    while True:
        with intake.database.read() as session:
            page = deliveries.ids_of(
                session, wanted.source, since=wanted.since, until=wanted.until, behind=behind, limit=_PAGE
            )
        yield from page
        if len(page) < _PAGE:
            return
        behind = page[-1]


def _replay_one(intake: Intake, delivery_id: int, read: Read, *, dry_run: bool) -> list[Told]:
    with intake.database.write() as session:
        row = deliveries.get(session, delivery_id, lock=True)
        if row is None:  # its time was over, or its person was erased, while we came here
            return []
        told = _Replaying(session, intake, row, intake.clock.now()).replay(read)
        if dry_run:
            session.rollback()
    # The ids of what would be new are not the inbox's.
    return [replace(each, event=None) for each in told] if dry_run else told


@dataclass(slots=True)
class _Replaying:
    """One delivery that is replayed, in a transaction that holds its row."""

    session: Session
    intake: Intake
    row: DeliveryRow
    now: datetime

    def replay(self, read: Read) -> list[Told]:
        assert self.intake.sealer is not None
        try:
            raw = self.intake.sealer.open(Channel(self.row.channel), self.row.sealed)
        except CannotOpen as error:
            return [Told(self.row.id, Outcome.UNOPENED, said=str(error))]
        try:
            parsed = read(raw, self.row.received_at)
        except BodyInvalid as error:
            kept = keep_refused(
                self.session, self.row.source, raw.body.decode("utf-8", "replace"), str(error), self.now
            )
            return [Told(self.row.id, Outcome.REFUSED, kept.id, str(error))]
        told = [self._document(document) for document in parsed.events] + self._hints(parsed.hints)
        news = [each.event for each in told if each.event is not None]
        subjects = subjects_of(parsed.events) | {hint.subject for hint in parsed.hints}
        deliveries.read_as(self.session, self.row, news, subjects)
        return told

    def _hints(self, told: Sequence[Hint]) -> list[Told]:
        """Note who changed; of whom it is known, that they are asked for again, without the word for what happened."""
        noted = note_hints(self.session, self.row.source, told, self.now)
        known = [hint for hint, each in zip(told, noted, strict=True) if each.duplicate]
        at = self.now.isoformat()
        again = [replace(hint, type=None, key=f"{hint.key}~{at}") for hint in known]
        note_hints(self.session, self.row.source, again, self.now)
        outcomes = [Outcome.ASKED if each.duplicate else Outcome.ACCEPTED for each in noted]
        return [Told(self.row.id, outcome) for outcome in outcomes]

    def _document(self, document: object) -> Told:
        try:
            event = parse_event(document, now=self.row.received_at)
        except EventInvalid as error:
            kept = keep_refused(self.session, self.row.source, document, str(error), self.now)
            return Told(self.row.id, Outcome.REFUSED, kept.id, str(error))
        assert isinstance(document, dict)
        stated = _at_its_time(document, event)
        holder = events.holder(self.session, self.row.source, event)
        if holder is None:
            receipt = insert_valid(self.session, self.row.source, event, stated, self.now)
            return Told(self.row.id, _outcome(receipt, Outcome.ACCEPTED), receipt.id)
        return self._anew(holder, event, stated, document)

    def _anew(self, holder: EventRow, event: Event, stated: dict[str, Any], document: dict[str, Any]) -> Told:
        newest = events.newest_reading(self.session, holder)
        as_newest = {digest_of_event(each | {"id": newest.ce_id}) for each in (stated, document)}
        if newest.digest in (*as_newest, ""):  # nothing is known any more of what an erased person's event said
            return Told(self.row.id, Outcome.SAME, newest.id)
        if holder.id not in self.row.events:
            return Told(self.row.id, Outcome.CONFLICT, holder.id)
        return self._changed(newest, event, stated)

    def _changed(self, newest: EventRow, event: Event, stated: dict[str, Any]) -> Told:
        renamed = stated | {"id": f"{event.id}~{_number_of(newest, event) + 1:02}"}
        try:
            anew = parse_event(renamed, now=self.row.received_at)
        except EventInvalid as error:  # the id was as long as one may be
            return Told(self.row.id, Outcome.REFUSED, newest.id, str(error))
        receipt = insert_valid(self.session, self.row.source, anew, renamed, self.now, reads_anew=newest.id)
        outcome = _outcome(receipt, Outcome.CHANGED)
        if outcome is Outcome.CHANGED and newest.subject == anew.subject:
            events.set_read_anew(newest, receipt.id, self.now)
        return Told(self.row.id, outcome, receipt.id)


def _outcome(receipt: Receipt, otherwise: Outcome) -> Outcome:
    if receipt.conflict:  # the sender itself uses such ids
        return Outcome.CONFLICT
    return Outcome.SAME if receipt.duplicate else otherwise  # it came in the meantime


def _number_of(reading: EventRow, event: Event) -> int:
    """Return which reading this is of an event: 0 for the first one."""
    behind = (reading.ce_id or "").removeprefix(event.id)
    return int(behind[1:]) if behind.startswith("~") else 0


def _at_its_time(document: dict[str, Any], event: Event) -> dict[str, Any]:
    """Return a document with the time that it was taken to have when it came, where its sender's clock ran ahead."""
    return document | {"time": utc_text(event.time)} if event.warnings else document
