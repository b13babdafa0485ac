"""Queries over the inbox of events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from worker.events import Event
from worker.store.spelled import is_in, is_not
from worker.store.states import EVENT_MOVES, EventState, move
from worker.store.tables import EventRow, RecordRow

# Of the table, not of the class, and made once: as the inbox's hot path this costs a third of the session's way.
_INSERTS = {
    dialect.dialect.name: dialect.insert(EventRow.__table__)
    .on_conflict_do_nothing()
    .returning(*(EventRow.__table__.c[name] for name in ("id", "source", "ce_source", "ce_id")))
    for dialect in (sqlite, postgresql)
}


@dataclass(frozen=True, slots=True)
class Entry:
    """An accepted event that is offered to the inbox."""

    source: str
    """Our name of the authenticated source."""
    event: Event
    received_at: datetime
    digest: str
    document: dict[str, Any]
    reads_anew: int | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What dedupes it."""
        return self.source, self.event.source, self.event.id


@dataclass(frozen=True, slots=True)
class Inserted:
    """What became of an event that was offered to the inbox."""

    id: int
    duplicate: bool
    conflict: bool = False
    """The same key came before with another body."""


def insert(session: Session, entries: Sequence[Entry]) -> list[Inserted]:
    """Insert accepted events, each unless its key is there already or among those before it. Idempotent.

    All of them go in one statement: per event it takes a third of the time that statements of their own take.
    """
    if not entries:
        return []
    statement = _INSERTS[session.get_bind().dialect.name]
    rows = session.connection().execute(statement, [_row(entry) for entry in entries])
    made = {(source, ce_source, ce_id): new_id for new_id, source, ce_source, ce_id in rows}
    return [
        Inserted(made.pop(entry.key), duplicate=False) if entry.key in made else _known(session, entry)
        for entry in entries
    ]


def _row(entry: Entry) -> dict[str, Any]:
    event = entry.event
    return {
        "source": entry.source,
        "ce_source": event.source,
        "ce_id": event.id,
        "type": event.type,
        "subject": event.subject,
        "time": event.time,
        "received_at": entry.received_at,
        "digest": entry.digest,
        "document": entry.document,
        "state": EventState.ACCEPTED,
        "reason": "; ".join(event.warnings) or None,
        "failures": 0,
        "reads_anew": entry.reads_anew,
    }


def _known(session: Session, entry: Entry) -> Inserted:
    known = session.scalars(_held_by(entry.source, entry.event)).one()
    same = known.digest in (entry.digest, "")  # nothing is known any more of what an erased person's event said
    return Inserted(id=known.id, duplicate=same, conflict=not same)


def insert_rejected(
    session: Session,
    *,
    source: str,
    document: dict[str, Any],
    digest: str,
    reason: str,
    received_at: datetime,
) -> Inserted:
    """Keep an event that was refused, once per body and reason. It holds no dedupe key."""
    known = select(EventRow.id).where(
        EventRow.digest == digest,
        EventRow.source == source,
        EventRow.state == EventState.REJECTED,
        EventRow.reason == reason,
    )
    if (found := session.scalar(known.limit(1))) is not None:
        return Inserted(id=found, duplicate=True)
    row = EventRow(
        source=source,
        ce_source=_text(document.get("source")),
        ce_id=_text(document.get("id")),
        type=_text(document.get("type")),
        subject=_text(document.get("subject")),
        received_at=received_at,
        digest=digest,
        document=document,
        state=EventState.REJECTED,
        reason=reason,
        failures=0,
    )
    session.add(row)
    session.flush()
    return Inserted(id=row.id, duplicate=False)


def claim_accepted(session: Session, now: datetime) -> EventRow | None:
    """Lock and return the oldest accepted event that is due; others skip it until this transaction ends."""
    due = (EventRow.retry_at.is_(None)) | (EventRow.retry_at <= now)
    return session.scalars(
        select(EventRow)
        .where(is_in(EventRow.state, EventState.ACCEPTED), due)
        .order_by(EventRow.id)
        .limit(1)
        .with_for_update(skip_locked=True),
    ).one_or_none()


def any_accepted(session: Session, now: datetime) -> bool:
    """Tell whether an accepted event is due."""
    due = (EventRow.retry_at.is_(None)) | (EventRow.retry_at <= now)
    return (
        session.scalar(select(EventRow.id).where(is_in(EventRow.state, EventState.ACCEPTED), due).limit(1)) is not None
    )


def set_applied(row: EventRow, person_id: int | None, now: datetime, reason: str | None = None) -> None:
    """Note that the event was folded; ``reason`` tells what a person should know of it, as why it matched nobody."""
    row.state = move(EVENT_MOVES, row.state, EventState.APPLIED)
    row.person_id, row.applied_at, row.reason = person_id, now, reason


def count_failure(session: Session, event_id: int, *, reason: str, retry_at: datetime | None) -> None:
    """Count a failed application; without a ``retry_at`` the event is parked for a person."""
    row = session.get_one(EventRow, event_id, with_for_update=True)
    row.failures += 1
    row.reason = reason
    row.retry_at = retry_at
    if retry_at is None:
        row.state = move(EVENT_MOVES, row.state, EventState.PARKED)


def get(session: Session, event_id: int) -> EventRow | None:
    """Return one event."""
    return session.get(EventRow, event_id)


def attach(session: Session, source: str, subject: str, person_id: int) -> None:
    """Note whose the applied events of a subject are, once its record was linked."""
    session.execute(
        update(EventRow)
        .where(EventRow.source == source, EventRow.subject == subject, EventRow.person_id.is_(None))
        .where(EventRow.state == EventState.APPLIED)
        .values(person_id=person_id, reason=None),
    )


def person_of_subject(session: Session, source: str, subject: str) -> int | None:
    """Return whose a subject's record is, without a lock; None if there is none or it belongs to nobody yet."""
    mine = select(RecordRow.person_id).where(RecordRow.source == source, RecordRow.subject == subject)
    return session.scalar(mine)


def hand_over(session: Session, source: str, subject: str, person_id: int) -> None:
    """Make the applied events of a subject another person's, with its record."""
    session.execute(
        update(EventRow)
        .where(EventRow.source == source, EventRow.subject == subject, EventRow.person_id.is_not(None))
        .values(person_id=person_id),
    )


def latest_id(session: Session, person_id: int) -> int | None:
    """Return the newest event of a person."""
    return session.scalar(select(func.max(EventRow.id)).where(EventRow.person_id == person_id))


def of_subjects(session: Session, subjects: Sequence[tuple[str, str]]) -> list[EventRow]:
    """Return every event of these (source, subject) that holds, applied or not.

    Left out are those that were rejected, dismissed, or read anew.
    """
    holds = EventRow.state.not_in((EventState.REJECTED, EventState.DISMISSED))
    return _of_subjects(session, subjects, holds)


def applied_of_subject(session: Session, source: str, subject: str, *, beside: int | None = None) -> list[EventRow]:
    """Return the events of a subject that were applied, and one ``beside`` them that is about to be.

    One that is read anew counts until its new reading is applied.
    """
    counts = or_(EventRow.state == EventState.APPLIED, EventRow.id == beside)
    return _of_subjects(session, [(source, subject)], counts)


def _of_subjects(
    session: Session, subjects: Sequence[tuple[str, str]], condition: ColumnElement[bool]
) -> list[EventRow]:
    mine = tuple_(EventRow.source, EventRow.subject).in_(subjects)
    found = session.scalars(select(EventRow).where(mine, condition).order_by(EventRow.id))
    return without_former_readings(found.all())


def without_former_readings(rows: Sequence[EventRow]) -> list[EventRow]:
    """Return the events without those whose place another of them took, about the same subject."""
    former = {(row.reads_anew, row.source, row.subject) for row in rows if row.reads_anew is not None}
    return [row for row in rows if (row.id, row.source, row.subject) not in former]


def holder(session: Session, source: str, event: Event) -> EventRow | None:
    """Lock and return the event that holds an event's key; None if none does."""
    return session.scalars(_held_by(source, event).with_for_update()).one_or_none()


def newest_reading(session: Session, row: EventRow) -> EventRow:
    """Return the newest reading of an event, itself if it was read once."""
    while (newer := session.scalar(select(EventRow).where(EventRow.reads_anew == row.id))) is not None:
        row = newer
    return row


def set_read_anew(row: EventRow, by: int, now: datetime) -> None:
    """Note of an event that was not applied that another reading of it will be: there is nothing left to apply."""
    if row.state in (EventState.ACCEPTED, EventState.PARKED, EventState.DISMISSED):
        row.state = move(EVENT_MOVES, row.state, EventState.APPLIED)
        row.applied_at, row.reason, row.retry_at = now, f"was read anew as event {by}", None


def waiting_of(session: Session, source: str, subject: str) -> list[EventRow]:
    """Return the events of a subject that are accepted and not applied yet."""
    mine = (EventRow.source == source, EventRow.subject == subject, EventRow.state == EventState.ACCEPTED)
    return list(session.scalars(select(EventRow).where(*mine).order_by(EventRow.id)))


def of_person(session: Session, person_id: int) -> list[EventRow]:
    """Return all events of one person, oldest first by the time they happened."""
    return list(
        session.scalars(
            select(EventRow).where(EventRow.person_id == person_id).order_by(EventRow.time, EventRow.id),
        ),
    )


def _held_by(source: str, event: Event) -> Select[EventRow]:
    return select(EventRow).where(
        EventRow.source == source,
        EventRow.ce_source == event.source,
        EventRow.ce_id == event.id,
        is_not(EventRow.state, EventState.REJECTED),
    )


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    # PostgreSQL's text holds neither NUL nor lone surrogates, and a refused event may contain anything.
    return value[:256].encode("utf-8", "replace").decode().replace("\0", "")
