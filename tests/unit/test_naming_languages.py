"""Names become addresses by the language of whoever bears them, and within the length that the policy allows."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.policy_people import policy
from tests.unit.test_naming_candidates import any_names, any_patterns, first, names
from tests.unit.test_policy_file import SMALLEST, problems
from worker.mail import Address, is_local_part, local_part_of
from worker.policy import NoUsableName, candidates, fits
from worker.policy.document import Policy


def of(language: str | None = None, longest: int = 64, **more: object) -> Policy:
    """Make a policy of an organisation with a language."""
    language_line = f'language = "{language}"\n' if language else ""
    patterns = f"patterns = {more['patterns']}\n" if "patterns" in more else ""
    return policy(f"[naming]\nlongest = {longest}\n{patterns}", organisation=language_line)


@pytest.mark.parametrize(
    ("locale", "given_name", "family_name", "local"),
    [
        ("de-AT", "Jürgen", "Weiß", "juergen.weiss"),
        ("de", "Änne", "Größe", "aenne.groesse"),
        ("de_DE.UTF-8", "Jürgen", "Weiß", "juergen.weiss"),  # with combining marks
        ("DE", "GÜNTER", "STRAẞE", "guenter.strasse"),
        ("tr-TR", "Gülşah", "Yıldırım", "gulsah.yildirim"),  # noqa: RUF001 - Turkish is meant
        ("tr", "İsmail", "Özçağ", "ismail.ozcag"),
        ("da-DK", "Åse", "Sørensen", "aase.soerensen"),
        ("nb", "Bjørn", "Ødegård", "bjoern.oedegaard"),
        ("nn-NO", "Pål", "Mæle", "paal.maele"),
        ("sv-SE", "Åsa", "Öström", "asa.ostrom"),
        ("fi", "Päivi", "Hämäläinen", "paivi.hamalainen"),
        ("fr-FR", "Zoë", "Saül", "zoe.saul"),
        ("es", "Íñigo", "Güell", "inigo.guell"),
        ("is", "Þór", "Eiðsson", "thor.eidsson"),
    ],
)
def test_a_locale_says_how_a_name_is_written(locale, given_name, family_name, local):
    """As in passports where these spell out, else without marks; whatever the organisation's language is."""
    for by in (of(), of("de"), of("da")):
        assert first(names(given_name, family_name, locale=locale), by=by) == [local]


@pytest.mark.parametrize("locale", [None, "", "1", "?", "language"])
def test_who_states_no_locale_is_read_by_the_organisations_language(locale):
    """So an organisation in Germany need not state it of everybody."""
    facts = names("Jürgen", "Müller", locale=locale)

    assert first(facts, by=of("de")) == ["juergen.mueller"]
    assert first(facts, by=of("de-CH")) == ["juergen.mueller"]
    assert first(facts, by=of("tr")) == first(facts, by=of()) == ["jurgen.muller"]


def test_the_preferred_name_may_stand_before_the_legal_one():
    """Where a nickname is stated it is the preferred one; where none is, the given name."""
    by = of("de", patterns=["{preferred}.{family}", "{given}.{family}"])

    assert first(names("Jürgen", "Müller", nickName="Jörg"), 2, by) == ["joerg.mueller", "juergen.mueller"]
    assert first(names("Jürgen", "Müller"), 1, by) == ["juergen.mueller"]


@pytest.mark.parametrize("held", ["juergen.mueller", "jurgen.muller", "j.mueller", "juergen.mueller17"])
def test_another_locale_alone_brings_no_other_address(held):
    """The address was made from the same name, so it goes on to fit, and so it does under another length."""
    facts = names("Jürgen", "Müller")
    for language in ("", "de", "tr"):
        for longest in (12, 64):
            assert fits([Address(f"{held}@example.org")], {**facts, "locale": language}, of("da", longest))

    assert not fits([Address(f"{held}@example.org")], names("Jürgen", "Möller"), of("de"))


def test_long_names_are_cut_to_the_length_of_the_policy():
    """Names get shorter together, a number never."""
    found = first(names("Maximiliane", "Oberhuber-Hohenstein"), 4, of(longest=16))

    assert found == ["maximil.oberhub", "m.oberhuber-hohe", "maximil.oberhub2", "maximil.oberhub3"]


locales = st.sampled_from(["de-AT", "tr", "da", "nb-NO", "sv", "el", "", "ja-JP", "x"]) | st.text(max_size=8)
marked = st.text(alphabet="äöüßåøæşğıİçÄÖÜẞ'- aB\u0308", max_size=30)


@given(any_names, marked, locales, any_patterns, st.integers(8, 64), st.sampled_from([None, "de", "da", "tr", "zh"]))
def test_every_name_gives_valid_local_parts_of_that_length_or_none(facts, name, locale, patterns, longest, language):
    """Whatever name, language, pattern and length there are."""
    by = of(language, longest, patterns=patterns)
    for stated in (facts, {**facts, "familyName": name, "locale": locale}):
        try:
            found = [local_part_of(each) for each in islice(candidates(stated, by), 25)]
        except NoUsableName:
            continue

        assert all(is_local_part(local) and len(local) <= longest for local in found)
        assert len(set(found)) == 25
        assert all(fits([Address(f"{local}@example.org")], stated, by) for local in found)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            'language = "German"',
            "line 3: organisation.language: 'German' is not a language; write its code, such as 'de'",
        ),
        ("[naming]\nlongest = 65", "line 4: naming.longest: must not be more than 64"),
        ("[naming]\nlongest = 7", "line 4: naming.longest: must not be less than 8"),
        ("[naming]\nlongest = '20'", "line 4: naming.longest: must be a whole number"),
        (
            "[naming]\nlongest = 10\npatterns = ['{given}', 'team-{given}.{family}']",
            ("line 5: naming.patterns[1]: 'team-{given}.{family}' leaves no room for a name and a number "
            "in 10 characters (naming.longest)"),
        ),
    ],
)  # fmt: skip
def test_what_cannot_name_anybody_is_refused(text, sentence):
    """With line, key and the mend."""
    assert problems(SMALLEST + text) == [sentence]
