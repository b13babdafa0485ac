"""Queries over the snapshots of sources: what is known of their subjects, and who was absent how often."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, exists, select, update
from sqlalchemy.orm import Session

from worker.roster import Record, from_document
from worker.store.exclusion import one_at_a_time
from worker.store.states import EventState
from worker.store.tables import AbsenceRow, EventRow, RecordRow, SnapshotRow

_PAGE = 500


def lock_source(session: Session, source: str) -> None:
    """Let one transaction at a time count who is absent from a source's snapshots, until it ends."""
    one_at_a_time(session, [f"snapshots.{source}"])


def records(session: Session, source: str, subjects: Collection[str]) -> Mapping[str, Record]:
    """Return what is known of these subjects; who is unknown is left out."""
    known = select(RecordRow).where(RecordRow.source == source, RecordRow.subject.in_(subjects))
    return {row.subject: from_document(source, row.subject, row.document) for row in session.scalars(known)}


def waiting(session: Session, source: str, subjects: Collection[str]) -> Sequence[EventRow]:
    """Return the events of these subjects that are accepted and not applied yet."""
    mine = select(EventRow).where(EventRow.source == source, EventRow.subject.in_(subjects))
    return session.scalars(mine.where(EventRow.state == EventState.ACCEPTED).order_by(EventRow.id)).all()


def subjects_after(session: Session, source: str, after: str) -> Sequence[str]:
    """Return the next subjects of a source's records, in their order."""
    mine = select(RecordRow.subject).where(RecordRow.source == source, RecordRow.subject > after)
    return session.scalars(mine.order_by(RecordRow.subject).limit(_PAGE)).all()


def was_counted(session: Session, source: str, digest: str, since: datetime) -> bool:
    """Tell whether a snapshot of the same content was counted after an instant."""
    same = exists().where(
        SnapshotRow.source == source,
        SnapshotRow.taken_at > since,
        SnapshotRow.digest == digest,
        SnapshotRow.counted,
    )
    return bool(session.scalar(select(same)))


def last_taken(session: Session, source: str) -> datetime | None:
    """Return when the newest snapshot of a source was taken."""
    newest = select(SnapshotRow.taken_at).where(SnapshotRow.source == source)
    return session.scalar(newest.order_by(SnapshotRow.taken_at.desc()).limit(1))


def insert(session: Session, snapshot: SnapshotRow) -> None:
    """Keep that a snapshot was read."""
    session.add(snapshot)
    session.flush()


def absent_subjects(session: Session, source: str) -> Sequence[str]:
    """Return who is counted as absent."""
    return session.scalars(select(AbsenceRow.subject).where(AbsenceRow.source == source)).all()


def forget_absences(session: Session, source: str, subjects: Collection[str]) -> None:
    """Begin anew to count for those who were seen, or left."""
    for page in _pages(subjects):
        session.execute(delete(AbsenceRow).where(AbsenceRow.source == source, AbsenceRow.subject.in_(page)))


def count_absences(session: Session, source: str, subjects: Collection[str], at: datetime) -> None:
    """Count one more snapshot in which these were absent."""
    before = set(absent_subjects(session, source))
    for page in _pages(before.intersection(subjects)):
        mine = update(AbsenceRow).where(AbsenceRow.source == source, AbsenceRow.subject.in_(page))
        session.execute(mine.values(count=AbsenceRow.count + 1))
    first = sorted(set(subjects) - before)
    session.add_all(AbsenceRow(source=source, subject=subject, count=1, since=at) for subject in first)
    session.flush()


def absent_for(session: Session, source: str, count: int) -> Sequence[str]:
    """Return who was absent from so many complete snapshots in a row, or more."""
    mine = select(AbsenceRow.subject).where(AbsenceRow.source == source, AbsenceRow.count >= count)
    return session.scalars(mine.order_by(AbsenceRow.subject)).all()


def _pages(subjects: Collection[str]) -> Iterator[list[str]]:
    ordered = sorted(subjects)
    return (ordered[start : start + _PAGE] for start in range(0, len(ordered), _PAGE))
