"""Adoption: which mailbox is whose, from what they have in common, and never by a guess."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.policy_people import policy
from worker.events.canonical import FactValue
from worker.mail import Address, Identity, Mailbox
from worker.planning.adoption import MARGIN, MINIMUM, TAKEN, Proposal, Standing, propose
from worker.planning.likeness import WEIGHTS, Clue, Likeness, likenesses
from worker.planning.traits import PolicyAddresses

POLICY = policy()
Person = Mapping[str, FactValue]


def somebody(given_: str, family: str, **more: FactValue) -> Person:
    """Return the facts of a person."""
    return {"givenName": given_, "familyName": family, **more}


def mailbox(local: str, name: str, *identities: str, recovery: str | None = None) -> Mailbox:
    """Return a mailbox as the host's list shows it."""
    return Mailbox(
        Address(f"{local}@example.org"),
        name,
        {"password_recovery_email": recovery},
        frozenset(Identity(Address(f"{each}@example.org"), each) for each in identities),
    )


def alike(people: Sequence[Person], mailboxes: Sequence[Mailbox]) -> tuple[Likeness, ...]:
    """Return what speaks for which pair; people are known by their place in the list."""
    traits = PolicyAddresses(POLICY)
    return likenesses([traits.traits_of(key, facts) for key, facts in enumerate(people)], mailboxes, POLICY)


def proposed(people: Sequence[Person], mailboxes: Sequence[Mailbox], **more: object) -> dict[str, Proposal]:
    """Return the proposals by local part."""
    found = propose([each.address for each in mailboxes], alike(people, mailboxes), **more)  # type: ignore[arg-type]
    return {each.address.partition("@")[0]: each for each in found}


ADA = somebody("Ada", "Lovelace", personalEmail="ada@home.example")


@pytest.mark.parametrize(
    ("box", "clues"),
    [
        (mailbox("ada.lovelace", "Ada Lovelace"), {Clue.FIRST_PATTERN, Clue.SAME_NAME}),
        (mailbox("ada.lovelace", "Lovelace, Ada (Engineering)"), {Clue.FIRST_PATTERN, Clue.SAME_NAME}),
        (mailbox("ada.lovelace", "Lager"), {Clue.FIRST_PATTERN}),
        (mailbox("a.lovelace", "Dr Ada M. LOVELACE"), {Clue.OTHER_PATTERN, Clue.NAME_WRITTEN_OTHERWISE}),
        (mailbox("ada.lovelace7", "ada lovelace"), {Clue.NUMBERED, Clue.SAME_NAME}),
        (mailbox("countess", "X", "ada.lovelace"), {Clue.PATTERN_IDENTITY}),
        (mailbox("ada", "The Countess", recovery="Ada@Home.example"), {Clue.RECOVERY}),
    ],
)
def test_what_speaks_for_a_mailbox(box: Mailbox, clues: set[Clue]) -> None:
    """Addresses by the policy, the recovery address, and the name in any order and dress are clues."""
    (found,) = alike([ADA], [box])

    assert set(found.clues) == clues
    assert found.score == min(100, sum(WEIGHTS[clue] for clue in clues))


@pytest.mark.parametrize(
    ("person", "name", "clue"),
    [
        (somebody("Jürgen", "Groß"), "Juergen Gross", Clue.NAME_WRITTEN_OTHERWISE),
        (somebody("Jürgen", "Groß"), "Jurgen Gross", Clue.NAME_WRITTEN_OTHERWISE),
        (somebody("Sergej", "Соловьёв"), "Solovev Sergej", Clue.NAME_WRITTEN_OTHERWISE),
        (somebody("Robert", "Builder", nickName="Bob"), "Bob Builder", Clue.SAME_NAME),
        (somebody("Robert", "Builder", nickName="Bob"), "Robert Builder", Clue.SAME_NAME),
        (somebody("Anne-Marie", "Duval", middleName="Louise"), "Anne Marie Louise Duval", Clue.NAME_WRITTEN_OTHERWISE),
        ({"givenName": "Sukarno"}, "sukarno", Clue.ONE_WORD),
    ],
)
def test_a_name_is_known_however_it_is_written(person: Person, name: str, clue: Clue) -> None:
    """Transliterated, with a nickname, with or without the middle name: it is the same name."""
    (found,) = alike([person], [mailbox("info", name)])

    assert found.clues == (clue,)
    assert found.by_name_alone


def test_the_word_of_the_roster_counts_most() -> None:
    """A stated work address is enough, and no pattern is then tried elsewhere; as an identity it is enough, too."""
    person = somebody("Ada", "Lovelace", workEmail="Al@example.org")

    found = proposed([person], [mailbox("al", "Office")])
    other = proposed([person], [mailbox("office", "Office", "al")])
    none = proposed([person], [mailbox("ada.lovelace", "Ada Lovelace")])

    assert (found["al"].standing, found["al"].score) == (Standing.MATCHED, 90)
    assert (other["office"].standing, other["office"].score) == (Standing.MATCHED, 80)
    assert none["ada.lovelace"].standing is Standing.NOBODYS
    assert none["ada.lovelace"].reason == "nobody who has no mailbox yet is like it"  # who has one is not looked at


def test_two_people_for_one_mailbox_need_a_decision() -> None:
    """Namesakes are told apart by the recovery address, and by nothing else if there is none."""
    first, second = (somebody("John", "Smith", personalEmail=f"{n}@home.example") for n in (1, 2))
    unknown = mailbox("john.smith", "John Smith")
    known = mailbox("john.smith", "John Smith", recovery="2@home.example")

    found, told_apart = proposed([first, second], [unknown]), proposed([first, second], [known])

    assert found["john.smith"].standing is Standing.UNDECIDED
    assert {each.person for each in found["john.smith"].rivals} == {0, 1}
    assert "2 people" in found["john.smith"].reason
    assert (told_apart["john.smith"].standing, told_apart["john.smith"].person) == (Standing.MATCHED, 1)


def test_two_mailboxes_for_one_person_need_a_decision() -> None:
    """Where scores are close neither is taken; where one is clear the other is told to be like somebody who has one."""
    close = proposed([ADA], [mailbox("ada.lovelace", "Ada Lovelace"), mailbox("a.lovelace", "Ada Lovelace")])
    clear = proposed(
        [ADA], [mailbox("ada.lovelace", "Ada"), mailbox("a.lovelace", "Ada Lovelace", recovery="ada@home.example")]
    )

    assert {each.standing for each in close.values()} == {Standing.UNDECIDED}
    assert clear["a.lovelace"].standing is Standing.MATCHED
    assert clear["ada.lovelace"].standing is Standing.NOBODYS
    assert clear["ada.lovelace"].reason == "it is like person 0, who has a.lovelace@example.org"


def test_who_is_taken_stands_in_nobodys_way() -> None:
    """A mailbox that two may have is clear once one of them has another; and a pair is one person and one mailbox."""
    stated = somebody("Jo", "Smith", workEmail="john.smith@example.org")
    namesake = somebody("Jo", "Smith", personalEmail="jo@home.example")
    boxes = [mailbox("john.smith", "Jo Smith"), mailbox("jsmith", "Jo Smith", recovery="jo@home.example")]

    found = proposed([stated, namesake], boxes)

    assert {local: each.person for local, each in found.items()} == {"john.smith": 0, "jsmith": 1}


def test_a_name_alone_is_taken_only_where_nobody_else_may_be_meant() -> None:
    """Even where a lower minimum would let a name pass, a second of that name makes it a decision."""
    box = mailbox("info", "Ada Lovelace")

    alone = proposed([ADA], [box], minimum=30)
    two_people = proposed([ADA, ADA], [box], minimum=1)
    two_boxes = proposed([ADA], [box, mailbox("office", "Ada Lovelace")], minimum=1)

    assert alone["info"].standing is Standing.MATCHED
    assert proposed([ADA], [box])["info"].standing is Standing.UNDECIDED
    assert two_people["info"].standing is Standing.UNDECIDED
    assert {each.standing for each in two_boxes.values()} == {Standing.UNDECIDED}


def test_what_speaks_against_a_mailbox() -> None:
    """A recovery address of somebody else on the roster, and a work address that is another one, count against it."""
    bob = somebody("Bob", "Builder", personalEmail="bob@home.example")
    elsewhere = somebody("Ada", "Lovelace", workEmail="al@example.org", personalEmail="ada@home.example")

    others = alike([ADA, bob], [mailbox("ada.lovelace", "Ada Lovelace", recovery="bob@home.example")])
    stated = alike([elsewhere], [mailbox("ada", "Ada Lovelace", recovery="ada@home.example")])

    assert {each.person: each.score for each in others} == {0: 15, 1: 70}
    assert stated[0].score == 50
    assert "the roster states another address" in stated[0].reason


def test_a_recovery_address_that_many_mailboxes_share_speaks_against_nobody() -> None:
    """An administrator's address as everybody's recovery address is no sign that a mailbox is the administrator's."""
    admin = somebody("Ida", "Admin", personalEmail="it@home.example")
    boxes = [mailbox("ada.lovelace", "Ada Lovelace", recovery="it@home.example")]
    boxes += [mailbox(f"box{number}", "Box", recovery="it@home.example") for number in range(500)]

    found = proposed([ADA, admin], boxes)

    assert (found["ada.lovelace"].standing, found["ada.lovelace"].person) == (Standing.MATCHED, 0)
    assert {each.standing for local, each in found.items() if local != "ada.lovelace"} == {Standing.NOBODYS}


def test_a_decision_by_hand_comes_before_all() -> None:
    """Whom a decision names is no candidate elsewhere, and whoever had the mailbox by score loses it."""
    boxes = [mailbox("ada.lovelace", "Ada Lovelace"), mailbox("office", "Office")]
    bob = somebody("Bob", "Builder")

    found = proposed([ADA, bob], boxes, by_hand={Address("ada.lovelace@example.org"): 1})

    assert (found["ada.lovelace"].standing, found["ada.lovelace"].person) == (Standing.DECIDED, 1)
    assert found["ada.lovelace"].reason == "decided by hand: nothing else speaks for it"
    assert found["office"].standing is Standing.NOBODYS


def test_no_reason_holds_personal_data() -> None:
    """Reasons are made of the clues' own words."""
    bob = somebody("Bob", "Builder", personalEmail="ada@home.example")
    boxes = [mailbox("ada.lovelace", "Ada Lovelace", recovery="ada@home.example")]

    for each in proposed([ADA, bob], boxes).values():
        said = each.reason + "".join(rival.reason for rival in each.rivals)
        assert "home.example" not in said
        assert "Ada" not in said


def test_every_clue_has_its_weight() -> None:
    """The table of weights is the whole rule."""
    assert set(WEIGHTS) == set(Clue)


NAMES = ("Ada", "Bob", "Jo", "Jö", "Li")
FAMILIES = ("Li", "Smith", "Ada", "Builder")
MAILS = ("1@home.example", "2@home.example", None)
WORK = ("ada.li@example.org", "jo@example.org", "x@elsewhere.example", None)


@st.composite
def rosters(draw: st.DrawFn) -> list[Person]:
    """Generate people of few names, so that they meet."""
    return draw(
        st.lists(
            st.builds(
                somebody,
                st.sampled_from(NAMES),
                st.sampled_from(FAMILIES),
                personalEmail=st.sampled_from(MAILS),
                workEmail=st.sampled_from(WORK),
            ),
            max_size=6,
        )
    )


@st.composite
def hosts(draw: st.DrawFn) -> list[Mailbox]:
    """Generate mailboxes that look like those people's."""
    locals_ = st.sampled_from(["ada.li", "a.li", "jo.smith", "jo.smith2", "j.smith", "bob", "jo", "li.ada"])
    name = st.builds(lambda one, two: f"{one} {two}", st.sampled_from(NAMES), st.sampled_from(FAMILIES))
    boxes = st.builds(mailbox, locals_, name, recovery=st.sampled_from(MAILS))
    return draw(st.lists(boxes, max_size=6, unique_by=lambda box: box.address))


@given(rosters(), hosts(), st.integers(1, 100), st.randoms())
def test_the_order_of_what_is_given_does_not_matter(
    people: list[Person], boxes: list[Mailbox], minimum: int, random: object
) -> None:
    """However people and mailboxes are shuffled, each mailbox has the same proposal."""
    traits = [PolicyAddresses(POLICY).traits_of(key, facts) for key, facts in enumerate(people)]
    first = propose([each.address for each in boxes], likenesses(traits, boxes, POLICY), minimum=minimum)

    random.shuffle(traits)  # type: ignore[attr-defined]
    random.shuffle(boxes)  # type: ignore[attr-defined]
    found = list(likenesses(traits, boxes, POLICY))
    random.shuffle(found)  # type: ignore[attr-defined]

    assert propose([each.address for each in boxes], found, minimum=minimum) == first


@given(rosters(), hosts(), st.integers(1, 100), st.dictionaries(st.integers(0, 5), st.integers(0, 5), max_size=2))
def test_nothing_is_ever_guessed(
    people: list[Person], boxes: list[Mailbox], minimum: int, chosen: dict[int, int]
) -> None:
    """One mailbox a person at most and the reverse; what is matched leads by the margin; no ambiguous name decides."""
    by_hand = {
        boxes[box].address: person for person, box in chosen.items() if box < len(boxes) and person < len(people)
    }
    found = alike(people, boxes)
    proposals = propose([each.address for each in boxes], found, minimum=minimum, by_hand=by_hand)
    taken = {each.address: each for each in proposals if each.standing in TAKEN}

    assert [each.address for each in proposals] == sorted(each.address for each in boxes)
    owners = [each.person for each in taken.values()]
    assert len(owners) == len(set(owners))
    assert {at: taken[at].person for at in by_hand} == by_hand
    for each in taken.values():
        if each.standing is Standing.MATCHED:
            (pair,) = [one for one in found if (one.address, one.person) == (each.address, each.person)]
            rivals = [
                one
                for one in found
                if (one.address == pair.address) != (one.person == pair.person) and one.score > pair.score - MARGIN
            ]
            assert pair.score >= minimum
            assert all(one.address in taken or one.person in owners for one in rivals)
            if pair.by_name_alone:
                free = [one for one in found if one.address not in by_hand and one.person not in by_hand.values()]
                assert [one for one in free if one.address == pair.address or one.person == pair.person] == [pair]
    for each in proposals:
        if each.standing is Standing.UNDECIDED:
            assert not {one.person for one in each.rivals} & {*owners}


@given(rosters(), hosts(), st.integers(1, 99))
def test_a_higher_minimum_never_takes_more(people: list[Person], boxes: list[Mailbox], minimum: int) -> None:
    """What is taken at a higher minimum is taken at a lower one, for the same person."""
    found, at = alike(people, boxes), [each.address for each in boxes]

    low = {each.address: each.person for each in propose(at, found, minimum=minimum) if each.standing in TAKEN}
    high = {each.address: each.person for each in propose(at, found, minimum=minimum + 1) if each.standing in TAKEN}

    assert high.items() <= low.items()


def test_the_minimum_is_what_an_address_and_a_name_give() -> None:
    """An address by the policy needs the name, and a name alone is never enough."""
    assert WEIGHTS[Clue.FIRST_PATTERN] < MINIMUM <= WEIGHTS[Clue.FIRST_PATTERN] + WEIGHTS[Clue.NAME_WRITTEN_OTHERWISE]
    assert WEIGHTS[Clue.SAME_NAME] < MINIMUM <= WEIGHTS[Clue.RECOVERY]
