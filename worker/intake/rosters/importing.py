"""Importing a roster: read all of it, compare all of it, and only then accept, batch by batch.

Nothing is accepted of a file with a fault. What is compared with counts what is accepted already, so the same file
after an interruption brings the rest and nothing twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import BinaryIO

from worker.intake.accept import accept
from worker.intake.context import Intake
from worker.intake.rosters.absences import Absences, departures, look_for_absent, remember
from worker.intake.rosters.comparing import AT_ONCE, compare
from worker.intake.rosters.digest import Digest
from worker.intake.rosters.order import Order
from worker.intake.rosters.refusals import ImportRunning, RosterRefused, StillWritten
from worker.intake.rosters.spool import Spool
from worker.intake.rosters.tally import Tally
from worker.sources.roster_files import Contents, FileSource, read_roster
from worker.store import snapshots
from worker.store.import_turns import ImportUnderWay, Turn, turn
from worker.store.tables import SnapshotRow

_A_LITTLE = timedelta(milliseconds=1)
_MOST_SET_BACK = timedelta(minutes=1)
_ACCEPTED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a roster."""

    taken_at: datetime
    rows: int
    differences: Tally
    accepted: int
    """Events that were not there before."""
    absences: Absences | None = None
    """None where the roster need not hold everybody."""


def import_roster(intake: Intake, source: FileSource, file: BinaryIO, order: Order) -> Imported:
    """Import a roster that can be read from its start again.

    One of a source at a time, because the second of two is compared with what the first states. Raises RosterRefused,
    StillWritten or ImportRunning, after which nothing was accepted, or Interrupted; any database error means that the
    same file may be imported again. A dry run compares, and writes nothing.
    """
    if order.dry_run:
        return _import(intake, source, file, order, Turn(lambda: None))
    try:
        with turn(intake.database, source.name, intake.clock.now()) as mine:
            return _import(intake, source, file, order, mine)
    except ImportUnderWay as other:
        raise ImportRunning(source.name, other.since) from other


def _import(intake: Intake, source: FileSource, file: BinaryIO, order: Order, mine: Turn) -> Imported:
    order = replace(order, taken_at=_after_the_last(intake, source, order.taken_at))
    with Spool() as rows, Spool() as documents:
        contents, digest = _read(file, source, order, rows)
        listed = contents.lines.keys()
        absences = None
        if order.full:
            absences = look_for_absent(intake, source, listed, order.taken_at, rows=contents.rows)
        tally = compare(intake, source, rows, documents, order)
        if order.dry_run:
            return Imported(order.taken_at, contents.rows, tally, 0, absences)
        events = (document for batch in documents.batches(_ACCEPTED_AT_ONCE) for document in batch)
        accepted = _accept(intake, source, order, events, documents.count, mine)
    row = _row(source, order, contents, digest)
    mine.hold()
    with intake.database.write() as session:
        absences = remember(session, source, row, listed, absences, is_opinion=order.is_opinion)
    leaves = list(departures(intake, source, absences.leaving, order.taken_at)) if absences else []
    for leave in leaves:
        tally.add(leave, None)
    accepted += _accept(intake, source, order, leaves, len(leaves), mine)
    return Imported(order.taken_at, contents.rows, tally, accepted, absences)


def _row(source: FileSource, order: Order, contents: Contents, digest: str) -> SnapshotRow:
    return SnapshotRow(
        source=source.name,
        taken_at=order.taken_at,
        complete=order.full,
        counted=False,
        population=contents.rows,
        digest=digest,
    )


def _after_the_last(intake: Intake, source: FileSource, at: datetime) -> datetime:
    """Return a time behind that of the roster before, also where a clock stands still or was set back a little."""
    with intake.database.read() as session:
        last = snapshots.last_taken(session, source.name)
    is_close = last is not None and at <= last + _A_LITTLE <= at + _MOST_SET_BACK
    return last + _A_LITTLE if last is not None and is_close else at


def _read(file: BinaryIO, source: FileSource, order: Order, rows: Spool) -> tuple[Contents, str]:
    """Read all rows and set them aside, and return what was found out and the digest of what they state."""
    contents, digest = Contents(), Digest()
    for row in read_roster(file, source, order.taken_at, contents):
        now = row.snapshot
        stated = [now.subject, now.facts, now.status]
        digest.add(stated)
        rows.write([row.line, *stated])
        if rows.count % AT_ONCE == 0:
            order.go_on("reading", rows.count, None)
    if order.is_written():
        raise StillWritten
    if contents.fault_count:
        raise RosterRefused(contents.faults, contents.fault_count, contents.rows)
    return contents, digest.hexdigest()


def _accept(
    intake: Intake,
    source: FileSource,
    order: Order,
    documents: Iterable[dict[str, object]],
    total: int,
    mine: Turn,
) -> int:
    accepted, done, left = 0, 0, iter(documents)
    while batch := list(islice(left, _ACCEPTED_AT_ONCE)):
        mine.hold()
        receipts = accept(intake, source.name, batch)
        accepted += sum(not receipt.duplicate for receipt in receipts)
        done += len(batch)
        order.go_on("accepting", done, total)
    return accepted
