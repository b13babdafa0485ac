"""Queries over memberships: who belongs to which shared address or rewrite, as last evaluated."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache

from sqlalchemy import Select, bindparam, delete, select
from sqlalchemy.orm import Session

from worker.mail import Address, SharedKey
from worker.store.addresses import Role
from worker.store.exclusion import one_at_a_time
from worker.store.states import JobState
from worker.store.tables import AddressRow, JobRow, MembershipRow

_AT_HOST = (AddressRow.role == Role.PRIMARY, AddressRow.held_to.is_(None), AddressRow.exists_since.is_not(None))
"""Of an address: that it is a mailbox's own, and that the mailbox exists."""
_OF_PERSON = select(MembershipRow.address).where(MembershipRow.person_id == bindparam("member"))


def of_person(session: Session, person_id: int) -> frozenset[SharedKey]:
    """Return the keys of the shared addresses and rewrites a person belongs to, as last evaluated."""
    return frozenset(session.scalars(_OF_PERSON, {"member": person_id}))


def of_people(session: Session, person_ids: Sequence[int]) -> Mapping[int, frozenset[SharedKey]]:
    """Return the keys of what each of these people belongs to, as last evaluated, in one query."""
    found: dict[int, set[SharedKey]] = {each: set() for each in person_ids}
    rows = session.execute(
        select(MembershipRow.person_id, MembershipRow.address).where(MembershipRow.person_id.in_(person_ids)),
    )
    for person_id, shared in rows:
        found[person_id].add(shared)
    return {person_id: frozenset(shared) for person_id, shared in found.items()}


def replace(session: Session, person_id: int, wanted: frozenset[SharedKey], now: datetime) -> frozenset[SharedKey]:
    """Make a person's memberships these, and return the keys of those whose members changed."""
    known = of_person(session, person_id)
    for gained in sorted(wanted - known):
        session.add(MembershipRow(person_id=person_id, address=gained, since=now))
    lost = known - wanted
    if lost:
        session.execute(
            delete(MembershipRow).where(MembershipRow.person_id == person_id, MembershipRow.address.in_(sorted(lost))),
        )
    session.flush()
    return known ^ wanted


def lock(session: Session, shared: Collection[SharedKey]) -> None:
    """Let one at a time say that a member of these has a mailbox: so the last transaction sees that it is the last."""
    one_at_a_time(session, [f"members.{each}" for each in shared])


def members_at_host(session: Session, shared: Sequence[SharedKey]) -> Mapping[SharedKey, frozenset[Address]]:
    """Return the members' own mailbox addresses that exist at the host, by shared address, in one query.

    Aliases always name these (`design.md` 3).
    """
    rows = session.execute(
        select(MembershipRow.address, AddressRow.address)
        .join(AddressRow, MembershipRow.person_id == AddressRow.person_id)
        .where(MembershipRow.address.in_(shared), *_AT_HOST),
    )
    members: dict[SharedKey, set[Address]] = {each: set() for each in shared}
    for of, member in rows:
        members[of].add(Address(member))
    return {of: frozenset(found) for of, found in members.items()}


def of_mailboxes(session: Session, mailboxes: Collection[Address]) -> Mapping[SharedKey, frozenset[Address]]:
    """Return what the holders of these mailboxes belong to, of those that exist, with the mailboxes, in one query."""
    rows = session.execute(
        select(MembershipRow.address, AddressRow.address)
        .join(AddressRow, MembershipRow.person_id == AddressRow.person_id)
        .where(AddressRow.address.in_(sorted(mailboxes)), *_AT_HOST),
    )
    found: dict[SharedKey, set[Address]] = defaultdict(set)
    for key, mailbox in rows:
        found[key].add(Address(mailbox))
    return {key: frozenset(each) for key, each in found.items()}


def creations_under_way(
    session: Session,
    shared: SharedKey,
    *,
    since: datetime,
    but_person: int | None = None,
) -> bool:
    """Tell whether a member's mailbox is about to be made: none yet, and a job younger than that which needs nobody."""
    told = {"shared": shared, "since": since, "but_person": but_person or 0}
    return session.scalar(_creations_under_way(), told) is not None


@cache
def _creations_under_way() -> Select[int]:
    exists = select(AddressRow.id).where(AddressRow.person_id == MembershipRow.person_id, *_AT_HOST).exists()
    return (
        select(MembershipRow.person_id)
        .join(JobRow, JobRow.person_id == MembershipRow.person_id)
        .where(
            MembershipRow.address == bindparam("shared"),
            JobRow.state.in_((JobState.QUEUED, JobState.RUNNING, JobState.WAITING)),
            JobRow.created_at > bindparam("since"),
            JobRow.person_id != bindparam("but_person"),
            ~exists,
        )
        .limit(1)
    )
