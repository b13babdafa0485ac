"""Queries over the address ledger."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from worker.mail import Address, SharedKey, bare, domain_of, is_rewrite
from worker.store import erased
from worker.store.spelled import is_in
from worker.store.tables import AddressRow


class Role(StrEnum):
    """What an address is held as."""

    PRIMARY = "primary"
    IDENTITY = "identity"
    ALIAS = "alias"
    """A person's own, which names their mailbox."""
    SHARED = "shared"
    REWRITE = "rewrite"
    """No address, and entered by its key: of a rewrite, too, must be known whether and by which job it became ours, and
    no two may hold one name."""
    FOREIGN = "foreign"


SHARED_ROLES = (Role.SHARED, Role.REWRITE)


class Provenance(StrEnum):
    """How we came by the object behind an address. Only what is created or adopted may be changed."""

    RESERVED = "reserved"
    """Promised to somebody; nothing was made yet."""
    CREATED = "created"
    ADOPTED = "adopted"
    FOREIGN = "foreign"


OURS = (Provenance.CREATED, Provenance.ADOPTED)


@dataclass(frozen=True, slots=True)
class Reservation:
    """Who wants an address, and since when it may have been free to have it."""

    person_id: int | None
    role: Role
    reuse_after: timedelta
    """How long a released address stays closed to everybody but its former holder."""
    stop_at_foreign: bool = False
    """An address that exists at the host and is not ours ends the search: it may be this very person's."""


# What is asked at each job is put together once: that takes longer than to ask it.
_HELD = select(AddressRow).where(AddressRow.address == bindparam("held"), AddressRow.held_to.is_(None))
_HELD_BY = select(AddressRow).where(AddressRow.person_id == bindparam("holder"), AddressRow.held_to.is_(None))
_HELD_BY = _HELD_BY.order_by(AddressRow.id)


def is_ours(row: AddressRow | None) -> bool:
    """Tell whether the object behind an address is there by our doing, so that we may change it."""
    return row is not None and row.provenance in OURS


def held(session: Session, address: SharedKey) -> AddressRow | None:
    """Return who holds an address, or the key of a rewrite, now."""
    return session.scalar(_HELD, {"held": address})


def of_person(session: Session, person_id: int) -> list[AddressRow]:
    """Return the addresses a person holds now, the primary one first."""
    return sorted(session.scalars(_HELD_BY, {"holder": person_id}), key=lambda row: row.role != Role.PRIMARY)


def former_primaries(session: Session, person_id: int) -> list[Address]:
    """Return the primary addresses that were made for a person and given up since, the newest first."""
    rows = session.scalars(
        select(AddressRow.address)
        .where(
            AddressRow.person_id == person_id,
            AddressRow.role == Role.PRIMARY,
            AddressRow.held_to.is_not(None),
            AddressRow.job_id.is_not(None),
        )
        .order_by(AddressRow.held_to.desc(), AddressRow.id.desc()),
    )
    return [Address(row) for row in rows]


def of_people(session: Session, person_ids: Sequence[int]) -> Mapping[int, list[AddressRow]]:
    """Return the addresses that each of these people holds now, the primary one first, in one query."""
    rows = session.scalars(
        select(AddressRow)
        .where(AddressRow.person_id.in_(person_ids), AddressRow.held_to.is_(None))
        .order_by(AddressRow.id),
    )
    found: dict[int, list[AddressRow]] = {person_id: [] for person_id in person_ids}
    for row in sorted(rows, key=lambda row: row.role != Role.PRIMARY):
        assert row.person_id is not None, "that is how they were asked for"
        found[row.person_id].append(row)
    return found


def held_among(session: Session, wanted: Iterable[Address], *, lock: bool = False) -> Mapping[Address, AddressRow]:
    """Return who holds these addresses now, by address; what nobody holds is not in it. Locked in their order."""
    rows = select(AddressRow).where(AddressRow.address.in_(sorted(wanted)), AddressRow.held_to.is_(None))
    found = session.scalars(rows.order_by(AddressRow.address).with_for_update() if lock else rows)
    return {Address(row.address): row for row in found}


def keys_held(session: Session, wanted: Iterable[SharedKey], *, lock: bool = False) -> Mapping[SharedKey, AddressRow]:
    """Return who holds these addresses and names of rewrites now, as ``held_among`` does."""
    return {str(key): row for key, row in held_among(session, map(Address, wanted), lock=lock).items()}


def holders(session: Session, domain: str, *, after: int, limit: int) -> list[int]:
    """Return people who hold the address of a mailbox in a domain, in the order of their ids, from behind ``after``."""
    return list(
        session.scalars(
            select(AddressRow.person_id)
            .where(
                AddressRow.domain == domain,
                AddressRow.role == Role.PRIMARY,
                AddressRow.held_to.is_(None),
                AddressRow.person_id > after,
            )
            .order_by(AddressRow.person_id)
            .limit(limit),
        ),
    )


def primaries(session: Session, person_ids: Sequence[int]) -> Mapping[int, str]:
    """Return the primary addresses that these people hold now, by person; whoever holds none is not in it."""
    rows = session.execute(
        select(AddressRow.person_id, AddressRow.address).where(
            AddressRow.person_id.in_(person_ids),
            AddressRow.role == Role.PRIMARY,
            AddressRow.held_to.is_(None),
        ),
    )
    return {person_id: address for person_id, address in rows if person_id is not None}


def history_of_person(session: Session, person_id: int) -> list[AddressRow]:
    """Return every address a person holds or held."""
    return list(session.scalars(select(AddressRow).where(AddressRow.person_id == person_id).order_by(AddressRow.id)))


def at_host(session: Session, person_id: int) -> list[AddressRow]:
    """Return the addresses of a person that exist at the mail host, as far as we know, the mailbox first."""
    return [row for row in of_person(session, person_id) if row.exists_since is not None]


def reserve_first_free(
    session: Session,
    candidates: Iterator[Address],
    reservation: Reservation,
    now: datetime,
) -> Address | None:
    """Reserve the first candidate that is neither held nor in quarantine; None if none is left, or at a foreign one.

    Decided once: the unique index on held addresses makes two transactions that want the same one agree.
    """
    for candidate in candidates:
        if quarantined_until(session, candidate, reservation.person_id, reservation.reuse_after, now):
            continue
        if _insert(session, candidate, reservation.role, Provenance.RESERVED, reservation.person_id, now):
            return candidate
        if reservation.stop_at_foreign and _is_foreign(held(session, candidate)):
            return None
    return None


def first_foreign(
    session: Session, candidates: Iterator[Address], person_id: int, reuse_after: timedelta, now: datetime
) -> Address | None:
    """Return the first candidate that exists at the host and is not ours, unless a free one comes before it.

    One in quarantine is neither, as for ``reserve_first_free``, whose search this explains.
    """
    for candidate in candidates:
        row = held(session, candidate)
        if row is not None and not _is_foreign(row):
            continue
        if not quarantined_until(session, candidate, person_id, reuse_after, now):
            return candidate if row else None
    return None


def claim_foreign(session: Session, address: Address, person_id: int) -> Address | None:
    """Reserve an address that exists at the host for the person it is to be adopted for; None if it is not foreign."""
    row = session.scalar(
        select(AddressRow).where(AddressRow.address == address, AddressRow.held_to.is_(None)).with_for_update(),
    )
    if row is None or not _is_foreign(row):
        return None
    row.role, row.provenance, row.person_id = Role.PRIMARY, Provenance.RESERVED, person_id
    session.flush()
    return address


def reserve_shared(session: Session, key: SharedKey, now: datetime) -> AddressRow:
    """Reserve a shared address or the name of a rewrite for us unless somebody holds it, and return who holds it."""
    while True:
        _insert(session, key, Role.REWRITE if is_rewrite(key) else Role.SHARED, Provenance.RESERVED, None, now)
        holder = held(session, key)
        if holder is not None:  # else it was given up between the two statements, so there is room
            return holder


def note_foreign(session: Session, addresses: Iterable[Address], now: datetime) -> int:
    """Enter addresses that exist at the host and that nobody of ours holds. Returns how many were new. Idempotent."""
    return sum(_insert(session, found, Role.FOREIGN, Provenance.FOREIGN, None, now) for found in sorted(addresses))


def first_known_at(session: Session, domain: str) -> datetime | None:
    """Return when anything in a domain was entered first that needed its list: what is foreign and older was there."""
    known = AddressRow.role.not_in(SHARED_ROLES), AddressRow.domain == domain
    return session.scalar(select(AddressRow.held_from).where(*known).order_by(AddressRow.id).limit(1))


def forget_foreign(session: Session, domain: str, found: frozenset[Address], now: datetime) -> None:
    """Free the foreign addresses of a domain that were not found at the host any more."""
    known = select(AddressRow).where(
        AddressRow.domain == domain,
        AddressRow.role == Role.FOREIGN,
        AddressRow.held_to.is_(None),
    )
    for row in session.scalars(known):
        if row.address not in found:
            row.held_to = now
    session.flush()


def give_up(session: Session, row: AddressRow, now: datetime) -> None:
    """End a reservation whose address turned out to be somebody else's, and note the foreign holder."""
    row.held_to = now
    session.flush()
    _insert(session, Address(row.address), Role.FOREIGN, Provenance.FOREIGN, None, now)


def release(session: Session, row: AddressRow, now: datetime) -> None:
    """End a reservation whose address is not wanted any more; if it ever received mail its quarantine begins."""
    row.held_to = now
    session.flush()


def withdraw(session: Session, person_id: int, ids: Collection[int], now: datetime) -> None:
    """Have these entries of a person's further addresses go: the name behind them was taken back."""
    for row in of_person(session, person_id):
        if row.role in (Role.IDENTITY, Role.ALIAS) and row.id in ids and row.withdrawn_at is None:
            row.withdrawn_at = now
    session.flush()


def withdrawn(session: Session, person_id: int) -> list[AddressRow]:
    """Return the addresses of a person that are to go."""
    return [row for row in of_person(session, person_id) if row.withdrawn_at is not None]


def drop_withdrawn(session: Session, person_id: int, found: Iterable[Address], now: datetime) -> None:
    """Give up the addresses that were to go and are not at the host: they are gone, or were never made."""
    shown = frozenset(found)
    for row in withdrawn(session, person_id):
        if row.address not in shown:
            row.held_to, row.exists_since = now, None
    session.flush()


def population(session: Session) -> int:
    """Return how many mailboxes of people exist: what brakes take their share of."""
    return (
        session.scalar(
            select(func.count()).where(
                is_in(AddressRow.role, Role.PRIMARY),
                AddressRow.exists_since.is_not(None),
                AddressRow.held_to.is_(None),
            ),
        )
        or 0
    )


def _is_foreign(row: AddressRow | None) -> bool:
    return row is not None and row.role == Role.FOREIGN


def quarantined_until(
    session: Session, address: Address, person_id: int | None, reuse_after: timedelta, now: datetime
) -> datetime | None:
    """Return until when an address is barred for a person because it was somebody else's; None if it is not."""
    released_at = session.scalar(
        select(func.max(AddressRow.held_to)).where(
            AddressRow.address == address,
            AddressRow.held_to > now - reuse_after,
            AddressRow.person_id.is_not(None),
            AddressRow.person_id != person_id,
            AddressRow.job_id.is_not(None),  # a reservation that never became a mailbox received no mail
        ),
    )
    by_an_erased = erased.released_at(session, address)  # who cannot be told from others any more
    last = max((at for at in (released_at, by_an_erased) if at is not None), default=None)
    return None if last is None or last <= now - reuse_after else last + reuse_after


def _insert(
    session: Session,
    address: SharedKey,
    role: Role,
    provenance: Provenance,
    person_id: int | None,
    now: datetime,
) -> bool:
    row = {
        "address": address,
        "domain": domain_of(bare(address)),
        "role": role,
        "provenance": provenance,
        "person_id": person_id,
        "held_from": now,
        "exists_since": now if provenance is Provenance.FOREIGN else None,
    }
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    statement = dialect.insert(AddressRow).values(row).on_conflict_do_nothing().returning(AddressRow.id)
    return session.scalar(statement) is not None
