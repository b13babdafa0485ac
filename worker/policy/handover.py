"""Handing over: who gets the mail of somebody who left, and what becomes of their addresses."""

from dataclasses import replace

from worker.mail import Address, domain_of
from worker.policy.document import Policy
from worker.policy.stand_in import NOBODY_STANDS_IN, stand_in
from worker.policy.state import Missing, NoMailbox, WantedMailbox
from worker.policy.view import PersonView


def with_forwarding(mailbox: WantedMailbox, view: PersonView, policy: Policy) -> WantedMailbox:
    """Return a leaver's mailbox with a forwarding to whoever stands in; without one, with the sentence that says so."""
    to = stand_in(view, policy)
    if to is None:
        return replace(mailbox, unexpressed=both(mailbox.unexpressed, NOBODY_STANDS_IN))
    return replace(mailbox, forward_to=to)


def no_mailbox(view: PersonView, policy: Policy, *, to_manager: bool) -> NoMailbox:
    """Return that the mailbox is gone, its addresses aliases for whoever stands in, if that is due.

    Only addresses under which mail was received: one that was promised and never made has no correspondents.
    """
    return _handed_over(view.received, view, policy) if to_manager and view.received else NoMailbox()


def still_handed_over(view: PersonView, policy: Policy) -> NoMailbox | Missing | None:
    """Return the aliases that are there, following whoever stands in, of somebody whose return is announced.

    Where nobody can take over they stay as they are: nothing would bring them back, for none are made any more.
    """
    if not view.redirected or view.mailbox_exists:
        return None
    if stand_in(view, policy) is None:
        return Missing(NOBODY_STANDS_IN)
    return _handed_over(view.redirected, view, policy)


def released() -> NoMailbox:
    """Return that a person has neither mailbox nor address any more."""
    return NoMailbox(release=True)


def both(one: str | None, other: str | None) -> str | None:
    """Join two sentences of what cannot be done, either of which may be missing, or be said already."""
    said = dict.fromkeys(each for given in (one, other) if given for each in given.split("; "))
    return "; ".join(said) or None


def _handed_over(addresses: frozenset[Address], view: PersonView, policy: Policy) -> NoMailbox:
    to = stand_in(view, policy)
    if to is None:  # what stands stays: mail would bounce without it
        return NoMailbox(kept=addresses & view.redirected, unexpressed=NOBODY_STANDS_IN)
    # An alias names addresses of its own domain alone: the host turns others into those (`migadu-behaviour.md` 1.6).
    reachable = frozenset(each for each in addresses if domain_of(each) == domain_of(to))
    beyond = sorted(addresses - reachable)
    sentence = f"{', '.join(beyond)} cannot be an alias for {to}, which is on another domain" if beyond else None
    kept = view.redirected & addresses - reachable
    return NoMailbox(aliases=reachable, to=to if reachable else None, kept=kept, unexpressed=sentence)
