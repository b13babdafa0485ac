"""Queries for adoption: taking what exists at the host into the ledger as ours, and giving it back."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from worker.mail import Address, SharedKey, domain_of
from worker.store import addresses
from worker.store.addresses import OURS, Provenance, Role
from worker.store.states import UNSETTLED, StepState
from worker.store.tables import AddressRow, JobRow, MembershipRow, PersonRow, StepRow


class HeldByOthers(RuntimeError):
    """An address that was to be adopted is held by somebody for whom it was made or adopted."""


@dataclass(frozen=True, slots=True)
class Taking:
    """A mailbox that becomes a person's, with what belongs to it."""

    person_id: int
    mailbox: Address
    identities: frozenset[Address]
    instead_of: Address | None
    """What the policy would have given to the name that the person has now."""


def held_in(session: Session, domains: Iterable[str]) -> dict[Address, AddressRow]:
    """Return who holds what in some domains now."""
    rows = session.scalars(
        select(AddressRow).where(AddressRow.domain.in_(sorted(domains)), AddressRow.held_to.is_(None))
    )
    return {Address(row.address): row for row in rows}


def lock_everybody(session: Session) -> None:
    """Lock all people, in the order of their ids, so that nobody is evaluated until the transaction ends."""
    session.execute(select(PersonRow.id).order_by(PersonRow.id).with_for_update())


def take_mailbox(session: Session, taking: Taking, job_id: int, now: datetime) -> AddressRow:
    """Enter a mailbox and its identities as adopted for a person.

    A promise of the address to anybody else ends: the mailbox that exists was never theirs. An identity that is ours
    for somebody already stays theirs. Raises HeldByOthers where the mailbox itself is.
    """
    primary = _take(session, taking.mailbox, Role.PRIMARY, taking.person_id, job_id, now)
    if primary is None:
        raise HeldByOthers(f"{taking.mailbox} is held already")
    primary.instead_of = taking.instead_of
    for identity in sorted(taking.identities - {taking.mailbox}):
        _take(session, identity, Role.IDENTITY, taking.person_id, job_id, now)
    session.flush()
    return primary


def give_up_promises(session: Session, taking: Taking, now: datetime) -> None:
    """Free what was promised to a person, never made, and is not part of the mailbox that they turn out to have."""
    for row in addresses.of_person(session, taking.person_id):
        if is_given_up(row, taking.identities | {taking.mailbox}):
            row.held_to = now
    session.flush()


def is_given_up(row: AddressRow, taken: Collection[Address]) -> bool:
    """Tell whether what was promised to a person goes when they get these addresses."""
    return row.exists_since is None and row.alias_to is None and row.address not in taken


def take_alias(session: Session, address: Address, job_id: int, now: datetime) -> AddressRow:
    """Enter an alias as adopted for the policy's group of this address. Raises HeldByOthers."""
    row = _take(session, address, Role.SHARED, None, job_id, now)
    if row is None:
        raise HeldByOthers(f"{address} is held already")
    return row


def give_back(session: Session, row: AddressRow, now: datetime) -> None:
    """End an adoption: the mailbox with the identities that came with it, or the alias, is foreign again."""
    rows = [row]
    if row.role == Role.PRIMARY and row.person_id is not None:
        rows += [
            each
            for each in addresses.of_person(session, row.person_id)
            if each.role == Role.IDENTITY and each.provenance == Provenance.ADOPTED
        ]
    for each in rows:
        each.job_id = None  # nothing was ever done with it, so there is no quarantine for whoever comes next
        addresses.give_up(session, each, now)


def changed_since(session: Session, row: AddressRow) -> bool:
    """Tell whether a call since the adoption changed, or may have changed, what was adopted."""
    subject = JobRow.person_id == row.person_id if row.person_id is not None else JobRow.subject_key == row.address
    sent = (
        select(StepRow.id)
        .join(JobRow, JobRow.id == StepRow.job_id)
        .where(
            subject,
            StepRow.state.in_((StepState.CONFIRMED, *UNSETTLED)),
            StepRow.intended_at >= row.held_from,
            or_(StepRow.target == row.address, StepRow.mailbox == row.address),
        )
        .limit(1)
    )
    return session.scalar(sent) is not None


def set_memberships(
    session: Session, wanted: Mapping[int, frozenset[SharedKey]], now: datetime
) -> frozenset[SharedKey]:
    """Make everybody's memberships these, and return the shared addresses whose members changed."""
    known: dict[int, set[str]] = defaultdict(set)
    for row in session.scalars(select(MembershipRow)):
        known[row.person_id].add(row.address)
    changed: set[SharedKey] = set()
    for person_id, groups in sorted(wanted.items()):
        lost, gained = known[person_id] - groups, groups - known[person_id]
        session.add_all(MembershipRow(person_id=person_id, address=each, since=now) for each in sorted(gained))
        if lost:
            theirs = MembershipRow.person_id == person_id
            session.execute(delete(MembershipRow).where(theirs, MembershipRow.address.in_(sorted(lost))))
        changed.update(gained | lost)
    session.flush()
    return frozenset(changed)


def _take(
    session: Session, address: Address, role: Role, person_id: int | None, job_id: int, now: datetime
) -> AddressRow | None:
    held = session.scalar(
        select(AddressRow).where(AddressRow.address == address, AddressRow.held_to.is_(None)).with_for_update()
    )
    if held is not None and held.provenance in OURS:
        return None
    if held is not None and held.provenance == Provenance.RESERVED and held.person_id != person_id:
        held.held_to, held = now, None
        session.flush()
    row = held or AddressRow(address=address, domain=domain_of(address))
    row.role, row.provenance, row.person_id = role, Provenance.ADOPTED, person_id
    row.job_id, row.held_from, row.exists_since = job_id, now, now
    row.written = row.blocked_at = row.former_fields = row.forwards_to = row.alias_to = row.instead_of = None
    row.withdrawn_at = None  # whoever takes it over wants it, also where it was to go before it was made
    session.add(row)
    session.flush()
    return row
