"""The mailbox a person should have, open or blocked."""

from dataclasses import replace

from worker.mail import Address, domain_of, local_part_of
from worker.policy.display import display_name
from worker.policy.document import Policy, Renaming
from worker.policy.filled import fields_of
from worker.policy.handover import both
from worker.policy.names import text_of
from worker.policy.naming import NoUsableName, UnknownDomain, home_of, pinned_address
from worker.policy.state import (
    Access,
    Credential,
    Missing,
    NoMailbox,
    PersonState,
    Untouched,
    WantedMailbox,
)
from worker.policy.view import PersonView


def open_mailbox(
    view: PersonView, policy: Policy, *, create: bool = True, immediate: bool = False
) -> WantedMailbox | Missing | Untouched:
    """Return the mailbox of somebody who works here; its doors are closed while the person is suspended.

    A suspended person's mailbox is kept and not made. Missing names the attribute that is needed to make one.
    """
    access = Access.SUSPENDED if view.profile.suspended else Access.OPEN
    making = create and access is Access.OPEN
    if view.address is None and not making:
        return Untouched("suspended before a mailbox was made")
    if view.address is None:
        return Missing("no address is allocated yet")
    recovery = _recovery(view, policy) if making else None
    if making and not view.mailbox_exists and not recovery and policy.joining.credential is Credential.INVITATION:
        return Missing("personalEmail is needed to send the invitation")
    mailbox = _mailbox(view, policy, view.address, access=access, create=making, immediate=immediate, recovery=recovery)
    return replace(mailbox, unexpressed=None if lives_there(view, policy) else _cannot_move(view.address, view, policy))


def with_stated_address(
    mailbox: WantedMailbox | Missing | Untouched, view: PersonView, policy: Policy
) -> WantedMailbox | Missing | Untouched:
    """Return the mailbox of somebody who should have their stated ``workEmail``, saying so where they could not get it.

    Whoever asks has tried to hold it for them before. Nothing is said of an address that the host could not have
    anyway, such as one from before.
    """
    if not isinstance(mailbox, WantedMailbox) or policy.renaming.strategy is Renaming.DISPLAY_ONLY:
        return mailbox
    try:
        pinned = pinned_address(view.profile.facts, policy)
    except UnknownDomain:
        return mailbox
    except NoUsableName as error:
        return replace(mailbox, unexpressed=both(mailbox.unexpressed, f"{error}: state another, or dismiss this job"))
    if pinned is None or pinned in view.held | {view.instead_of} or domain_of(pinned) != domain_of(mailbox.address):
        return mailbox
    return replace(mailbox, unexpressed=both(mailbox.unexpressed, _cannot_add(pinned)))


def lives_there(view: PersonView, policy: Policy) -> bool:
    """Tell whether the address that a person holds is of the domain where they should have their mailbox."""
    if view.address is None:
        return True
    domain = domain_of(view.address)
    # Most policies have one domain, and nothing need be asked of the facts then.
    return policy.mail_domains == (domain,) or domain == home_of(view.profile.facts, policy)


def blocked_mailbox(view: PersonView, policy: Policy, *, immediate: bool) -> WantedMailbox | NoMailbox:
    """Return the blocked mailbox of somebody who is gone: kept if it exists, never made."""
    if view.address is None:
        return NoMailbox()
    # No further addresses are wanted: those that exist stay, and one that a late rename brought is not made for
    # somebody gone. So it makes no difference which of the rename and the departure was heard of first.
    kept = replace(view, identities=frozenset(), aliases=frozenset())
    return _mailbox(kept, policy, view.address, access=Access.BLOCKED, create=False, immediate=immediate, recovery=None)


def is_yet_to_be_blocked(view: PersonView, state: PersonState) -> bool:
    """Tell whether somebody who is gone still gets into a mailbox of theirs, because no block was confirmed."""
    wants_block = isinstance(state, WantedMailbox) and state.access is Access.BLOCKED
    return wants_block and view.mailbox_exists and view.blocked_at is None


def _mailbox(
    view: PersonView,
    policy: Policy,
    address: Address,
    *,
    access: Access,
    create: bool,
    immediate: bool,
    recovery: str | None,
) -> WantedMailbox:
    return WantedMailbox(
        address=address,
        name=display_name(view.profile.facts, policy) or local_part_of(address),
        access=access,
        identities=_at_the_same_domain(view.identities - view.adopted, address),
        aliases=_at_the_same_domain(view.aliases, address),
        withdrawn=view.withdrawn,
        fields=fields_of(view, policy),
        credential=policy.joining.credential,
        recovery=recovery,
        create=create,
        immediate=immediate,
    )


def _at_the_same_domain(addresses: frozenset[Address], address: Address) -> frozenset[Address]:
    """Return those that can belong to a mailbox: the host knows identities and aliases of its own domain only."""
    return frozenset(each for each in addresses - {address} if domain_of(each) == domain_of(address))


def _cannot_move(address: Address, view: PersonView, policy: Policy) -> str | None:
    if not view.mailbox_exists:
        return None
    return (
        f"the mail host cannot move {address} to {home_of(view.profile.facts, policy)}, so the mailbox stays: "
        "state this address as workEmail to keep it, change the rules in [[domains]], or dismiss this job"
    )


def _cannot_add(pinned: Address) -> str:
    return (
        f"{pinned}, stated as workEmail, cannot be added: it is somebody else's, was until lately, or exists already: "
        "state another, or dismiss this job"
    )


def _recovery(view: PersonView, policy: Policy) -> str | None:
    if policy.joining.credential is not Credential.INVITATION:
        return None
    return text_of(view.profile.facts, "personalEmail") or None
