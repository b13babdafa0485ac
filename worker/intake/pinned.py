"""A stated work address that cannot be given now, for which there is no second choice: why, and when it can."""

from dataclasses import dataclass
from datetime import datetime

from worker.mail import Address
from worker.policy import NoUsableName, PersonView, Policy, UnknownDomain, pinned_address
from worker.store import addresses
from worker.store.addresses import Role
from worker.store.database import Session


@dataclass(frozen=True, slots=True)
class Barred:
    """Why a person waits for the address that is stated of them."""

    why: str
    until: datetime | None
    """When it is free by time alone."""


def barred(session: Session, view: PersonView, policy: Policy, now: datetime) -> Barred | None:
    """Return what bars a stated address that a person does not hold; None where none is stated or nothing bars it.

    What is foreign at the host is told of elsewhere.
    """
    try:
        pinned = pinned_address(view.profile.facts, policy)
    except (NoUsableName, UnknownDomain):
        return None
    if pinned is None or pinned in view.held:
        return None
    holder = addresses.held(session, pinned)
    if holder is not None and holder.role != Role.FOREIGN:
        return Barred(held_by_another(pinned, Role(holder.role)), None)
    until = addresses.quarantined_until(session, pinned, int(view.profile.key), policy.naming.reuse_after.length, now)
    if until is None:
        return None
    return Barred(barred_until(pinned, until), until)


def held_by_another(address: Address, role: Role) -> str:
    """Say of a stated work address that it is not free."""
    return f"{address} is held by somebody else ({role}): state another workEmail"


def barred_until(address: Address, until: datetime) -> str:
    """Say of an address that somebody else had it too lately."""
    return f"{address} was somebody else's and is barred until {until:%Y-%m-%d %H:%M} UTC"
