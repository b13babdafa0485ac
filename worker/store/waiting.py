"""Queries over records that wait: they belong to nobody yet, until somebody has a number or an address they state.

An address may be given to somebody at the very moment at which a record that states it is found to be nobody's. So both
take a lock of that address (``alone_with``), one behind the reservation and the other before it looks for the last
time, and keep it until the transaction ends: whoever comes second sees what the first has written.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.orm import Session

from worker.roster import Record
from worker.roster.document import from_document
from worker.store.exclusion import one_at_a_time
from worker.store.tables import AddressRow, PersonRow, RecordRow

_MOST_LISTED = 100
_ADDRESSED = select(RecordRow.source).where(
    RecordRow.person_id.is_(None), AddressRow.address == RecordRow.work_email, AddressRow.held_to.is_(None)
)
"""Records that wait for an address which somebody holds."""


def alone_with(session: Session, address: str) -> None:
    """Let one transaction at a time find out who waits for an address, or whose it is, until it ends."""
    one_at_a_time(session, [f"waiting for {address}"])


def linked_by(session: Session, employee_number: str | None, addresses: Collection[str]) -> list[Record]:
    """Return the waiting records that this number or these addresses may link, locked, in their order."""
    links: list[ColumnElement[bool]] = []
    if employee_number is not None:  # "equal to None" would be every record that states none
        links.append(RecordRow.employee_number == employee_number)
    if addresses:
        links.append(RecordRow.work_email.in_(sorted(addresses)))
    # Each asked by itself: with "or" between them SQLite reads all records that wait, however many these are.
    asked = (select(RecordRow).where(RecordRow.person_id.is_(None), each).with_for_update() for each in links)
    rows = {(row.source, row.subject): row for query in asked for row in session.scalars(query)}
    return [from_document(*key, rows[key].document) for key in sorted(rows)]


def is_for(session: Session, person_id: int) -> bool:
    """Tell whether a record waits for an address that this person holds."""
    return bool(session.scalar(select(exists(_ADDRESSED.where(AddressRow.person_id == person_id)))))


def note_for(session: Session, person_ids: Sequence[int], now: datetime) -> None:
    """Have the records linked soon that wait for an address which one of these people holds.

    Its caller holds the lock of linking, so that no record begins to wait meanwhile, and these people.
    """
    held = _ADDRESSED.where(AddressRow.person_id == PersonRow.id).correlate(PersonRow)
    waited_for = update(PersonRow).where(PersonRow.id.in_(person_ids), exists(held))
    session.execute(waited_for.values(line_due_at=now))


def unmatched(session: Session) -> list[tuple[Record, str]]:
    """Return the first hundred records that wait, with the reason."""
    waiting = select(RecordRow).where(RecordRow.person_id.is_(None))
    rows = session.scalars(waiting.order_by(RecordRow.source, RecordRow.subject).limit(_MOST_LISTED))
    return [(from_document(row.source, row.subject, row.document), row.why_unmatched or "") for row in rows]
