"""Whose record a record is, given who holds its identifiers."""

from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from worker.events import FactValue
from worker.roster import Ambiguous, Link, Linked, NewPerson, Record, Stated, Unmatched, Version, link

VERSION = Version(datetime(2026, 11, 20, tzinfo=UTC), "urn:any", "evt-1")


def _link(
    *,
    number: Sequence[str] = (),
    email: Sequence[str] = (),
    numbered: Sequence[str] = (),
    creates: bool = True,
    **facts: FactValue,
) -> Link:
    record = Record("hr", "E1", {name: Stated(value, VERSION) for name, value in facts.items()})
    return link(record, by_employee_number=number, by_work_email=email, numbered=numbered, creates=creates)


def test_one_person_with_the_number_is_the_person() -> None:
    """The employee number decides alone, even where the address is somebody else's, and repeated keys are one."""
    assert _link(number=["p1", "p1"], email=["p2", "p3"], numbered=["p2"], employeeNumber="7") == Linked("p1")


def test_one_person_with_the_address_is_the_person() -> None:
    """Where nobody has the number, a workEmail that exactly one person holds decides."""
    assert _link(email=["p1", "p1"], workEmail="a@example.org") == Linked("p1")
    assert _link(email=["p1"], employeeNumber="7", workEmail="a@example.org") == Linked("p1")


def test_several_holders_are_for_a_person_to_decide() -> None:
    """Several people with one number or address are ambiguous, in the order of their keys."""
    by_number, by_email = _link(number=["p2", "p1"], email=["p1"]), _link(email=["p2", "p1"])

    assert isinstance(by_number, Ambiguous)
    assert by_number.person_keys == ("p1", "p2")
    assert "employeeNumber" in by_number.why
    assert isinstance(by_email, Ambiguous)
    assert "workEmail" in by_email.why


def test_an_inherited_address_links_nobody() -> None:
    """Who has the address but another number may be its former holder; a record without a number cannot tell."""
    conflict = _link(email=["p1"], numbered=["p1"], employeeNumber="7")

    assert isinstance(conflict, Ambiguous)
    assert conflict.person_keys == ("p1",)
    assert _link(email=["p1"], numbered=["p1"]) == Linked("p1")
    assert _link(email=["p1"], numbered=["p1"], employeeNumber=None) == Linked("p1")


def test_only_sources_that_create_make_people() -> None:
    """A creating source makes a person of any first event; another's record waits, and says for what."""
    assert _link() == NewPerson()
    assert _link(creates=False, givenName="Ada") == Unmatched(
        "the record states neither employeeNumber nor workEmail, and its source may not make people"
    )
    assert _link(creates=False, employeeNumber="7", workEmail="a@example.org") == Unmatched(
        "nobody has this employeeNumber or this workEmail, and the record's source may not make people"
    )


KEYS = st.lists(st.sampled_from(["p1", "p2", "p3"]), max_size=3)


@given(number=KEYS, email=KEYS, numbered=KEYS, creates=st.booleans(), stated=st.booleans())
def test_a_link_never_depends_on_the_order_of_the_holders(
    *, number: list[str], email: list[str], numbered: list[str], creates: bool, stated: bool
) -> None:
    """The decision is the same for every order, and whoever is linked holds an identifier of the record."""
    facts = {"employeeNumber": "7"} if stated else {}

    decision = _link(number=number, email=email, numbered=numbered, creates=creates, **facts)

    assert decision == _link(number=number[::-1], email=email[::-1], numbered=numbered, creates=creates, **facts)
    match decision:
        case Linked(key):
            assert key in {*number, *email}
        case Ambiguous(keys):
            assert set(keys) <= {*number, *email}
        case NewPerson() | Unmatched():
            assert not number
            assert not email
            assert isinstance(decision, NewPerson) == creates
