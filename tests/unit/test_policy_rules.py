"""Rules over facts: equality, lists, globs, negation, any and all; and rules that can match nobody are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.policy_people import policy
from tests.unit.test_policy_file import SMALLEST, problems
from worker.policy.rules import Rule

GROUP = f'{SMALLEST}[[groups]]\naddress = "a"\nmembers = '


def rule(written):
    """Read a rule as it is written in a policy file."""
    return policy(f'[[groups]]\naddress = "a"\nmembers = {written}').groups[1].members


@pytest.mark.parametrize(
    ("written", "facts", "matches"),
    [
        ("{}", {}, True),
        ('{ department = "Sales" }', {"department": "Sales"}, True),
        ('{ department = "Sales" }', {"department": "sales"}, False),
        ('{ department = ["Sales", "R&D"] }', {"department": "R&D"}, True),
        ('{ department = "Eng*" }', {"department": "Engineering"}, True),
        ('{ department = "Eng*" }', {"department": "engineering"}, False),
        ('{ department = "*ing" }', {"department": "Engineering\nand more"}, False),
        ('{ grade = "L?" }', {"grade": "L3"}, True),
        ('{ grade = "L?" }', {"grade": "L"}, False),
        ('{ team = "[ab]*" }', {"team": "[ab] core"}, True),
        ('{ team = "[ab]*" }', {"team": "a"}, False),
        ('{ groups = "lead*" }', {"groups": ("staff", "leads")}, True),
        ('{ groups = "lead*" }', {"groups": ()}, False),
        ('{ level = "3*" }', {"level": 3}, False),
        ("{ remote = true }", {"remote": 1}, False),
        ("{ level = [1, 2.5] }", {"level": 2.5}, True),
        ('{ department = "*" }', {"department": None}, False),
        ('{ not = { department = "*" } }', {"department": None}, True),
        ('{ not = { userType = "contractor" } }', {"userType": "employee"}, True),
        ('{ department = "Sales", not = { country = "FR" } }', {"department": "Sales", "country": "FR"}, False),
        ('{ any = [{ country = "FR" }, { location = "Paris" }] }', {"location": "Paris"}, True),
        ('{ any = [{ country = "FR" }, { location = "Paris" }] }', {"location": "Lyon"}, False),
        ('{ all = [{ country = "FR" }, { any = [{ level = 1 }, {}] }] }', {"country": "FR"}, True),
        ('{ all = [{ country = "FR" }], department = "Sales" }', {"country": "FR"}, False),
        ('{ copy = "x", schema = 1, model_config = "y" }', {"copy": "x", "schema": 1, "model_config": "y"}, True),
    ],
)
def test_a_rule_says_who_matches(written, facts, matches):
    """All that is named must hold; ``*`` and ``?`` stand for characters in texts, and nothing else is special."""
    assert rule(written).matches(facts) is matches


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("{ any = [] }", "any: must not be empty"),
        ("{ all = [] }", "all: must not be empty"),
        ("{ department = [] }", "department: must not be empty"),
        (
            '{ department = " " }',
            'department[0]: blank text matches nobody; for a fact that is empty, write not = { fact = "*" }',
        ),
        ("{ level = nan }", "level[0]: nan matches nobody, for it equals nothing"),
        ("{ hireDate = 2026-01-01 }", "hireDate[0]: must be text, a number, or true or false"),
        ("{ department = [[]] }", "department[0]: must be text, a number, or true or false"),
        ('{ any = "x" }', "any: must be a list"),
        ("{ not = [{}] }", "not: must be a table"),
        ("{ not = {} }", "not: excludes everyone whom the rest of the rule asks for, so the rule matches nobody"),
        (
            '{ any = [{ country = "FR", not = { country = ["F*", "DE"] } }] }',
            "any[0].not: excludes everyone whom the rest of the rule asks for, so the rule matches nobody",
        ),
    ],
)  # fmt: skip
def test_a_rule_that_can_match_nobody_is_refused(written, sentence):
    """With its line, its key and what to write."""
    assert problems(f"{GROUP}{written}") == [f"line 5: groups[0].members.{sentence}"]


def test_a_rule_that_is_nested_without_end_is_refused():
    """Reading it does not break the program."""
    assert problems(f"{GROUP}{'{ not = ' * 500}{{}}{' }' * 500}") == ["this is nested too deeply"]


VALUES = ("ab", "abc", "b", "a*", "?b*", "*", 1, True, 2.5)
FACT_VALUES = st.sampled_from(["ab", "abc", "b", "", "x", 1, True, False, 2.5, None, ("ab", "x"), ()])
facts_of_somebody = st.dictionaries(st.sampled_from("pqr"), FACT_VALUES)
simple = st.dictionaries(st.sampled_from("pqr"), st.lists(st.sampled_from(VALUES), min_size=1, max_size=3), max_size=2)
documents = st.recursive(
    simple,
    lambda inner: st.builds(
        lambda own, words: own | words,
        simple,
        st.fixed_dictionaries(
            {},
            optional={
                "any": st.lists(inner, min_size=1, max_size=3),
                "all": st.lists(inner, min_size=1, max_size=3),
                "not": inner,
            },
        ),
    ),
    max_leaves=6,
)


def glob(pattern, text):
    """Match a glob letter by letter."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return glob(pattern[1:], text) or (bool(text) and glob(pattern, text[1:]))
    return bool(text) and pattern[0] in ("?", text[0]) and glob(pattern[1:], text[1:])


def one_of(stated, values):
    """Say by the letter of the description whether a fact has one of these values."""
    entries = stated if isinstance(stated, tuple) else (stated,)
    return any(
        glob(value, entry)
        if isinstance(value, str) and isinstance(entry, str)
        else value == entry and type(value) is type(entry)
        for value in values
        for entry in entries
    )


def by_the_letter(document, facts):
    """Say whether a rule matches, from its document."""
    return all(
        any(by_the_letter(inner, facts) for inner in value) if word == "any"
        else all(by_the_letter(inner, facts) for inner in value) if word == "all"
        else not by_the_letter(value, facts) if word == "not"
        else one_of(facts.get(word), value)
        for word, value in document.items()
    )  # fmt: skip


@given(documents, facts_of_somebody)
def test_every_rule_matches_by_the_letter(document, facts):
    """Whatever is nested in whatever, the answer is that of the description."""
    read = Rule.model_validate(document)

    assert read.matches(facts) is by_the_letter(document, facts)
    assert Rule.model_validate(read.model_dump(by_alias=True, exclude_none=True)) == read


@given(documents, facts_of_somebody)
def test_what_is_called_impossible_matches_nobody(document, facts):
    """A rule is refused only if really nobody can match that part of it."""
    read = Rule.model_validate(document)
    if ("not",) in {path for path, _ in read.contradictions()}:
        assert not read.matches(facts)


@given(documents, documents, facts_of_somebody)
def test_nobody_of_any_is_everybody_of_none(one, other, facts):
    """Negation turns any into all, and only the facts that a rule names can matter to it."""
    neither = Rule.model_validate({"not": {"any": [one, other]}})
    each_not = Rule.model_validate({"all": [{"not": one}, {"not": other}]})

    assert neither.matches(facts) is each_not.matches(facts)
    relevant = {name: value for name, value in facts.items() if name in neither.names}
    assert neither.matches(relevant) is neither.matches(facts)
