"""What a shared address should be, and who belongs to it."""

import pytest

from tests.unit.policy_people import NOW, policy
from worker.mail import Address
from worker.policy import SharedView, desired, groups_of

ADA = Address("ada@example.org")
POLICY = policy(
    """
[[groups]]
address = "everyone"
members = {}
fallback = "desk"

[[groups]]
address = "berlin-leads@example.org"
members = { location = "Berlin", groups = ["leads", "heads"], remote = false, level = 1 }
"""
)


def shared(local, *members, staying=()):
    """Show a shared address with these members, and those who stay, to ``desired``."""
    view = SharedView(Address(f"{local}@example.org"), frozenset(members), frozenset(staying))
    decision = desired(view, POLICY, NOW)
    assert decision.valid_until is None
    return decision.state.destinations


def test_a_shared_address_goes_to_its_members():
    """The destinations are the members whose mailboxes exist."""
    assert shared("everyone", ADA) == {ADA}


def test_without_members_the_fallback_gets_the_mail():
    """The host refuses an empty list, so there is a fallback or no address."""
    assert shared("everyone") == {"desk@example.org"}
    assert shared("engineering") is None


def test_who_stays_for_now_gets_the_mail_like_a_member():
    """Former members that stay are written beside the members, and nobody stands in while there is one."""
    ben = Address("ben@example.org")

    assert shared("everyone", ADA, staying={ben}) == {ADA, ben}
    assert shared("everyone", staying={ben}) == {ben}
    assert shared("engineering", staying={Address("ben@elsewhere.example")}) is None


def test_an_address_that_the_policy_no_longer_names_goes():
    """A group taken out of the policy leaves nothing behind."""
    assert shared("formerly", ADA) is None


BERLIN_LEAD = {"location": "Berlin", "groups": ("staff", "heads"), "remote": False, "level": 1}


@pytest.mark.parametrize(
    ("facts", "groups"),
    [
        ({}, {"everyone"}),
        ({"department": "R&D"}, {"everyone", "engineering"}),
        ({"department": "engineering"}, {"everyone"}),
        ({"department": None}, {"everyone"}),
        (BERLIN_LEAD, {"everyone", "berlin-leads"}),
        ({**BERLIN_LEAD, "groups": ("staff",)}, {"everyone"}),
        ({**BERLIN_LEAD, "remote": 0}, {"everyone"}),
        ({**BERLIN_LEAD, "level": True}, {"everyone"}),
        ({"location": "Berlin"}, {"everyone"}),
    ],
)
def test_members_match_every_fact_of_the_rule(facts, groups):
    """All facts of a rule must match, one of their values each; no rule matches everyone."""
    assert groups_of(facts, POLICY) == {f"{group}@example.org" for group in groups}
