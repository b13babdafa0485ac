"""Recognising a person's further addresses: they stand at the host as they should, and the ledger does not know it.

That is so after a backup was put back, or where somebody was quicker. An identity in their own mailbox, and an alias
that leads just where theirs must, at an address that would be theirs, are ours from then on: none is made twice.
"""

from collections.abc import Sequence
from dataclasses import replace

from worker.execution.perform import Run
from worker.execution.recognise import PassedOver
from worker.execution.sight import Sight
from worker.mail import Address
from worker.planning.observed import ObservedPerson
from worker.policy import NoMailbox, PersonState, PersonView, WantedMailbox
from worker.store import addresses
from worker.store.addresses import Provenance, Role
from worker.store.database import Session
from worker.store.tables import AddressRow


def recognise_further(
    session: Session, run: Run, view: PersonView, sight: Sight, better: PassedOver, rows: Sequence[AddressRow]
) -> PersonView:
    """Enter what stands of what was promised to a person, or of what would have been; return what they hold then.

    ``rows``: what they held until now. Where they hold other addresses than before, the view is another one.
    """
    for row in rows:
        if row.role not in (Role.IDENTITY, Role.ALIAS) or row.exists_since is not None or row.alias_to:
            continue
        if _stands(row, Address(row.address), view, sight):
            _enter(row, view, run)
        elif found := [each for each in better.get(Address(row.address), ()) if _stands(row, each, view, sight)]:
            view = _take_instead(session, run, view, row, found[0])
    session.flush()
    return view


def recognise_handed_over(
    session: Session, person_id: int, state: PersonState, observed: ObservedPerson
) -> ObservedPerson:
    """Enter the aliases that stand at a person's addresses and lead just where they are wanted to."""
    match state:
        case NoMailbox(aliases=wanted, to=to):
            pass
        case WantedMailbox(aliases=wanted, address=to):
            pass
        case _:
            return observed
    unknown = wanted - observed.our_aliases
    found = {each.address for each in observed.aliases if each.address in unknown and each.destinations == {to}}
    if not found or to is None:
        return observed
    for row in addresses.of_person(session, person_id):
        if row.address in found:
            row.alias_to = to
    return replace(observed, our_aliases=observed.our_aliases | found)


def _stands(row: AddressRow, address: Address, view: PersonView, sight: Sight) -> bool:
    if row.role == Role.IDENTITY:
        return sight.mailbox is not None and address in {each.address for each in sight.mailbox.identities}
    alias = sight.aliases.get(address)
    return alias is not None and alias.destinations == {view.address}


def _enter(row: AddressRow, view: PersonView, run: Run) -> None:
    row.provenance, row.job_id, row.exists_since = Provenance.CREATED, run.lease.job_id, run.now
    row.alias_to = view.address if row.role == Role.ALIAS else None


def _take_instead(session: Session, run: Run, view: PersonView, promised: AddressRow, found: Address) -> PersonView:
    """Have a person hold what stands, and give up what was promised to them in its stead."""
    standing = addresses.held(session, found)
    if standing is None or standing.role != Role.FOREIGN:
        return view
    promised.held_to = run.now
    standing.role, standing.person_id = promised.role, promised.person_id
    _enter(standing, view, run)
    gone, come = {Address(promised.address)}, {found}
    if promised.role == Role.ALIAS:
        return replace(view, aliases=view.aliases - gone | come)
    return replace(view, identities=view.identities - gone | come)
