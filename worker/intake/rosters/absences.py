"""Absence: who is not in a complete roster, how often that was so, and when it counts as a departure.

A missing row has more causes than a departure: an export that was cut off, a filter, a broken job. So absence is an
opinion, and several must agree: complete rosters in a row, of different content or some time apart, none of which lacks
more people than the floor allows.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from worker.intake.context import Intake
from worker.intake.rosters.expected import expected
from worker.intake.rosters.refusals import Truncated
from worker.sources.roster_files import FileSource
from worker.sources.snapshot import departure_by_absence, is_employed
from worker.store import snapshots
from worker.store.database import Session
from worker.store.tables import SnapshotRow

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Absences:
    """Who is absent from a complete roster."""

    employed: int
    """How many people the source has employed."""
    absent: tuple[str, ...] = ()
    """Their subjects, in order."""
    counted: bool = False
    """This roster is an opinion of its own."""
    leaving: tuple[str, ...] = ()
    """Of whom enough complete rosters in a row said nothing."""


def look_for_absent(
    intake: Intake, source: FileSource, listed: Collection[str], at: datetime, *, rows: int
) -> Absences:
    """Return whom the source has employed and does not list. Raises Truncated where these are too many."""
    employed, absent = 0, list[str]()
    for subjects in _pages(intake, source.name):
        with intake.database.read() as session:
            records = expected(session, source.name, subjects)
        here = [subject for subject in subjects if is_employed(records[subject], at)]
        employed += len(here)
        absent += [subject for subject in here if subject not in listed]
    present = employed - len(absent)
    if present < source.floor * employed:
        raise Truncated(listed=present, employed=employed, floor=source.floor, rows=rows)
    return Absences(employed, tuple(absent))


def remember(
    session: Session,
    source: FileSource,
    row: SnapshotRow,
    listed: Collection[str],
    absences: Absences | None,
    *,
    is_opinion: bool = True,
) -> Absences | None:
    """Keep that a roster was read, and count who is absent from it, if it is a complete one of its own."""
    snapshots.lock_source(session, source.name)
    absent = set(absences.absent) if absences else set[str]()
    before = snapshots.absent_subjects(session, source.name)
    seen = [subject for subject in before if subject in listed or (absences and subject not in absent)]
    snapshots.forget_absences(session, source.name, seen)
    if absences is not None and source.creates and is_opinion:
        since = row.taken_at - source.min_apart
        row.counted = not snapshots.was_counted(session, source.name, row.digest, since)
    snapshots.insert(session, row)
    if row.counted:
        snapshots.count_absences(session, source.name, absent, row.taken_at)
    if absences is None:
        return None
    leaving = snapshots.absent_for(session, source.name, source.complete_snapshots)
    return Absences(absences.employed, absences.absent, row.counted, tuple(leaving))


def departures(
    intake: Intake, source: FileSource, subjects: Collection[str], at: datetime
) -> Iterator[dict[str, object]]:
    """Yield the leave events of people who were absent long enough; none of those who are known to have left."""
    ordered = sorted(subjects)
    for start in range(0, len(ordered), _BATCH):
        batch = ordered[start : start + _BATCH]
        with intake.database.read() as session:
            records = expected(session, source.name, batch)
        for subject in batch:
            if (document := departure_by_absence(records[subject], at)) is not None:
                yield document


def _pages(intake: Intake, source: str) -> Iterator[list[str]]:
    after = ""
    while True:
        with intake.database.read() as session:
            page = list(snapshots.subjects_after(session, source, after))
        if not page:
            return
        yield page
        after = page[-1]
