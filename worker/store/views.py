"""What the policy is shown: views of people and shared addresses, put together from records, ledger and memberships."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from worker.mail import Address
from worker.policy.view import PersonView, SharedView
from worker.roster import profile
from worker.store import addresses, lines, people
from worker.store.addresses import Role


def person_view(session: Session, person_id: int, precedence: Mapping[str, int]) -> PersonView:
    """Return a person as the roster reads them and as the ledger holds them."""
    rows = addresses.of_person(session, person_id)
    primary = next((row for row in rows if row.role == Role.PRIMARY), None)
    aliases = frozenset(Address(row.address) for row in rows if row.role == Role.ALIAS)
    known = profile(people.load(session, person_id), precedence)
    return PersonView(
        profile=known,
        address=Address(primary.address) if primary else None,
        identities=frozenset(Address(row.address) for row in rows if row.role == Role.IDENTITY),
        aliases=aliases,
        received=frozenset(Address(row.address) for row in rows if row.job_id is not None),
        redirected=frozenset(Address(row.address) for row in rows if row.alias_to) - aliases,
        mailbox_exists=primary is not None and primary.exists_since is not None,
        blocked_at=primary.blocked_at if primary else None,
        manager=lines.manager_of(session, known.manager, but=person_id),
    )


def shared_view(session: Session, address: Address) -> SharedView:
    """Return a shared address with the mailboxes of its members that exist."""
    return SharedView(address=address, members=addresses.existing_members(session, address))
