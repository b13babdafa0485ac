"""What the policy is shown of people: their views, put together from records and ledger."""

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy.orm import Session

from worker.mail import Address
from worker.policy.view import Manager, PersonView
from worker.roster import Profile, profile
from worker.store import addresses, lines, people
from worker.store.addresses import Provenance, Role
from worker.store.tables import AddressRow

_PAGE = 500


def person_view(session: Session, person_id: int, precedence: Mapping[str, int]) -> PersonView:
    """Return a person as the roster reads them and as the ledger holds them."""
    return view_of_holder(session, person_id, addresses.of_person(session, person_id), precedence)


def view_of_holder(
    session: Session, person_id: int, held: Sequence[AddressRow], precedence: Mapping[str, int]
) -> PersonView:
    """Return a person as the roster reads them, with the addresses that they were found to hold."""
    stated = profile(people.load(session, person_id), precedence)
    return _view(stated, held, lines.managers_of(session, {person_id: stated.manager})[person_id])


def person_views(
    session: Session, person_ids: Sequence[int], precedence: Mapping[str, int]
) -> Mapping[int, PersonView]:
    """Return the views of many people, in as many queries as for one."""
    held = addresses.of_people(session, person_ids)
    known = {each: profile(person, precedence) for each, person in people.load_many(session, person_ids).items()}
    managers = lines.managers_of(session, {each: known[each].manager for each in person_ids})
    return {each: _view(known[each], held[each], managers[each]) for each in person_ids}


def everybody(session: Session, precedence: Mapping[str, int]) -> Iterator[PersonView]:
    """Yield the views of all people in the order of their ids, read page by page."""
    after = 0
    while page := [row.id for row in people.page(session, after=after, limit=_PAGE)]:
        yield from person_views(session, page, precedence).values()
        after = page[-1]


def _view(stated: Profile, rows: Sequence[AddressRow], manager: Manager | None) -> PersonView:
    primary = next((row for row in rows if row.role == Role.PRIMARY), None)
    aliases = frozenset(_further(rows, Role.ALIAS))
    return PersonView(
        profile=stated,
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


def _further(rows: Sequence[AddressRow], role: Role) -> Iterator[Address]:
    return (Address(row.address) for row in rows if row.role == role and row.withdrawn_at is None)
