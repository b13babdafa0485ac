"""The rewrites of a policy: what may be said of them, and what is refused with its line."""

import pytest

from tests.unit.policy_people import NOW, policy
from worker.mail import Address, rewrite_key
from worker.policy import PolicyInvalid, SharedView, desired, groups_of, load_policy

SUPPORT = """
[[rewrites]]
name = "support"
local_part_rule = "Support-*"
members = { department = "Support" }
"""
PROTECTED = ("abuse@example.org", "admin@example.org", "postmaster@example.org")
NARROW = "in naming.protected; narrow it, or take that out there first"
SMALLEST = '[organisation]\ndomain = "example.org"\n'


def refused(text: str) -> list[str]:
    """Return the problems of a policy that has this besides its domain."""
    with pytest.raises(PolicyInvalid) as caught:
        load_policy(SMALLEST + text)
    return [str(problem) for problem in caught.value.problems]


def rewrite(**fields: str) -> str:
    """Write a rewrite, valid unless fields say otherwise."""
    said = {"name": "'a'", "local_part_rule": "'a-*'", "members": "{}"} | fields
    return "[[rewrites]]\n" + "".join(f"{name} = {value}\n" for name, value in said.items())


def test_a_rewrite_has_a_name_a_rule_and_members():
    """The pattern is compared in small letters, the order is 0, and the domain is the organisation's."""
    (known,) = load_policy(SMALLEST + SUPPORT).rewrites

    assert (known.name, known.local_part_rule, known.order, known.domain) == ("support", "support-*", 0, None)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            rewrite(name="'Not a slug'"),
            "line 4: rewrites[0].name: must be small letters, digits and single hyphens, 50 at most",
        ),
        (
            rewrite(name=f"'{'a' * 51}'"),
            "line 4: rewrites[0].name: must be small letters, digits and single hyphens, 50 at most",
        ),
        (
            rewrite(local_part_rule="'a b*'"),
            "line 5: rewrites[0].local_part_rule: 'a b*' is not a local part with * for anything, such as 'support-*'",
        ),
        (
            rewrite(local_part_rule="'.*'"),
            "line 5: rewrites[0].local_part_rule: '.*' is not a local part with * for anything, such as 'support-*'",
        ),
        (
            rewrite(local_part_rule="'ad*'"),
            f"line 5: rewrites[0].local_part_rule: 'ad*' takes the mail of admin@example.org, {NARROW}",
        ),
        (
            rewrite(local_part_rule="'**'"),
            f"line 5: rewrites[0].local_part_rule: '**' takes the mail of {', '.join(PROTECTED)}, {NARROW}",
        ),
        (rewrite(order="-1"), "line 7: rewrites[0].order: must not be less than 0"),
        (rewrite(order="true"), "line 7: rewrites[0].order: must be a whole number"),
        (
            rewrite(domain="'other.example'"),
            "line 7: rewrites[0].domain: other.example is none of the policy's domains: example.org",
        ),
        (
            rewrite(fallback="'hr@other.example'"),
            "line 7: rewrites[0].fallback: 'hr@other.example' is not an address of example.org",
        ),
        (rewrite(fallback="'h r'"), "line 7: rewrites[0].fallback: 'h r' is not a valid local part"),
        (rewrite(nome="'a'"), "line 7: rewrites[0].nome: unknown key; did you mean 'name'?"),
        (
            rewrite() + rewrite(local_part_rule="'b-*'"),
            "line 8: rewrites[1].name: 'a' is the name of another rewrite already",
        ),
        (
            rewrite() + rewrite(name="'b'"),
            "line 9: rewrites[1].local_part_rule: 'a-*' is another rewrite's rule already, so one of them gets nothing",
        ),
    ],
)
def test_a_mistake_in_a_rewrite_is_told_with_its_line(text, problem):
    """Names, patterns, orders, domains and fallbacks that cannot be are refused before anything runs."""
    assert refused(text) == [problem]


@pytest.mark.parametrize("rule", ["*", "support-*", "*-desk", "a*b*c", "tfacc-catch+"])
def test_a_rule_is_a_local_part_with_stars(rule):
    """The star stands for anything, anywhere, and need not be there; here no address is protected."""
    text = f"{SMALLEST}[naming]\nprotected = []\n" + rewrite(local_part_rule=f"'{rule}'")

    assert load_policy(text).rewrites[0].local_part_rule == rule


def test_a_catch_all_takes_mail_from_nobody():
    """It gets what no address has, so it is no matter that some are protected."""
    assert load_policy(SMALLEST + rewrite(local_part_rule="'*'")).rewrites[0].local_part_rule == "*"


def test_an_address_is_protected_from_the_rules_of_its_own_domain():
    """One of another domain gets no mail by them."""
    text = SMALLEST + '[naming]\nprotected = ["hr@example.fr"]\n[[domains]]\nname = "example.fr"\npeople = {}\n'
    rule = rewrite(local_part_rule="'h*'")

    assert load_policy(text + rule).rewrites[0].local_part_rule == "h*"
    with pytest.raises(PolicyInvalid, match=r"takes the mail of hr@example\.fr, in naming\.protected"):
        load_policy(text + rule + "domain = 'example.fr'\n")


def test_a_rewrite_may_be_called_like_a_group():
    """Names of rewrites are no addresses, so each has members of its own."""
    both = policy('[[groups]]\naddress = "support"\nmembers = { department = "Desk" }\n' + SUPPORT)

    assert groups_of({"department": "Support"}, both) == {"rewrite:support@example.org"}
    assert groups_of({"department": "Desk"}, both) == {"support@example.org"}


@pytest.mark.parametrize(
    ("members", "fallback", "destinations"),
    [
        (["ada@example.org"], "desk", {"ada@example.org"}),
        ([], "desk", {"desk@example.org"}),
        ([], None, None),
        (["ada@example.fr"], "desk", {"desk@example.org"}),
        (["ada@example.fr", "bob@example.org"], None, {"bob@example.org"}),
    ],
)
def test_a_rewrite_is_desired_like_a_shared_address(members, fallback, destinations):
    """Members that exist in its domain, else the fallback, else nothing; those elsewhere are left out."""
    known = policy(SUPPORT + (f'fallback = "{fallback}"\n' if fallback else ""))
    view = SharedView(rewrite_key("support@example.org"), frozenset(map(Address, members)))

    state = desired(view, known, NOW).state

    assert state.destinations == destinations
    assert state.left_out == {member for member in members if member.endswith(".fr")}
    assert state.fields == {"local_part_rule": "support-*", "order_num": 0}
