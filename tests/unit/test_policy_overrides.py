"""Exceptions from the mailbox fields by rule: who has what, and what is refused because it could not be taken back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.policy_people import ADA, NOW, policy, view
from tests.unit.test_policy_file import SMALLEST, problems
from worker.policy import desired

RULES = """
[mailbox]
may_send = true
is_internal = false
footer_plain_body = "{displayName}, Example Ltd."

[[overrides]]
people = { userType = ["intern", "contractor"] }
mailbox = { may_send = false, is_internal = true }

[[overrides]]
people = { userType = "contractor", level = 2 }
mailbox = { may_send = true, footer_plain_body = "{displayName} (external)" }
"""
POLICY = policy(RULES)


def fields(**facts):
    """Return the fields that Ada's mailbox should have."""
    return desired(view(facts=ADA | facts), POLICY, NOW).state.mailbox.fields


def test_later_exceptions_win_and_everybody_else_has_the_defaults():
    """Each field for itself."""
    default = {"may_send": True, "is_internal": False, "footer_plain_body": "Ada Lovelace, Example Ltd."}

    assert fields() == default
    assert fields(userType="intern") == default | {"may_send": False, "is_internal": True}
    assert fields(userType="contractor", level=2) == {
        "may_send": True,
        "is_internal": True,
        "footer_plain_body": "Ada Lovelace (external)",
    }


@given(st.dictionaries(st.sampled_from(["userType", "level"]), st.sampled_from(["intern", "contractor", 2, None])))
def test_nobody_ever_has_other_fields_than_the_policy_names(facts):
    """So whatever an exception sets can be taken back."""
    assert fields(**facts).keys() == POLICY.mailbox.keys()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "people = {}\nmailbox = { may_receive = false }",
            ("line 7: overrides[0].mailbox.may_receive: [mailbox] does not set this field, "
            "so it could not be taken back; say there what others have"),
        ),
        (
            "people = {}\nmailbox = { may_snd = true }",
            "line 7: overrides[0].mailbox.may_snd: unknown key; did you mean 'may_send'?",
        ),
        ("people = {}\nmailbox = { may_send = 1 }", "line 7: overrides[0].mailbox.may_send: must be true or false"),
        ("people = {}\nmailbox = {}", "line 7: overrides[0].mailbox: must not be empty"),
        ("people = {}", "line 5: overrides[0].mailbox: is required"),
        ("mailbox = { may_send = true }", "line 5: overrides[0].people: is required"),
    ],
)  # fmt: skip
def test_an_exception_that_cannot_be_taken_back_is_refused(text, sentence):
    """With line, key and the mend."""
    assert problems(f"{SMALLEST}[mailbox]\nmay_send = true\n[[overrides]]\n{text}") == [sentence]
