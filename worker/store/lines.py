"""Queries over lines: who reports to whom, who stands in for a person, and whom a change above touches.

A person's manager is kept as the record that is stated, (source, subject), and looked up through ``records``. So a
manager who becomes known later than the reports, or whose record turns out to be somebody else's, needs no second
truth to be put right.

Whoever stands otherwise than before, or is newly placed in a line, takes the one lock of lines before reading or
writing it and holds it until the transaction ends. So of a report who looks upwards and a manager who looks down, one
sees what the other has written. It is taken behind a person's row, before addresses and jobs.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import CTE, ColumnElement, Select, and_, bindparam, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from worker.mail import Address
from worker.policy.view import Manager
from worker.store.exclusion import one_at_a_time
from worker.store.tables import PersonRow, RecordRow

Link = tuple[str, str]
"""A record as a manager is stated: our name of the source, and the subject in it."""

MOST_HOPS = 50
"""A line that is longer than that ends there; no organisation has one."""


def lock(session: Session) -> None:
    """Let one transaction at a time change who stands in for whom, until it ends."""
    one_at_a_time(session, ["lines"])


def link_of(row: PersonRow) -> Link | None:
    """Return the record that a person's manager is stated to have, as it was last found out."""
    if row.manager_source is None or row.manager_subject is None:
        return None
    return row.manager_source, row.manager_subject


def manager_of(session: Session, link: Link | None, *, but: int) -> Manager | None:
    """Return the first in line upwards who can take over for the person ``but``, beginning with whom the link names."""
    return managers_of(session, {but: link})[but]


def managers_of(session: Session, stated: Mapping[int, Link | None]) -> Mapping[int, Manager | None]:
    """Return for each person the first in line upwards who can take over; None where there is none.

    ``stated`` says where each line begins: with the record of the manager that is stated. One query for each hop,
    however many walk. A record that belongs to nobody ends a walk, and so does a person met before.
    """
    found: dict[int, Manager | None] = dict.fromkeys(stated)
    walks = {person_id: (link, {person_id}) for person_id, link in stated.items() if link is not None}
    for _ in range(MOST_HOPS):
        if not walks:
            break
        holders = _holders(session, {link for link, _ in walks.values()})
        further: dict[int, tuple[Link, set[int]]] = {}
        for person_id, (link, met) in walks.items():
            holder = holders.get(link)
            if holder is None or holder.id in met:
                continue
            found[person_id] = holder.manager
            if holder.manager is None and holder.further is not None:
                further[person_id] = (holder.further, met | {holder.id})
        walks = further
    return found


def has_reports(session: Session, person_id: int) -> bool:
    """Tell whether anybody states this person as the manager."""
    return session.scalar(_reports(), {"manager": person_id}) is not None


@cache
def _reports() -> Select[int]:
    reports = select(PersonRow.id).join(RecordRow, _is_stated(RecordRow, PersonRow))
    return reports.where(RecordRow.person_id == bindparam("manager")).limit(1)


def due(session: Session, now: datetime) -> int | None:
    """Return the person whose change has waited longest for those below to hear of it."""
    waiting = select(PersonRow.id).where(PersonRow.line_due_at <= now)
    return session.scalar(waiting.order_by(PersonRow.line_due_at, PersonRow.id).limit(1))


def all_due(session: Session, now: datetime) -> set[int]:
    """Return everybody whose change is yet to be told to those below."""
    return set(session.scalars(select(PersonRow.id).where(PersonRow.line_due_at <= now)))


def postpone(session: Session, person_id: int, until: datetime) -> None:
    """Have those below a person hear of its change later."""
    session.execute(update(PersonRow).where(PersonRow.id == person_id).values(line_due_at=until))


def evaluate_below(session: Session, person_id: int, now: datetime) -> set[int]:
    """Have all evaluated soon whose stand-in may be another since a person's change, and return them: each is met once.

    These are the reports, and the reports of those among them who cannot take over themselves, and so on down. One
    statement, which takes their rows in the order of their ids.
    """
    below = _below(person_id)
    in_order = select(PersonRow.id).where(PersonRow.id.in_(select(below.c.id))).order_by(PersonRow.id)
    locked = in_order.with_for_update().cte("locked")
    marked = session.scalars(
        update(PersonRow)
        .where(PersonRow.id.in_(select(locked.c.id)))
        .values(next_change_at=now)
        .returning(PersonRow.id)
        .execution_options(synchronize_session=False),
    )
    return set(marked)


@dataclass(frozen=True, slots=True)
class _Holder:
    """Whose a record is, whom that makes in line, and the way further up."""

    id: int
    manager: Manager | None
    further: Link | None


def _holders(session: Session, links: Collection[Link]) -> dict[Link, _Holder]:
    """Return whose these records are, always read anew; those of nobody are left out."""
    rows = session.execute(
        select(
            RecordRow.source,
            RecordRow.subject,
            PersonRow.id,
            PersonRow.name,
            PersonRow.takeover_address,
            PersonRow.manager_source,
            PersonRow.manager_subject,
        )
        .join(PersonRow, RecordRow.person_id == PersonRow.id)
        .where(tuple_(RecordRow.source, RecordRow.subject).in_(sorted(links))),
    )
    return {
        (source, subject): _Holder(
            person_id,
            None if address is None else Manager(Address(address), name),
            None if above is None or record is None else (above, record),
        )
        for source, subject, person_id, name, address, above, record in rows
    }


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
