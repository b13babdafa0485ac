"""Which shared addresses and rewrites a person belongs to by the policy's rules."""

from worker.mail import SharedKey
from worker.policy.document import Policy
from worker.policy.names import Facts


def groups_of(facts: Facts, policy: Policy) -> frozenset[SharedKey]:
    """Return the keys of all groups and rewrites whose rule these facts satisfy."""
    return frozenset(key for key, section in policy.lists.items() if section.members.matches(facts))
