"""What we last wrote at the mail host, by object, and what the latest reconcile of each domain found to differ."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from worker.mail import Address, FieldValue, SharedKey
from worker.planning.drift import NOT_COMPARED, Drift, Finding, KnownObject
from worker.store.addresses import Role, is_ours, keys_held
from worker.store.subjects import Subject
from worker.store.tables import AddressRow, DriftRow, ReadingRow

_NOUNS = {
    Role.PRIMARY: "mailbox",
    Role.IDENTITY: "identity",
    Role.ALIAS: "alias",
    Role.SHARED: "alias",
    Role.REWRITE: "rewrite",
}
_GIVEN_UP = timedelta(days=1)
"""A reading that is not finished by then was interrupted. So long that none that still goes on is taken away."""


def note_written(row: AddressRow, fields: Mapping[str, FieldValue]) -> None:
    """Keep fields as they are at the host by our own hand. What is secret or personal is left out."""
    kept = {name: _json(value) for name, value in fields.items() if name not in NOT_COMPARED}
    changed = {**(row.written or {}), **kept}
    if kept and changed != row.written:
        row.written = changed


def known_objects(rows: Sequence[AddressRow]) -> dict[SharedKey, KnownObject]:
    """Return what the ledger knows of the objects behind these addresses, and of the forwardings from them."""
    forwardings = {Address(row.forwards_to): KnownObject(frozenset({"forwarding"})) for row in rows if row.forwards_to}
    return forwardings | {
        row.address: KnownObject(
            stands=frozenset(_standing(row)),
            written=_values(row),
        )
        for row in rows
    }


def _standing(row: AddressRow) -> Iterator[str]:
    """Yield what of ours stands at an address: an alias may stand where somebody's mailbox or identity was."""
    if row.alias_to:
        yield "alias"
    if is_ours(row) and (noun := _NOUNS.get(Role(row.role))):
        yield noun


@dataclass(frozen=True, slots=True)
class Agreed:
    """What the host shows of an object of ours as it is wanted."""

    key: SharedKey
    """Its address; of a rewrite its key."""
    known: Mapping[str, FieldValue]
    """What the ledger knew to be written when that was compared."""
    shown: Mapping[str, FieldValue]
    """What it is to know: from now on anything else there is somebody else's doing."""


def note_agreed(session: Session, agreed: Sequence[Agreed]) -> None:
    """Keep what the host shows as wanted like what was written, unless somebody has written meanwhile."""
    rows = keys_held(session, [each.key for each in agreed], lock=True) if agreed else {}
    for each in agreed:
        row = rows.get(each.key)
        if row is not None and _values(row) == each.known:
            note_written(row, each.shown)


@dataclass(frozen=True, slots=True)
class Found:
    """A finding with whose it is and who takes care of it."""

    finding: Finding
    subject: Subject | None = None
    """None of what is unmanaged."""
    job_id: int | None = None
    note: str | None = None


def begin(session: Session, domain: str, read_at: datetime) -> int:
    """Begin to keep what a reconcile finds. Returns its id; it counts from ``finish`` on."""
    row = ReadingRow(domain=domain, read_at=read_at, people=0, shared=0)
    session.add(row)
    session.flush()
    return row.id


def add(session: Session, reading_id: int, found: Sequence[Found]) -> None:
    """Keep some of what a reconcile found."""
    session.add_all(_row(reading_id, each) for each in found)


def finish(session: Session, reading_id: int, *, people: int, shared: int, now: datetime) -> None:
    """Make a reading the latest one of its domain, and forget those before it."""
    row = session.get_one(ReadingRow, reading_id)
    row.people, row.shared, row.finished_at = people, shared, now
    session.flush()
    older = select(ReadingRow.id).where(
        ReadingRow.domain == row.domain,
        ReadingRow.id < reading_id,
        ReadingRow.finished_at.is_not(None) | (ReadingRow.read_at < now - _GIVEN_UP),
    )
    ids = list(session.scalars(older))
    session.execute(delete(DriftRow).where(DriftRow.reading_id.in_(ids)))
    session.execute(delete(ReadingRow).where(ReadingRow.id.in_(ids)))


def readings(session: Session, domain: str | None = None) -> list[ReadingRow]:
    """Return the latest finished reading of each domain, or of one, by the domains' names."""
    latest = select(func.max(ReadingRow.id)).where(ReadingRow.finished_at.is_not(None)).group_by(ReadingRow.domain)
    wanted = select(ReadingRow).where(ReadingRow.id.in_(latest)).order_by(ReadingRow.domain)
    return list(session.scalars(wanted if domain is None else wanted.where(ReadingRow.domain == domain)))


@dataclass(frozen=True, slots=True)
class DriftFilter:
    """What to list."""

    domain: str | None = None
    kinds: tuple[Drift, ...] = ()


def page(session: Session, wanted: DriftFilter, *, after: int, limit: int) -> list[tuple[DriftRow, ReadingRow]]:
    """Return what the latest readings found, in the order in which it was found, from behind ``after``."""
    latest = [row.id for row in readings(session, wanted.domain)]
    conditions: list[ColumnElement[bool]] = [DriftRow.id > after, DriftRow.reading_id.in_(latest)]
    if wanted.kinds:
        conditions.append(DriftRow.kind.in_(wanted.kinds))
    query = select(DriftRow, ReadingRow).join(ReadingRow, ReadingRow.id == DriftRow.reading_id)
    found = session.execute(query.where(*conditions).order_by(DriftRow.id).limit(limit))
    return [(row, reading) for row, reading in found]


def count(session: Session, domain: str | None = None) -> Mapping[Drift, int]:
    """Return how many differences of each kind the latest readings found."""
    return _counted(session, domain, ())


def count_undecided(session: Session, domain: str | None = None) -> Mapping[Drift, int]:
    """Return how many differences of each kind no job takes care of: somebody must decide about them."""
    return _counted(session, domain, (DriftRow.job_id.is_(None), DriftRow.action.is_not(None)))


def _counted(session: Session, domain: str | None, more: Sequence[ColumnElement[bool]]) -> Mapping[Drift, int]:
    latest = [row.id for row in readings(session, domain)]
    rows = session.execute(
        select(DriftRow.kind, func.count()).where(DriftRow.reading_id.in_(latest), *more).group_by(DriftRow.kind),
    )
    found = {Drift(kind): number for kind, number in rows}
    return {kind: found[kind] for kind in Drift if kind in found}


def _row(reading_id: int, found: Found) -> DriftRow:
    finding, subject = found.finding, found.subject
    return DriftRow(
        reading_id=reading_id,
        kind=finding.drift,
        subject_kind=subject.kind if subject else None,
        subject_key=subject.key if subject else None,
        person_id=subject.person_id if subject else None,
        noun=finding.noun,
        address=finding.target,
        mailbox=finding.mailbox,
        field=finding.field,
        wanted=_json(finding.wanted),
        found=_json(finding.found),
        written=_json(finding.written),
        action=finding.action,
        job_id=found.job_id,
        note=found.note,
    )


def _values(row: AddressRow) -> dict[str, FieldValue]:
    return {name: _value(value) for name, value in (row.written or {}).items()}


def _json(value: FieldValue) -> object:
    return list(value) if isinstance(value, tuple) else value


def _value(kept: FieldValue | list[str]) -> FieldValue:
    return tuple(kept) if isinstance(kept, list) else kept
