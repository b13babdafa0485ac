"""Who was erased: keyed hashes, by which what comes late is recognised, and an address stays barred.

Each is the HMAC-SHA256 of a record's (source, subject), an employee number or an address, under a key that is made once
and kept in this database. That is enough for what it is for: nobody reads a name out of the tables, tables of hashes
made elsewhere find nothing, and hashes shown or copied without the key tell nothing. It does not hide from somebody who
has the whole database, and so the key, whether a name they think of was here; that cannot be had, because Mailroster
itself must be able to recognise it.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from worker.mail import Address
from worker.store.tables import ErasedRow, ErasureKeyRow

Trace = tuple[str, ...]
"""What is hashed: the kind of thing, and what names it."""


def of_record(source: str, subject: str) -> Trace:
    """Return the trace of a record."""
    return "record", source, subject


def of_number(employee_number: str) -> Trace:
    """Return the trace of an employee number."""
    return "employeeNumber", employee_number


def of_address(address: str) -> Trace:
    """Return the trace of an address."""
    return "address", address


def hashed(session: Session, trace: Trace) -> str:
    """Return the keyed hash of a trace; the key is made if there is none yet."""
    return _hash(_key(session) or _new_key(session), trace)


def remember(session: Session, trace: Trace, until: datetime, released_at: datetime | None = None) -> None:
    """Keep a trace of somebody who is erased; of one that is kept already, the later instants."""
    row = session.get(ErasedRow, hashed(session, trace))
    if row is None:
        row = ErasedRow(hash=hashed(session, trace), until=until)
        session.add(row)
    row.until = max(row.until, until)
    row.released_at = max((at for at in (row.released_at, released_at) if at), default=None)
    session.flush()


def until(session: Session, traces: Iterable[Trace]) -> datetime | None:
    """Return until when what has one of these traces is about somebody who was erased; None if it never is."""
    key = _key(session)
    if key is None:  # nobody was ever erased
        return None
    return session.scalar(select(func.max(ErasedRow.until)).where(ErasedRow.hash.in_([_hash(key, t) for t in traces])))


def records_until(session: Session, source: str, subjects: Iterable[str]) -> Mapping[str, datetime]:
    """Return the same for each record of a source whose person was erased."""
    key = _key(session)
    if key is None:
        return {}
    hashes = {_hash(key, of_record(source, subject)): subject for subject in subjects}
    found = session.execute(select(ErasedRow.hash, ErasedRow.until).where(ErasedRow.hash.in_(hashes)))
    return {hashes[hashed_]: at for hashed_, at in found}


def released_at(session: Session, address: Address) -> datetime | None:
    """Return when an address was given up that somebody had who was erased since."""
    key = _key(session)
    if key is None:
        return None
    return session.scalar(select(ErasedRow.released_at).where(ErasedRow.hash == _hash(key, of_address(address))))


def releases(session: Session) -> Callable[[Address], datetime | None]:
    """Return what answers as ``released_at`` does, for many addresses, with all that is kept read once."""
    key = _key(session)
    if key is None:
        return lambda _: None
    kept = select(ErasedRow.hash, ErasedRow.released_at).where(ErasedRow.released_at.is_not(None))
    known = {hashed_: at for hashed_, at in session.execute(kept)}  # noqa: C416 - a Row is no tuple to mypy
    return lambda address: known.get(_hash(key, of_address(address)))


def _hash(key: str, trace: Trace) -> str:
    return hmac.new(bytes.fromhex(key), "\0".join(trace).encode(), hashlib.sha256).hexdigest()


def _key(session: Session) -> str | None:
    return session.scalar(select(ErasureKeyRow.key).where(ErasureKeyRow.id == 1))


def _new_key(session: Session) -> str:
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    fresh = {"id": 1, "key": secrets.token_hex(32)}
    session.execute(dialect.insert(ErasureKeyRow).values(fresh).on_conflict_do_nothing())
    return session.scalars(select(ErasureKeyRow.key).where(ErasureKeyRow.id == 1)).one()
