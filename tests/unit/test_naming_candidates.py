"""Names of any language become valid addresses, the best first."""

from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.policy_people import policy
from worker.mail import address, is_local_part, local_part_of
from worker.policy import NoUsableName, UnknownDomain, candidates, display_name, fits
from worker.policy.transliteration import ascii_name

POLICY = policy()


def names(given_name=None, family_name=None, **more):
    """State the names that are given."""
    stated = {"givenName": given_name, "familyName": family_name, **more}
    return {name: value for name, value in stated.items() if value is not None}


def first(facts, count=1, by=POLICY):
    """Return the first local parts."""
    return [local_part_of(candidate) for candidate in islice(candidates(facts, by), count)]


@pytest.mark.parametrize(
    ("given_name", "family_name", "local"),
    [
        ("Łukasz", "Wałęsa", "lukasz.walesa"),
        ("Jürgen", "Strauß", "jurgen.strauss"),
        ("Søren", "Ørsted", "soren.orsted"),
        ("Георгий", "Жуков", "georgiy.zhukov"),
        ("Игорь", "Соловьёв", "igor.solovev"),
        ("Ελένη", "Παπαδοπούλου", "eleni.papadopoulou"),
        ("Nguyễn Thị", "Đào", "nguyen-thi.dao"),
        ("Conan", "O'Brien", "conan.obrien"),
        ("Conan", "O’Brien", "conan.obrien"),  # noqa: RUF001 - as phones type it
        ("Anne-Marie", "de la Cruz", "anne-marie.de-la-cruz"),
        ("José  Luis", "García‑López", "jose-luis.garcia-lopez"),  # noqa: RUF001 - a hyphen that does not break
        ("Sammy", "Davis Jr.", "sammy.davis-jr"),
        ("Sukarno", None, "sukarno"),
        (None, "Sukarno", "sukarno"),
        ("İlker", "Çağlar", "ilker.caglar"),
        ("小龍", "李", "xiaolong.li"),
    ],
)
def test_names_are_written_in_ascii(given_name, family_name, local):
    """Letters of other alphabets, accents, apostrophes, double names and missing ones give a clean local part."""
    assert first(names(given_name, family_name)) == [local]


def test_patterns_come_in_order_and_numbers_last():
    """Who finds all patterns taken gets a number, up to 9999."""
    everything = [local_part_of(candidate) for candidate in candidates(names("Ada", "Lovelace"), POLICY)]

    assert everything[:4] == ["ada.lovelace", "a.lovelace", "ada.lovelace2", "ada.lovelace3"]
    assert everything[-1] == "ada.lovelace9999"
    assert len(everything) == len(set(everything)) == 2 + 9998


def test_numbers_are_given_where_no_pattern_asks_for_them():
    """A policy without {n} still finds an address for the next one of the same name."""
    plain = policy('[naming]\npatterns = ["{given[0]}{family}"]')

    assert first(names("Ada", "Lovelace"), 3, plain) == ["alovelace", "alovelace2", "alovelace3"]


@pytest.mark.parametrize(
    "pattern",
    ["{given}.{family}", "{given[0]}.{family}", "{family}-{given}", "{given}_{middle}_{family}", "{given[0]}"],
)
def test_one_name_is_never_reduced_to_a_letter_or_a_dangling_separator(pattern):
    """Somebody with one name gets that name whenever the pattern was made for two."""
    by = policy(f'[naming]\npatterns = ["{pattern}"]')
    expected = "s" if pattern == "{given[0]}" else "sukarno"

    assert first(names("Sukarno"), 2, by) == [expected, expected + "2"]


@pytest.mark.parametrize(
    ("facts", "local"),
    [
        ({"displayName": "Ada Lovelace"}, "ada.lovelace"),
        ({"displayName": "Ada King Lovelace"}, "ada.lovelace"),
        ({"displayName": "Lovelace, Ada"}, "ada.lovelace"),
        ({"displayName": "Ada King Lovelace", "familyName": "King Lovelace"}, "ada.king-lovelace"),
        ({"displayName": "Lovelace Ada", "familyName": "Lovelace"}, "ada.lovelace"),
        ({"displayName": "Ada Lovelace", "givenName": "Ada"}, "ada.lovelace"),
        ({"displayName": "Dewi Sukarno", "givenName": "Sukarno", "familyName": None}, "sukarno"),
        ({"displayName": "Sukarno"}, "sukarno"),
    ],
)
def test_a_display_name_stands_in_for_names_nobody_stated(facts, local):
    """What is unknown is read from the display name; what is known to be empty stays empty."""
    assert first(facts) == [local]


def test_protected_addresses_and_those_of_groups_are_left_out():
    """Nobody called Abuse gets abuse@, and nobody gets a group's address."""
    by = policy('[naming]\npatterns = ["{given}"]')

    assert first(names("Abuse"), 1, by) == ["abuse2"]
    assert first(names("Engineering"), 1, by) == ["engineering2"]


def test_a_work_address_pins():
    """A stated work address is the only candidate."""
    facts = names("Ada", "Lovelace", workEmail=" The.Countess@EXAMPLE.org ")

    assert list(candidates(facts, POLICY)) == ["the.countess@example.org"]
    assert fits([address("the.countess@example.org")], facts, POLICY)
    assert not fits([address("ada.lovelace@example.org")], facts, POLICY)


def test_a_work_address_of_another_domain_is_refused():
    """The sentence names the organisation's domain, and not the person's address."""
    with pytest.raises(UnknownDomain, match=r"^workEmail is not an address of example\.org$"):
        candidates(names("Ada", workEmail="ada@other.example"), POLICY)

    assert not fits([address("ada@other.example")], names("Ada", workEmail="ada@other.example"), POLICY)


@pytest.mark.parametrize(
    "facts",
    [{}, names("", "  "), names("-", "'"), names("\u200d"), {"workEmail": "ada"}, {"workEmail": "abuse@example.org"}],
)
def test_a_name_that_leaves_no_local_part_is_refused(facts):
    """There is one clear sentence, at once, before the first candidate is asked for."""
    with pytest.raises(NoUsableName):
        candidates(facts, POLICY)


def test_long_names_are_cut_and_keep_their_number():
    """A local part has 64 characters at most."""
    facts = names("Wolfeschlegelsteinhausen" * 3, "Bergerdorff-" * 9)
    locals_ = first(facts, 30)

    assert len(locals_[0]) <= 64
    assert "." in locals_[0]
    assert locals_[-1].endswith("29")


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        (names("Ада", "Лавлейс"), "Ада Лавлейс"),
        (names("Augusta", "Lovelace", nickName="Ada"), "Ada Lovelace"),
        (names("Ada", "Lovelace", displayName="Countess Ada"), "Ada Lovelace"),
        (names("Ada", displayName="Ada  King \n Lovelace"), "Ada King Lovelace"),
        (names(" Sukarno "), "Sukarno"),
        (names("A" * 300, "B"), "A" * 200),
        (names("Ada\x00", "Love\rlace"), "Ada Love lace"),
        ({}, ""),
    ],
)
def test_display_names_keep_their_script(facts, name):
    """The pattern decides; a stated display name stands in where a name is missing."""
    assert display_name(facts, POLICY) == name


any_name = st.none() | st.text(max_size=90) | st.sampled_from(["Łukasz", "Đào", "ABUSE", "x" * 90, "7", "a9", "12"])
any_names = st.builds(names, any_name, any_name, middleName=any_name, nickName=any_name, displayName=any_name)
PATTERNS = (
    "{given}.{family}",
    "{given[0]}{family}",
    "{preferred}_{n}",
    "{family}{n}.{given}",
    "{middle}-{given}",
    "x{given[0]}",
)
any_patterns = st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3)


@given(any_names, any_patterns)
def test_every_candidate_is_a_valid_address_and_fits(facts, patterns):
    """Whatever the names, candidates are valid, distinct, the same each time, and recognised by ``fits``."""
    by = policy(f"[naming]\npatterns = {patterns}")
    try:
        found = list(islice(candidates(facts, by), 30))
    except NoUsableName:
        assert not fits([address("ada@example.org")], facts, by)
        return

    assert found == list(islice(candidates(facts, by), 30))
    assert len(set(found)) == len(found) == 30
    assert all(address(candidate) == candidate for candidate in found)
    assert all(fits([candidate], facts, by) for candidate in found)
    assert not by.protected & set(found)


@settings(max_examples=15)
@given(any_names, st.sampled_from(["ada", "lukasz.dao", "x2", "a9", "712", "abuse", "dao.lukasz10000", "lukasz.dao01"]))
def test_only_candidates_fit(facts, local):
    """An address fits if, and only if, it is among all the candidates (of a name that every language writes alike)."""
    held = address(f"{local}@example.org")
    try:
        expected = held in set(candidates(facts, POLICY))
    except NoUsableName:
        expected = False

    assert fits([held], facts, POLICY) is expected


@given(st.text())
def test_an_ascii_name_is_empty_or_a_local_part(name):
    """Transliteration leaves letters, digits and single hyphens."""
    written = ascii_name(name)

    assert not written or is_local_part(written[:64].rstrip("-"))
    assert "--" not in written
