"""Several mail domains in a policy: who belongs where, what is refused, and where identities may be."""

import pytest

from tests.unit.policy_people import ADA, NOW, policy, view
from tests.unit.test_policy_file import SMALLEST, problems
from worker.mail import Address
from worker.policy import SharedView, candidates, desired, fits, needs_address, needs_other_domain

DOMAINS = """
[[domains]]
name = "example.fr"
people = { country = "FR" }
[[domains]]
name = "BÜCHER.example"
people = { any = [{ department = "Press" }, { country = "FR" }] }
"""
POLICY = policy(DOMAINS)
FRENCH = {**ADA, "country": "FR"}
BOOKS = "xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("facts", "domain"),
    [
        ({}, "example.org"),
        ({"country": "FR", "department": "Press"}, "example.fr"),
        ({"department": "Press"}, BOOKS),
        ({"country": "FR", "workEmail": "ada@BÜCHER.example"}, BOOKS),
        ({"country": "FR", "workEmail": "ada@example.org"}, "example.org"),
    ],
)
def test_the_first_rule_that_matches_gives_the_domain_unless_an_address_is_pinned(facts, domain):
    """Everybody else is in the organisation's domain."""
    assert next(candidates(ADA | facts, POLICY)).endswith(f"@{domain}")


def test_identities_are_of_the_domain_of_their_mailbox():
    """Whoever should be elsewhere, but has a mailbox, is given names where it is."""
    here = Address("ada.lovelace@example.org")

    assert next(candidates(FRENCH, POLICY, "example.org")) == here
    assert fits({here}, FRENCH, POLICY, "example.org")
    assert not fits({here}, FRENCH, POLICY)
    assert list(candidates(FRENCH | {"workEmail": "a@example.fr"}, POLICY, "example.org")) == []
    assert not needs_address(view(facts=FRENCH), POLICY, NOW)
    assert needs_address(view(facts={**FRENCH, "familyName": "King"}), POLICY, NOW)


def test_a_mailbox_that_cannot_move_is_wanted_where_it_is():
    """With all that the policy says, and a sentence about what the host cannot do; never of somebody blocked."""
    moved = desired(view(facts=FRENCH), POLICY, NOW).state.mailbox

    assert moved.address == "ada.lovelace@example.org"
    assert moved.unexpressed.startswith("the mail host cannot move ada.lovelace@example.org to example.fr")
    assert desired(view(facts=ADA), POLICY, NOW).state.mailbox.unexpressed is None


def test_before_the_mailbox_exists_another_domain_is_another_address():
    """Only of somebody who works here and is not suspended, and only while nothing exists."""
    promised = view(facts=FRENCH, mailbox_exists=False)

    assert needs_other_domain(promised, POLICY, NOW)
    assert not needs_other_domain(view(facts=FRENCH), POLICY, NOW)
    assert not needs_other_domain(view(facts=ADA, mailbox_exists=False), POLICY, NOW)
    assert not needs_other_domain(view(facts=FRENCH, mailbox_exists=False, suspended=True), POLICY, NOW)


def test_what_is_held_elsewhere_is_no_identity_of_a_mailbox():
    """The host knows identities of the mailbox's own domain only."""
    mixed = view(identities=frozenset({Address("ada.king@example.org"), Address("ada.king@example.fr")}))

    assert desired(mixed, POLICY, NOW).state.mailbox.identities == {"ada.king@example.org"}


def test_a_list_has_the_members_and_the_fallback_of_its_own_domain():
    """Others are left out by name."""
    by = policy(f'{DOMAINS}[[groups]]\naddress = "paris@example.fr"\nmembers = {{}}\nfallback = "desk"\n')
    here, there = Address("ada@example.fr"), Address("ada@example.org")
    paris = Address("paris@example.fr")

    state = desired(SharedView(paris, frozenset({here, there})), by, NOW).state
    assert (state.destinations, state.left_out) == ({here}, {there})
    state = desired(SharedView(paris, frozenset({there})), by, NOW).state
    assert (state.destinations, state.left_out) == ({"desk@example.fr"}, {there})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            '[[domains]]\nname = "Example.FR"\npeople = { country = "CH" }',
            "line 10: domains[2].name: example.fr is listed already; join the two rules with any = [...]",
        ),
        (
            '[[domains]]\nname = "a.example"\npeople = {}\n[[domains]]\nname = "b.example"\npeople = { x = 1 }',
            "line 14: domains[3].people: nobody is left for this rule: domains[2] takes everyone; move it to the end",
        ),
        ('[[domains]]\nname = "c.example"', "line 9: domains[2].people: is required"),
        ('[[domains]]\nname = "here"\npeople = {}', "line 10: domains[2].name: 'here' is not a full domain name"),
        (
            '[[groups]]\naddress = "a@other.example"\nmembers = {}',
            (
                "line 10: groups[0].address: 'a@other.example' is not an address of example.org or example.fr or "
                "xn--bcher-kva.example"
            ),
        ),
        (
            '[[groups]]\naddress = "a@example.fr"\nmembers = {}\nfallback = "b@example.org"',
            "line 12: groups[0].fallback: 'b@example.org' is not an address of example.fr, as the group is",
        ),
        (
            '[[groups]]\naddress = "admin@example.fr"\nmembers = {}',
            "line 10: groups[0].address: 'admin@example.fr' is in naming.protected; take it out there first",
        ),
    ],
)
def test_domains_that_contradict_themselves_are_refused(text, sentence):
    """With line, key and the mend."""
    assert problems(SMALLEST + DOMAINS.lstrip() + text) == [sentence]
