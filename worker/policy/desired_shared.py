"""What a shared address should be: its members that exist, else its fallback, else nothing."""

from worker.mail import domain_of
from worker.policy.document import Policy
from worker.policy.state import Decision, DesiredShared
from worker.policy.view import SharedView


def desired_shared(view: SharedView, policy: Policy) -> Decision[DesiredShared]:
    """Return the destinations of a shared address; None where it should not exist. Never changes by time alone.

    The host refuses an empty list (`migadu-behaviour.md` 1.6), so an address without members has its fallback or goes.
    An address that no group of the policy names any more goes, too. Members whose mailbox is in another domain are left
    out: the host would turn their addresses into addresses of its own domain (`migadu-behaviour.md` 1.6).
    """
    group = policy.shared.get(view.address)
    if group is None:
        return Decision(DesiredShared(None), None)
    domain = domain_of(view.address)
    fallback = frozenset() if group.fallback is None else frozenset({policy.address_of(group.fallback, domain)})
    members = frozenset(member for member in view.members if domain_of(member) == domain)
    return Decision(DesiredShared(members or fallback or None, left_out=view.members - members), None)
