"""Queries over deliveries as they came: kept with the events they led to, found again to be replayed, and forgotten."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, tuple_
from sqlalchemy.orm import Session

from worker.store.tables import DeliveryRow, DeliverySubjectRow


@dataclass(frozen=True, slots=True)
class Entry:
    """A delivery that is to be kept."""

    source: str
    channel: str
    received_at: datetime
    sealed: str
    events: Sequence[int]
    """Those it was read as."""
    subjects: Collection[str]
    """Of whom it speaks."""


def keep(session: Session, entries: Sequence[Entry]) -> None:
    """Keep deliveries, with the events they were read as and the subjects they speak of."""
    rows = [
        DeliveryRow(
            source=entry.source,
            channel=entry.channel,
            received_at=entry.received_at,
            sealed=entry.sealed,
            events=sorted({*entry.events}),
        )
        for entry in entries
    ]
    session.add_all(rows)
    session.flush()
    session.add_all(
        DeliverySubjectRow(delivery_id=row.id, subject=subject, source=row.source)
        for row, entry in zip(rows, entries, strict=True)
        for subject in sorted({*entry.subjects})
    )
    session.flush()


def read_as(session: Session, row: DeliveryRow, events: Iterable[int], subjects: Iterable[str]) -> None:
    """Note what a delivery was read as once more."""
    row.events = sorted({*row.events, *events})
    speaks_of(session, row, subjects)


def speaks_of(session: Session, row: DeliveryRow, subjects: Iterable[str]) -> None:
    """Note subjects that a delivery speaks of."""
    mine = DeliverySubjectRow.delivery_id == row.id
    known = set(session.scalars(select(DeliverySubjectRow.subject).where(mine)))
    session.add_all(
        DeliverySubjectRow(delivery_id=row.id, subject=subject, source=row.source)
        for subject in sorted({*subjects} - known)
    )
    session.flush()


def get(session: Session, delivery_id: int, *, lock: bool = False) -> DeliveryRow | None:
    """Return one delivery."""
    return session.get(DeliveryRow, delivery_id, with_for_update=lock)


def ids_of(
    session: Session, source: str, *, since: datetime | None, until: datetime | None, behind: int, limit: int
) -> list[int]:
    """Return the ids of a source's deliveries within a time, ascending, those behind an id alone."""
    found = select(DeliveryRow.id).where(DeliveryRow.source == source, DeliveryRow.id > behind)
    if since is not None:
        found = found.where(DeliveryRow.received_at >= since)
    if until is not None:
        found = found.where(DeliveryRow.received_at < until)
    return list(session.scalars(found.order_by(DeliveryRow.id).limit(limit)))


def of_source(session: Session, source: str) -> tuple[int, datetime | None]:
    """Return how many deliveries of a source are kept, up to a thousand, and when the oldest of them came."""
    mine = select(DeliveryRow.received_at).where(DeliveryRow.source == source)
    oldest = list(session.scalars(mine.order_by(DeliveryRow.received_at).limit(1000)))
    return len(oldest), (oldest[0] if oldest else None)


def any_older(session: Session, before: datetime) -> bool:
    """Tell whether a delivery is from before an instant."""
    return session.scalar(select(DeliveryRow.id).where(DeliveryRow.received_at < before).limit(1)) is not None


def forget_older(session: Session, before: datetime, *, limit: int) -> int:
    """Delete the oldest deliveries from before an instant, and return how many; others may delete at the same time."""
    oldest = select(DeliveryRow.id).where(DeliveryRow.received_at < before).order_by(DeliveryRow.received_at)
    ids = list(session.scalars(oldest.limit(limit).with_for_update(skip_locked=True)))
    _delete(session, ids)
    return len(ids)


def forget_subjects(session: Session, subjects: Sequence[tuple[str, str]]) -> None:
    """Delete every delivery that speaks of one of these (source, subject), as a whole, whoever else is in it."""
    mine = tuple_(DeliverySubjectRow.source, DeliverySubjectRow.subject).in_(subjects)
    _delete(session, list(session.scalars(select(DeliverySubjectRow.delivery_id).where(mine))))


def forget_event(session: Session, source: str, subject: str, event_id: int) -> None:
    """Delete every delivery that was read as this event of this subject."""
    speaking = select(DeliveryRow.id, DeliveryRow.events).join(
        DeliverySubjectRow, DeliverySubjectRow.delivery_id == DeliveryRow.id
    )
    mine = (DeliverySubjectRow.source == source, DeliverySubjectRow.subject == subject)
    _delete(session, [each for each, events in session.execute(speaking.where(*mine)) if event_id in events])


def _delete(session: Session, ids: Sequence[int]) -> None:
    if ids:
        session.execute(delete(DeliveryRow).where(DeliveryRow.id.in_(ids)))
