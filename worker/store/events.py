"""Queries over the inbox of events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from worker.events import Event
from worker.store.states import EVENT_MOVES, EventState, move
from worker.store.tables import EventRow, RecordRow


@dataclass(frozen=True, slots=True)
class Inserted:
    """What became of an event that was offered to the inbox."""

    id: int
    duplicate: bool
    conflict: bool = False
    """The same key came before with another body."""


def insert(
    session: Session,
    *,
    source: str,
    event: Event,
    received_at: datetime,
    digest: str,
    document: dict[str, Any],
) -> Inserted:
    """Insert an accepted event unless its key (source, CloudEvents source, id) is there already. Idempotent."""
    row = {
        "source": source,
        "ce_source": event.source,
        "ce_id": event.id,
        "type": event.type,
        "subject": event.subject,
        "time": event.time,
        "received_at": received_at,
        "digest": digest,
        "document": document,
        "state": EventState.ACCEPTED,
        "reason": "; ".join(event.warnings) or None,
        "failures": 0,
    }
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    new_id = session.scalar(dialect.insert(EventRow).values(row).on_conflict_do_nothing().returning(EventRow.id))
    if new_id is not None:
        return Inserted(id=new_id, duplicate=False)
    known = session.scalars(_held_by(source, event)).one()
    same = known.digest in (digest, "")  # nothing is known any more of what an erased person's event said
    return Inserted(id=known.id, duplicate=same, conflict=not same)


def insert_rejected(
    session: Session,
    *,
    source: str,
    document: dict[str, Any],
    digest: str,
    reason: str,
    received_at: datetime,
) -> int:
    """Keep an event that was refused, once per body, and return its id. It holds no dedupe key."""
    known = select(EventRow.id).where(
        EventRow.digest == digest,
        EventRow.source == source,
        EventRow.state == EventState.REJECTED,
    )
    if (found := session.scalar(known.limit(1))) is not None:
        return found
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
    return row.id


def claim_accepted(session: Session, now: datetime) -> EventRow | None:
    """Lock and return the oldest accepted event that is due; others skip it until this transaction ends."""
    due = (EventRow.retry_at.is_(None)) | (EventRow.retry_at <= now)
    return session.scalars(
        select(EventRow)
        .where(EventRow.state == EventState.ACCEPTED, due)
        .order_by(EventRow.id)
        .limit(1)
        .with_for_update(skip_locked=True),
    ).one_or_none()


def any_accepted(session: Session, now: datetime) -> bool:
    """Tell whether an accepted event is due."""
    due = (EventRow.retry_at.is_(None)) | (EventRow.retry_at <= now)
    return session.scalar(select(EventRow.id).where(EventRow.state == EventState.ACCEPTED, due).limit(1)) is not None


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


def retry_parked(session: Session, *, behind: int, limit: int) -> list[int]:
    """Have the first parked events behind an id applied again, their failures forgotten. Returns their ids, ascending.

    Rows that another transaction holds are passed over.
    """
    parked = select(EventRow).where(EventRow.state == EventState.PARKED, EventRow.id > behind)
    rows = session.scalars(parked.order_by(EventRow.id).limit(limit).with_for_update(skip_locked=True)).all()
    for row in rows:
        row.state = move(EVENT_MOVES, row.state, EventState.ACCEPTED)
        row.failures, row.retry_at = 0, None
    session.flush()
    return [row.id for row in rows]


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
    """Return every event of these (source, subject) that was not rejected, applied or not."""
    mine = tuple_(EventRow.source, EventRow.subject).in_(subjects)
    return list(
        session.scalars(select(EventRow).where(mine, EventRow.state != EventState.REJECTED).order_by(EventRow.id))
    )


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
        EventRow.state != EventState.REJECTED,
    )


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    # PostgreSQL's text holds neither NUL nor lone surrogates, and a refused event may contain anything.
    return value[:256].encode("utf-8", "replace").decode().replace("\0", "")
