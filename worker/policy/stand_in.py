"""Standing in: who takes over for a person who is gone, and at which address a person can take over for others."""

from worker.mail import Address
from worker.policy.document import Policy
from worker.policy.state import Access, DesiredPerson, WantedMailbox
from worker.policy.view import PersonView

NOBODY_STANDS_IN = (
    "nobody can take over: state a manager who works here and has a mailbox, or set leaving.fallback in the policy"
)
"""Holds what needs somebody to stand in, where there is nobody."""

_WORKS_HERE = ("active", "leaving")


def stand_in(view: PersonView, policy: Policy) -> Address | None:
    """Return who takes over for a person now: the manager who stands in, else the policy's fallback.

    None where neither can, or where the fallback is an address of the very person.
    """
    if view.manager is not None:
        return view.manager.address
    if policy.leaving.fallback is None:
        return None
    fallback = policy.address_of(policy.leaving.fallback)
    return None if fallback in view.held else fallback


def takeover_address(view: PersonView, state: DesiredPerson) -> Address | None:
    """Return the address at which a person can take over for others, given what they should have now; or None.

    That is their mailbox, while they work here and it exists. Nobody who is suspended takes over: they are to be kept
    out, or are away, and what is handed to them would be read by nobody.
    """
    mailbox = state.mailbox
    is_open = isinstance(mailbox, WantedMailbox) and mailbox.access is Access.OPEN
    return view.address if is_open and view.mailbox_exists and state.phase in _WORKS_HERE else None
