"""What the policy is shown: views of people and shared addresses, put together from records, ledger and memberships."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from worker.mail import Address
from worker.policy.view import Manager, PersonView, SharedView
from worker.roster import Person, Profile, Record, profile
from worker.roster.document import from_document
from worker.store import addresses, lines, people
from worker.store.addresses import Provenance, Role
from worker.store.tables import AddressRow, PersonRow, RecordRow


def person_view(session: Session, person_id: int, precedence: Mapping[str, int]) -> PersonView:
    """Return a person as the roster reads them and as the ledger holds them."""
    rows = addresses.of_person(session, person_id)
    known = profile(people.load(session, person_id), precedence)
    return _view(known, rows, lines.manager_of(session, known.manager, but=person_id))


def everybody(session: Session, precedence: Mapping[str, int]) -> list[PersonView]:
    """Return the views of all people, in the order of their ids, with three queries however many there are.

    Who stands in for them is left out.
    """
    records: dict[int, list[Record]] = defaultdict(list)
    for row in session.scalars(select(RecordRow).where(RecordRow.person_id.is_not(None))):
        records[row.person_id or 0].append(from_document(row.source, row.subject, row.document))
    held: dict[int, list[AddressRow]] = defaultdict(list)
    ours = select(AddressRow).where(AddressRow.person_id.is_not(None), AddressRow.held_to.is_(None))
    for address in session.scalars(ours.order_by(AddressRow.id)):
        held[address.person_id or 0].append(address)
    ids = session.scalars(select(PersonRow.id).order_by(PersonRow.id)).all()
    return [_view(profile(Person(str(id_), tuple(records[id_])), precedence), held[id_]) for id_ in ids]


def _further(rows: Sequence[AddressRow], role: Role) -> Iterator[Address]:
    return (Address(row.address) for row in rows if row.role == role and row.withdrawn_at is None)


def shared_view(session: Session, address: Address) -> SharedView:
    """Return a shared address with the mailboxes of its members that exist."""
    return SharedView(address=address, members=addresses.existing_members(session, address))


def _view(read: Profile, rows: Sequence[AddressRow], manager: Manager | None = None) -> PersonView:
    primary = next((row for row in rows if row.role == Role.PRIMARY), None)
    aliases = frozenset(_further(rows, Role.ALIAS))
    return PersonView(
        profile=read,
        address=Address(primary.address) if primary else None,
        identities=frozenset(_further(rows, Role.IDENTITY)),
        aliases=aliases,
        withdrawn=frozenset(Address(row.address) for row in rows if row.withdrawn_at is not None),
        received=frozenset(Address(row.address) for row in rows if row.job_id is not None and not row.withdrawn_at),
        redirected=frozenset(Address(row.address) for row in rows if row.alias_to) - aliases,
        adopted=frozenset(
            Address(row.address) for row in rows if row.role == Role.IDENTITY and row.provenance == Provenance.ADOPTED
        ),
        instead_of=Address(primary.instead_of) if primary and primary.instead_of else None,
        mailbox_exists=primary is not None and primary.exists_since is not None,
        blocked_at=primary.blocked_at if primary else None,
        manager=manager,
    )
