"""People folded anew from the events that are stored, all of them or without some."""

from collections.abc import Collection, Sequence

from sqlalchemy.orm import Session

from worker.events import parse_event
from worker.roster import Person, Record, fold
from worker.store import events, people
from worker.store.tables import EventRow


def told_of(session: Session, person_id: int) -> list[EventRow]:
    """Return every event of a person's records that was not rejected, applied or not yet, in the order of receipt."""
    known = people.load(session, person_id).records
    return events.of_subjects(session, [(record.source, record.subject) for record in known])


def folded(person_id: int, rows: Sequence[EventRow], *, without: Collection[int] = ()) -> Person:
    """Return the person that these events make, those with the ids of ``without`` left out."""
    records: dict[tuple[str, str], Record] = {}
    for row in rows:
        if row.id in without:
            continue
        event = parse_event(row.document, now=row.received_at)
        key = (row.source, event.subject)
        records[key] = fold(records.get(key, Record(*key)), event, row.received_at)
    return Person(str(person_id), tuple(records.values()))
