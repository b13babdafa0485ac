"""Numbers and their words: what is said of one reads otherwise than what is said of several."""

import pytest

from worker.mail import agreeing, counted


@pytest.mark.parametrize(
    ("noun", "many"),
    [
        ("call", "0 calls"),
        ("alias", "0 aliases"),
        ("mailbox", "0 mailboxes"),
        ("identity", "0 identities"),
        ("day", "0 days"),
        ("person", "0 people"),
        ("shared address", "0 shared addresses"),
    ],
)
def test_a_noun_agrees_with_its_number(noun: str, many: str) -> None:
    """One is said in the singular, none and many in the plural that the noun has."""
    assert counted(0, noun) == many
    assert counted(2, noun) == many.replace("0", "2")
    assert counted(1, noun) == f"1 {noun}"


def test_a_verb_agrees_with_its_number() -> None:
    """One belongs, none and two belong."""
    said = [agreeing(number, "belongs", "belong") for number in (0, 1, 2)]

    assert said == ["belong", "belongs", "belong"]
