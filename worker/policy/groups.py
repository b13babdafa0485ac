"""Which shared addresses a person belongs to by the policy's rules."""

from worker.mail import Address
from worker.policy.document import Policy
from worker.policy.names import Facts


def groups_of(facts: Facts, policy: Policy) -> frozenset[Address]:
    """Return the addresses of all groups whose rule these facts satisfy."""
    return frozenset(full for full, group in policy.shared.items() if group.members.matches(facts))
