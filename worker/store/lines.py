"""Queries over lines: who reports to whom, who stands in for a person, and whom a change above touches.

A person's manager is kept as the record that is stated, (source, subject), and looked up through ``records``. So a
manager who becomes known later than the reports, or whose record turns out to be somebody else's, needs no second
truth to be put right.

Whoever stands otherwise than before, or is newly placed in a line, takes the one lock of lines before reading or
writing it and holds it until the transaction ends. So of a report who looks upwards and a manager who looks down, one
sees what the other has written. It is taken behind a person's row, before addresses and jobs.
"""

from datetime import datetime

from sqlalchemy import CTE, ColumnElement, and_, select, text, update
from sqlalchemy.orm import Session, aliased

from worker.mail import Address
from worker.policy.view import Manager
from worker.store.tables import PersonRow, RecordRow

Link = tuple[str, str]
"""A record as a manager is stated: our name of the source, and the subject in it."""

MOST_HOPS = 50
"""A line that is longer than that ends there; no organisation has one."""


def lock(session: Session) -> None:
    """Let one transaction at a time change who stands in for whom, until it ends.

    SQLite's writing transactions exclude each other anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("select pg_advisory_xact_lock(hashtext('mailroster.lines'))"))


def link_of(row: PersonRow) -> Link | None:
    """Return the record that a person's manager is stated to have, as it was last found out."""
    if row.manager_source is None or row.manager_subject is None:
        return None
    return row.manager_source, row.manager_subject


def manager_of(session: Session, link: Link | None, *, but: int) -> Manager | None:
    """Return the first in line upwards who can take over, beginning with whom the link names; None if there is none.

    One small query for each hop. A record that belongs to nobody ends the walk, and so does a person met before;
    ``but`` is the person who looks.
    """
    met = {but}
    while link is not None and len(met) <= MOST_HOPS:
        found = _holder(session, link)
        if found is None or found[0] in met:
            return None
        person_id, manager, link = found
        if manager is not None:
            return manager
        met.add(person_id)
    return None


def has_reports(session: Session, person_id: int) -> bool:
    """Tell whether anybody states this person as the manager."""
    reports = select(PersonRow.id).join(RecordRow, _is_stated(RecordRow, PersonRow))
    return session.scalar(reports.where(RecordRow.person_id == person_id).limit(1)) is not None


def due(session: Session, now: datetime) -> int | None:
    """Return the person whose change has waited longest for those below to hear of it."""
    waiting = select(PersonRow.id).where(PersonRow.line_due_at <= now)
    return session.scalar(waiting.order_by(PersonRow.line_due_at, PersonRow.id).limit(1))


def postpone(session: Session, person_id: int, until: datetime) -> None:
    """Have those below a person hear of its change later."""
    session.execute(update(PersonRow).where(PersonRow.id == person_id).values(line_due_at=until))


def evaluate_below(session: Session, person_id: int, now: datetime) -> None:
    """Have everybody evaluated soon whose stand-in may be another since a person's change: each is met once.

    These are the reports, and the reports of those among them who cannot take over themselves, and so on down. One
    statement, which takes their rows in the order of their ids.
    """
    below = _below(person_id)
    in_order = select(PersonRow.id).where(PersonRow.id.in_(select(below.c.id))).order_by(PersonRow.id)
    locked = in_order.with_for_update().cte("locked")
    session.execute(
        update(PersonRow)
        .where(PersonRow.id.in_(select(locked.c.id)))
        .values(next_change_at=now)
        .execution_options(synchronize_session=False),
    )


def _holder(session: Session, link: Link) -> tuple[int, Manager | None, Link | None] | None:
    """Return whose a record is, whom that makes in line, and the way further up; always read anew."""
    row = session.execute(
        select(
            PersonRow.id,
            PersonRow.name,
            PersonRow.takeover_address,
            PersonRow.manager_source,
            PersonRow.manager_subject,
        )
        .join(RecordRow, RecordRow.person_id == PersonRow.id)
        .where(RecordRow.source == link[0], RecordRow.subject == link[1]),
    ).one_or_none()
    if row is None:
        return None
    person_id, name, address, source, subject = row
    further = (source, subject) if source is not None and subject is not None else None
    return person_id, None if address is None else Manager(Address(address), name), further


def _below(person_id: int) -> CTE:
    record, report = aliased(RecordRow), aliased(PersonRow)
    direct = (
        select(report.id, report.takeover_address)
        .join(record, _is_stated(record, report))
        .where(record.person_id == person_id)
    )
    below = direct.cte("below", recursive=True)
    further = (
        select(report.id, report.takeover_address)
        .join(record, _is_stated(record, report))
        .join(below, below.c.id == record.person_id)
        .where(below.c.takeover_address.is_(None))
    )
    return below.union(further)  # not "all": whoever is met twice is so for the same reason, and a cycle ends


def _is_stated(record: type[RecordRow], report: type[PersonRow]) -> ColumnElement[bool]:
    return and_(report.manager_source == record.source, report.manager_subject == record.subject)
