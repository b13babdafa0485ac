"""What a source's records will be once what is accepted is applied: rosters are compared with that.

Else a roster that follows another within seconds would be compared with what the first has changed already.
"""

from collections.abc import Collection, Mapping

from worker.events import parse_event
from worker.roster import Record, fold
from worker.store import snapshots
from worker.store.database import Session


def expected(session: Session, source: str, subjects: Collection[str]) -> Mapping[str, Record]:
    """Return the records of these subjects with their waiting events folded in; empty ones of who is unknown."""
    known = dict(snapshots.records(session, source, subjects))
    for row in snapshots.waiting(session, source, subjects):
        event = parse_event(row.document, now=row.received_at)
        known[event.subject] = fold(known.get(event.subject, Record(source, event.subject)), event, row.received_at)
    return {subject: known.get(subject, Record(source, subject)) for subject in subjects}
