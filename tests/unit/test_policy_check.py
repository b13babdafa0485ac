"""Advice on valid policies: what can do nothing or not for everybody, with its line, its key and the mend."""

from textwrap import dedent

import pytest

from worker.policy import Advice, RosterLook, advice, load_policy

HEAD = '[organisation]\ndomain = "example.org"\n'


def _advice(text: str, *people: dict[str, str | None]) -> list[Advice]:
    whole = HEAD + dedent(text)
    policy = load_policy(whole)
    look = RosterLook(policy)
    for facts in people:
        look.look(facts)
    return list(advice(policy, whole, look.hints()))


def _said(text: str, *people: dict[str, str | None]) -> list[str]:
    return [str(each) for each in _advice(text, *people)]


def test_the_defaults_need_no_advice() -> None:
    """Neither the shortest policy nor one with all kinds of names on its roster is complained of."""
    assert _said("", {"givenName": "Sukarno"}, {"givenName": "李", "familyName": "小龍"}) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            """
            [[domains]]
            name = "a.example"
            people = { country = ["FR", "DE"] }
            [[domains]]
            name = "b.example"
            people = { country = "FR" }
            """,
            (
                "line 9: domains[1].people: nobody is left for it: domains[0] matches everyone whom "
                "it asks for, and comes first; move it before domains[0]"
            ),
        ),
        (
            """
            [mailbox]
            may_send = true
            [[overrides]]
            people = { department = "Sales", country = "FR" }
            mailbox = { may_send = false }
            [[overrides]]
            people = { department = "Sales" }
            mailbox = { may_send = false }
            """,
            (
                "line 6: overrides[0]: overrides[1] matches the same people, sets the same fields, "
                "and the later one wins; move it behind overrides[1]"
            ),
        ),
        (
            """
            [mailbox]
            may_send = true
            [[overrides]]
            people = { department = "Sales" }
            mailbox = { may_send = true }
            """,
            "line 8: overrides[0].mailbox: changes nothing: [mailbox] says the same; take it out, or say otherwise",
        ),
        (
            """
            [[groups]]
            address = "a"
            members = { department = "Sales" }
            [[groups]]
            address = "b"
            members = { department = "Sales" }
            """,
            "line 9: groups[1].members: has the members of groups[0]; take one out if they are meant to be one address",
        ),
        (
            """
            [[groups]]
            address = "a"
            members = { department = "Sales" }
            fallback = "b"
            [[groups]]
            address = "b"
            members = { department = "Office" }
            """,
            (
                "line 7: groups[0].fallback: 'b' is a group that is deleted when it has no member "
                "itself; give that group a fallback, or name a mailbox"
            ),
        ),
        (
            """
            [[leaving.stages]]
            after = "0d"
            do = ["block"]
            [[leaving.stages]]
            after = "30000d"
            do = ["delete-mailbox", "leave-groups"]
            """,
            (
                "line 9: leaving.stages[1].do[1]: comes to nothing: without a mailbox nobody is in "
                "a group any more; do it in an earlier stage, or take it out"
            ),
        ),
        (
            """
            [brakes]
            delete = { floor = 0, share = 0.0, per = "24h" }
            """,
            (
                "line 5: brakes.delete: lets nothing through, so each waits for an approval; raise "
                "the floor if that is not meant"
            ),
        ),
        (
            """
            [leaving]
            stages = []
            """,
            (
                "line 5: leaving.stages: nobody who leaves is ever blocked; add one that does 'block', "
                "or take the line out for the default"
            ),
        ),
        (
            """
            [mailbox]
            spam_action = "eat"
            spam_aggressiveness = "strict"
            """,
            (
                "line 5: mailbox.spam_action: the mail host is not known to take 'eat'; write one of 'none', "
                "'subject', 'folder', 'drop'"
            ),
        ),
        (
            """
            [mailbox]
            spam_aggressiveness = "strict"
            [[overrides]]
            people = { department = "Sales" }
            mailbox = { spam_aggressiveness = "paranoid" }
            """,
            (
                "line 8: overrides[0].mailbox.spam_aggressiveness: the mail host is not known to take 'paranoid'; "
                "write one of 'most_permissive', 'more_permissive', 'permissive', 'default', 'strict', 'stricter', "
                "'strictest'"
            ),
        ),
        (
            """
            [naming]
            patterns = ["{given[0]}{family[0]}"]
            """,
            (
                "line 5: naming.patterns: no pattern gives an address to one name only (Sukarno); "
                "add one that needs less, such as {preferred}.{family}"
            ),
        ),
        (
            """
            [naming]
            patterns = ["{given}.{family}", "{middle}", "{given}.{family}"]
            """,
            (
                "line 5: naming.patterns[1]: gives an address to none of the kinds of names that "
                "were tried; spell out a name that people have, such as {family}"
            ),
        ),
    ],
)
def test_what_can_do_nothing_is_told_with_line_key_and_mend(text: str, said: str) -> None:
    """Each finding of the file alone."""
    assert said in _said(text)


def test_a_stage_of_another_century_is_told() -> None:
    """Days that were typed once too often are a stage that nobody sees."""
    found = _said('[[leaving.stages]]\nafter = "30000d"\ndo = ["block"]\n')

    assert found == ["line 4: leaving.stages[0].after: comes 82 years later; write fewer days"]


ROSTER = (
    {"givenName": "Ada", "familyName": "A", "department": "Engineering"},
    {"givenName": "Ben", "familyName": "B", "department": "Sales"},
    {"givenName": "Cleo", "familyName": "C", "department": "Sales", "workEmail": "cleo@elsewhere.example"},
    {"givenName": "!!", "familyName": None, "department": "Sales"},
)


@pytest.mark.parametrize(
    ("rule", "mend"),
    [
        ('{ department = "Enginering" }', "department 'Enginering' is nobody's: did you mean 'Engineering'?"),
        ('{ department = "Legal" }', "people's department is 'Engineering' or 'Sales'"),
        ('{ office = "Paris" }', "nobody has a fact 'office': correct its name, or have a source state it"),
        ('{ department = "Sales", givenName = "Ada" }', "correct the rule, or take it out"),
    ],
)
def test_a_rule_that_matches_nobody_is_told_with_what_may_have_been_meant(rule: str, mend: str) -> None:
    """The values that people have are looked at, and a name of the fact that nobody has."""
    found = _said(f'[[groups]]\naddress = "team"\nmembers = {rule}\n', *ROSTER[:2])

    assert found == [f"line 5: groups[0].members: matches nobody of 2 people; {mend}"]


def test_an_alternative_that_matches_nobody_is_told() -> None:
    """Of rules of which one must match, each is there for somebody."""
    rule = '{ any = [{ department = "Sales" }, { department = "Sale" }] }'
    found = _said(f'[[groups]]\naddress = "team"\nmembers = {rule}\n', *ROSTER[:2])

    assert [each.partition(": ")[2].partition(":")[0] for each in found] == ["groups[0].members.any[1]"]


def test_a_domain_whose_people_are_all_taken_is_told() -> None:
    """What no comparison of rules shows, the people do."""
    found = _said(
        """
        [[domains]]
        name = "a.example"
        people = { givenName = "B*" }
        [[domains]]
        name = "b.example"
        people = { department = "Sales" }
        """,
        *ROSTER[:2],
    )

    assert found == [
        (
            "line 9: domains[1].people: nobody is left for it: entries before it match the only person it has; move it "
            "further up"
        )
    ]


def test_people_who_get_no_address_are_counted_and_not_named() -> None:
    """A work address elsewhere and a name without letters are counted with the reason."""
    found = _said("", *ROSTER)

    assert found == [
        (
            "naming.patterns: 1 of 4 people cannot have an address: no address can be made from "
            "givenName, familyName or displayName; state a workEmail for them, or add a pattern"
        ),
        (
            "line 2: organisation.domain: 1 of 4 people cannot have an address: workEmail is not an address of "
            "example.org; add that domain under [[domains]]"
        ),
    ]
