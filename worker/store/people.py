"""Queries over people and the records that sources stated of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, bindparam, or_, select, update
from sqlalchemy.orm import Session

from worker.roster import Person, Record
from worker.roster.document import from_document, to_document
from worker.store.exclusion import one_at_a_time
from worker.store.merges import MERGE
from worker.store.tables import AddressRow, MergeRow, PersonRow, RecordRow


def load_record(session: Session, source: str, subject: str) -> tuple[Record, int | None] | None:
    """Return what a source stated under a subject, and the person it was linked with, locked for folding."""
    row = session.get(RecordRow, (source, subject), with_for_update=True)
    if row is None:
        return None
    return from_document(source, subject, row.document), row.person_id


def kept_record(session: Session, source: str, subject: str) -> tuple[object, int | None] | None:
    """Return a record's document as it stands, readable or not, and the person it was linked with, locked."""
    row = session.get(RecordRow, (source, subject), with_for_update=True)
    return None if row is None else (row.document, row.person_id)


def stated_by(session: Session, source: str, subject: str) -> Record | None:
    """Return what a source stated under a subject, without a lock."""
    document = session.scalar(
        select(RecordRow.document).where(RecordRow.source == source, RecordRow.subject == subject)
    )
    return None if document is None else from_document(source, subject, document)


def save_record(
    session: Session,
    record: Record,
    *,
    person_id: int | None,
    now: datetime,
    why_unmatched: str | None = None,
) -> None:
    """Insert or replace a record."""
    row = session.get(RecordRow, (record.source, record.subject))
    if row is None:
        row = RecordRow(source=record.source, subject=record.subject)
        session.add(row)
    former = row.person_id
    row.document = to_document(record)
    row.employee_number, row.work_email = stated_text(record, "employeeNumber"), stated_text(record, "workEmail")
    row.person_id, row.why_unmatched, row.updated_at = person_id, why_unmatched, now
    session.flush()
    if person_id != former:
        _stands_otherwise(session, [former, person_id], now)


def _stands_otherwise(session: Session, person_ids: Sequence[int | None], now: datetime) -> None:
    """Note that a record changes hands, whose reports look upwards through it. Its caller holds the lock of linking."""
    for person_id in person_ids:
        if person_id is not None:
            lock(session, person_id).line_due_at = now


def is_pinned(session: Session, source: str, subject: str) -> bool:
    """Tell whether an operator decided whose a record is."""
    pinned = select(RecordRow.pinned_at).where(RecordRow.source == source, RecordRow.subject == subject)
    return session.scalar(pinned) is not None


def stated_text(record: Record, fact: str) -> str | None:
    """Return what a record states of a fact, if that is a text."""
    stated = record.facts.get(fact)
    return stated.value if stated is not None and isinstance(stated.value, str) and stated.value else None


def lock_linking(session: Session) -> None:
    """Let one transaction at a time decide whose a new record is, so that two cannot both make the same person."""
    one_at_a_time(session, ["linking"])


def create(session: Session, now: datetime) -> PersonRow:
    """Make a new person and return the row."""
    row = PersonRow(created_at=now, name="", phase="")
    session.add(row)
    session.flush()
    return row


def get(session: Session, person_id: int) -> PersonRow | None:
    """Return one person."""
    return session.get(PersonRow, person_id)


def exists(session: Session, person_id: int) -> bool:
    """Tell whether there is such a person."""
    return session.get(PersonRow, person_id) is not None


def is_erased(session: Session, person_id: int) -> bool:
    """Tell whether everything personal of a person was removed."""
    return session.scalar(select(PersonRow.erased_at).where(PersonRow.id == person_id)) is not None


def lock(session: Session, person_id: int) -> PersonRow:
    """Return a person's row, locked until the transaction ends."""
    return session.get_one(PersonRow, person_id, with_for_update=True)


def load(session: Session, person_id: int) -> Person:
    """Return a person with all records."""
    return load_many(session, [person_id])[person_id]


_RECORDS = (
    select(RecordRow.person_id, RecordRow.source, RecordRow.subject, RecordRow.document)
    .where(RecordRow.person_id.in_(bindparam("people", expanding=True)))
    .order_by(RecordRow.source, RecordRow.subject)
)


def load_many(session: Session, person_ids: Sequence[int]) -> Mapping[int, Person]:
    """Return people with all their records, in one query."""
    rows = session.execute(_RECORDS, {"people": person_ids})
    records: dict[int, list[Record]] = {person_id: [] for person_id in person_ids}
    for person_id, source, subject, document in rows:
        assert person_id is not None, "that is how they were asked for"
        records[person_id].append(from_document(source, subject, document))
    return {person_id: Person(str(person_id), tuple(found)) for person_id, found in records.items()}


def holding_employee_number(session: Session, number: str) -> list[str]:
    """Return the keys of people whose employee number this is."""
    return [str(key) for key in session.scalars(select(PersonRow.id).where(PersonRow.employee_number == number))]


def holding_work_email(session: Session, work_email: str) -> list[str]:
    """Return the keys of people whose stated work address or held address this is."""
    stated = select(PersonRow.id).where(PersonRow.work_email == work_email)
    held = select(AddressRow.person_id).where(
        AddressRow.address == work_email,
        AddressRow.held_to.is_(None),
        AddressRow.person_id.is_not(None),
    )
    return sorted({str(key) for key in session.scalars(stated.union(held))})


def with_employee_number(session: Session, person_keys: Sequence[str]) -> list[str]:
    """Return which of these people are known by an employee number."""
    wanted = select(PersonRow.id).where(
        PersonRow.id.in_([int(key) for key in person_keys]),
        PersonRow.employee_number.is_not(None),
    )
    return [str(key) for key in session.scalars(wanted)]


def claim_due(session: Session, now: datetime, policy_hash: str) -> PersonRow | None:
    """Lock and return a person who must be evaluated: a due date passed, or another policy became active."""
    due = select(PersonRow).where(PersonRow.next_change_at <= now).order_by(PersonRow.next_change_at, PersonRow.id)
    outdated = (
        select(PersonRow).where(part).order_by(PersonRow.policy_hash, PersonRow.id) for part in _outdated(policy_hash)
    )
    for query in (due, *outdated):
        row = session.scalars(query.limit(1).with_for_update(skip_locked=True)).one_or_none()
        if row is not None:
            return row
    return None


def any_due(session: Session, now: datetime, policy_hash: str) -> bool:
    """Tell whether ``claim_due`` would find somebody."""
    due = select(PersonRow.id).where(PersonRow.next_change_at <= now).limit(1)
    return session.scalar(due) is not None or any_outdated(session, policy_hash)


def any_outdated(session: Session, policy_hash: str) -> bool:
    """Tell whether somebody was last evaluated under another policy."""
    found = (session.scalar(select(PersonRow.id).where(part).limit(1)) for part in _outdated(policy_hash))
    return any(person_id is not None for person_id in found)


def _outdated(policy_hash: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    # Two ranges of an index, each asked for by itself: "not equal" would not use it, nor would one question in order.
    return PersonRow.policy_hash < policy_hash, PersonRow.policy_hash > policy_hash


def evaluate_soon(session: Session, person_ids: Sequence[int], now: datetime) -> None:
    """Have these people evaluated as soon as somebody is free."""
    if person_ids:
        session.execute(update(PersonRow).where(PersonRow.id.in_(person_ids)).values(next_change_at=now))


def want_anew(session: Session, person_ids: Sequence[int]) -> None:
    """Forget what was last wanted for these people, so that the next event about them makes a job again."""
    for person_id in sorted(person_ids):
        lock(session, person_id).wanted_hash = None
    session.flush()


def evaluate_without_address_soon(session: Session, now: datetime) -> None:
    """Have everybody evaluated who was evaluated before and holds no address, as after a domain was read."""
    holds = select(AddressRow.id).where(AddressRow.person_id == PersonRow.id, AddressRow.held_to.is_(None)).exists()
    session.execute(
        update(PersonRow).where(PersonRow.evaluated_at.is_not(None), ~holds).values(next_change_at=now),
    )


def find(session: Session, text_: str) -> list[PersonRow]:
    """Return whom an operator may mean: by our id, a source's subject, an employee number, an address or a name.

    A name that is kept Like This, LIKE THIS or like this may be typed in any case; any other as it is kept.
    """
    wanted = text_.strip()
    if wanted.isdecimal() and len(wanted) < 18 and (row := session.get(PersonRow, int(wanted))) is not None:
        return [row]
    by_record = select(RecordRow.person_id).where(RecordRow.subject == wanted, RecordRow.person_id.is_not(None))
    by_address = select(AddressRow.person_id).where(
        AddressRow.address == wanted.lower(),
        AddressRow.person_id.is_not(None),
    )
    ids = set(session.scalars(by_record.union(by_address)))
    condition = (
        PersonRow.id.in_(ids)
        if ids
        else or_(
            PersonRow.employee_number == wanted,
            PersonRow.work_email == wanted.lower(),
            PersonRow.name.in_({wanted, wanted.title(), wanted.upper(), wanted.lower()}),
        )
    )
    return list(session.scalars(select(PersonRow).where(condition).order_by(PersonRow.id).limit(20)))


def page(session: Session, *, after: int, limit: int) -> list[PersonRow]:
    """Return people in the order of their ids, from behind ``after``."""
    return list(session.scalars(select(PersonRow).where(PersonRow.id > after).order_by(PersonRow.id).limit(limit)))


def listed(session: Session, *, after: int, limit: int) -> list[PersonRow]:
    """Return people as ``page`` does, without those who are one with somebody else since an operator said so."""
    merged = select(MergeRow.id).where(
        MergeRow.other_id == PersonRow.id, MergeRow.kind == MERGE, MergeRow.undone_at.is_(None)
    )
    shown = select(PersonRow).where(PersonRow.id > after, ~merged.exists())
    return list(session.scalars(shown.order_by(PersonRow.id).limit(limit)))


def names(session: Session, person_ids: Sequence[int]) -> Mapping[int, str]:
    """Return what these people are called, by person; whoever has no name has an empty one."""
    rows = session.execute(select(PersonRow.id, PersonRow.name).where(PersonRow.id.in_(person_ids)))
    return {person_id: name for person_id, name in rows}  # noqa: C416 - a Row is no tuple[int, str] to mypy


def upcoming(session: Session, until: datetime, *, after: tuple[datetime, int] | None, limit: int) -> list[PersonRow]:
    """Return people for whom something changes by itself until then, soonest first, from behind (instant, id)."""
    due = select(PersonRow).where(PersonRow.next_change_at.is_not(None), PersonRow.next_change_at <= until)
    if after is not None:
        at, person_id = after
        behind = or_(PersonRow.next_change_at > at, and_(PersonRow.next_change_at == at, PersonRow.id > person_id))
        due = due.where(behind)
    return list(session.scalars(due.order_by(PersonRow.next_change_at, PersonRow.id).limit(limit)))
