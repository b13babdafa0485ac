"""Texts with variables: what they know, what they refuse, and that nothing in them is ever evaluated."""

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.policy_people import ADA, ADDRESS, NOW, policy, view
from tests.unit.test_policy_file import SMALLEST, problems
from worker.events import FACTS
from worker.mail import Address
from worker.policy import Manager, desired
from worker.policy.texts import OF_TEXTS, parse_text

GRACE = Manager(Address("grace@example.org"), "Grace Hopper")
FACTS_OF_ADA = {**ADA, "nickName": "Addie", "displayName": "Addie Lovelace", "title": "Countess", "level": 3}


def rendered(text, **more):
    """Fill a text for Ada."""
    return parse_text(text).render(FACTS_OF_ADA | more.pop("facts", {}), ADDRESS, more.pop("manager", GRACE), **more)


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("{given} {family}, {preferred} ({given[0]})", "Ada Lovelace, Addie (A)"),
        ("{displayName} <{address}>", "Addie Lovelace <ada.lovelace@example.org>"),
        ("Ask {manager.displayName} ({manager.address}).", "Ask Grace Hopper (grace@example.org)."),
        ("{title}, level {level}, {middle}{unstated}.", "Countess, level 3, ."),
        ("{ title }", "Countess"),
        ("p {{ margin: 0 }}", "p { margin: 0 }"),
        ("{{{title}}}", "{Countess}"),
        ("", ""),
    ],
)
def test_a_text_knows_names_facts_the_address_and_the_manager(text, reads):
    """Each variable is replaced, doubled braces are braces, and what nobody stated leaves nothing."""
    assert rendered(text) == reads


def test_without_a_manager_there_is_nobody_to_name():
    """Nothing stands where the manager would be named."""
    assert rendered("[{manager.displayName}{manager.address}]", manager=None) == "[]"


@pytest.mark.parametrize(
    ("fact", "reads"),
    [(True, "true"), (None, ""), (("a", "b"), "a, b"), (1.5, "1.5"), ("one\r\ntwo\0", "one two")],
)
def test_facts_of_every_kind_are_written_on_one_line(fact, reads):
    """No fact can begin a line of its own, as in the head of a mail."""
    assert rendered("{what}", facts={"what": fact}) == reads


def test_a_fact_cannot_bring_a_variable_or_markup():
    """What is put in is not read again, and in HTML it can only be text."""
    facts = {"title": "{address} <b>&"}

    assert rendered("{title}", facts=facts) == "{address} <b>&"
    assert rendered("<i>{title}</i>", facts=facts, in_html=True) == "<i>{address} &lt;b&gt;&amp;</i>"


@given(
    st.lists(
        st.sampled_from(sorted((OF_TEXTS | FACTS) - {"personalEmail"})) | st.sampled_from(["x{", "}", "{{", "%s", "$x"])
    ),
    st.dictionaries(st.sampled_from(sorted(FACTS)), st.none() | st.text() | st.booleans() | st.integers()),
)
def test_a_text_is_its_literals_with_values_between(pieces, facts):
    """Filling never raises, and its result is literals and values in order, for any text and any facts."""
    known = OF_TEXTS | FACTS
    text = "".join(f"{{{p}}}" if p in known else p.replace("{", "{{").replace("}", "}}") for p in pieces)

    alone = [p if p not in known else parse_text(f"{{{p}}}").render(facts, None, None) for p in pieces]
    assert parse_text(text).render(facts, None, None) == "".join(alone)
    escaped = [p if p not in known else html.escape(filled) for p, filled in zip(pieces, alone, strict=True)]
    assert parse_text(text).render(facts, None, None, in_html=True) == "".join(escaped)


@given(st.text(alphabet="{}ab [0].!_'\"()") | st.text())
def test_any_text_is_read_or_refused_and_never_evaluated(text):
    """Reading raises nothing but ValueError; what is read is filled without an exception and shows itself again."""
    try:
        parsed = parse_text(text)
    except ValueError:
        return
    parsed.render({}, None, None)

    assert str(parsed) == text
    assert all(isinstance(reason, str) for reason in parsed.problems(()))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('footer_plain_body = "{givn}"', "mailbox.footer_plain_body: {givn} is not known; did you mean {given}?"),
        ('footer_html_body = "{given"', ("mailbox.footer_html_body: has a brace without its partner; "
         "write {{ or }} for a brace that shall be seen")),
        ('autorespond_body = "{personalEmail}"', ("mailbox.autorespond_body: {personalEmail} may not be used: "
         "it is never shown to anybody")),
        ("footer_plain_body = 7", "mailbox.footer_plain_body: must be text"),
        ('autorespond_subject = "{given.__class__}"', "mailbox.autorespond_subject: {given.__class__} is not known; "),
    ],
)  # fmt: skip
def test_a_text_that_cannot_be_filled_is_refused_with_its_line(line, sentence):
    """Before anything runs, with the mend."""
    (problem,) = problems(f"{SMALLEST}[mailbox]\n{line}")

    assert problem.startswith(f"line 4: {sentence}")


def test_a_fact_that_a_rule_asks_for_is_known_to_texts():
    """Facts that the canonical event does not know are learned from the rules."""
    rule = '[[groups]]\naddress = "tower"\nmembers = { desk = "T1" }\n'

    assert policy(f'{rule}[mailbox]\nfooter_plain_body = "Desk {{desk}}"')


def test_footers_follow_a_rename_and_what_the_policy_does_not_name_is_not_wanted():
    """The footer has the display name by the policy's pattern; other fields are the person's own."""
    rules = policy('[mailbox]\nfooter_html_body = "{displayName} & {title}"\nfooter_plain_body = "{displayName}"')
    mailbox = desired(view(facts={**ADA, "familyName": "King <3"}), rules, NOW).state.mailbox

    assert mailbox.fields == {"footer_html_body": "Ada King &lt;3 & ", "footer_plain_body": "Ada King <3"}
