"""The policy file: what it may say, what it means by default, and how mistakes are told."""

from datetime import timedelta
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.policy import (
    Credential,
    Existing,
    Offset,
    PolicyInvalid,
    Renaming,
    StageAction,
    load_policy,
    policy_schema,
)

SMALLEST = '[organisation]\ndomain = "example.org"\n'

CONTRACT = """
[organisation]
domain = "example.org"
timezone = "Europe/Berlin"

[naming]
patterns = ["{given}.{family}", "{given[0]}.{family}", "{given}.{family}{n}"]   # the first free one
display = "{preferred} {family}"
reuse_after = "365d"
protected = ["postmaster", "abuse", "admin"]

[joining]
lead = "2d"
credential = "random"
existing = "next-name"

[mailbox]
may_access_pop3 = false
sender_denylist = ["spam@example.com"]

[[groups]]
address = "engineering"
members = { department = ["Engineering", "R&D"] }

[[groups]]
address = "everyone@example.org"
members = {}
fallback = "front.desk"

[renaming]
strategy = "display-only"

[leaving]
[[leaving.stages]]
after = "0d"
do = ["block", "leave-groups"]
[[leaving.stages]]
after = "720h"
do = ["delete-mailbox"]

[brakes]
block     = { floor = 5, share = 0.10, per = "24h" }
delete    = { floor = 3, share = 0.05, per = "24h" }
immediate = { floor = 20, share = 0.20, per = "1h" }
"""


def problems(text: str) -> list[str]:
    """Return the sentences with which a policy is refused."""
    with pytest.raises(PolicyInvalid) as refused:
        load_policy(text)
    return [str(problem) for problem in refused.value.problems]


def test_a_domain_is_all_that_a_policy_must_say():
    """The smallest policy has the contract's defaults."""
    policy = load_policy(SMALLEST)

    assert [str(pattern) for pattern in policy.naming.patterns] == [
        "{given}.{family}",
        "{given[0]}.{family}",
        "{given}.{family}{n}",
    ]
    assert policy.organisation.timezone == "UTC"
    assert policy.joining.lead == Offset(days=2)
    assert policy.joining.credential is Credential.INVITATION
    assert policy.joining.existing is Existing.HOLD
    assert policy.renaming.strategy is Renaming.IDENTITY
    assert policy.leaving.offset_of(StageAction.BLOCK) == Offset()
    assert policy.leaving.offset_of(StageAction.LEAVE_GROUPS) == Offset()
    assert policy.leaving.offset_of(StageAction.DELETE_MAILBOX) == Offset(days=30)
    assert policy.brakes.window("immediate").per.length == timedelta(hours=1)


@pytest.mark.parametrize(("lists", "allowed"), [(0, 1), (1, 1), (2, 1), (3, 1), (5, 2), (6, 3), (9, 3), (100, 10)])
def test_never_more_than_half_of_all_lists_may_go(lists: int, allowed: int):
    """The floor of a few lists would let all of them go; one may always go, and of many lists the share."""
    assert load_policy(SMALLEST).brakes.allowed("lists", lists) == allowed
    assert load_policy(SMALLEST).brakes.allowed("delete", lists) == max(3, lists // 20)


def test_a_share_of_lists_is_what_the_policy_says():
    """Whoever writes that all may go in a day means it."""
    every = '[brakes]\nlists = { floor = 3, share = 1.0, per = "24h" }\n'

    assert load_policy(SMALLEST + every).brakes.allowed("lists", 4) == 4


def test_a_brake_that_lets_nothing_through_lets_no_list_go():
    """What the policy says counts, where it is less."""
    none = '[brakes]\nlists = { floor = 0, share = 0.0, per = "24h" }\n'

    assert load_policy(SMALLEST + none).brakes.allowed("lists", 10) == 0


def test_the_policy_of_the_contract_is_understood():
    """Every supported key of the contract arrives as its value."""
    policy = load_policy(CONTRACT)

    assert policy.mailbox == {"may_access_pop3": False, "sender_denylist": ("spam@example.com",)}
    assert set(policy.shared) == {"engineering@example.org", "everyone@example.org"}
    assert policy.groups[0].members.facts == {"department": ("Engineering", "R&D")}
    assert policy.leaving.offset_of(StageAction.DELETE_MAILBOX) == Offset(hours=720)
    assert policy.protected == {"postmaster@example.org", "abuse@example.org", "admin@example.org"}


def test_the_starter_policy_is_valid_and_says_the_defaults():
    """What ``init`` writes means the same as writing nothing but the domain, and its commented examples work, too."""
    text = files("worker.policy").joinpath("starter.toml").read_text(encoding="utf-8")
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    settings = [line for line in lines if line.startswith("[") or " = " in line]

    assert load_policy(text).hash == load_policy(SMALLEST).hash
    assert len(load_policy("\n".join(settings)).groups) == 3


def test_the_hash_is_of_what_the_policy_says():
    """Comments, order, white space and stated defaults leave the hash alone; a changed value does not."""
    policy = load_policy(CONTRACT)
    respaced = load_policy("# hello\n" + CONTRACT.replace(" = ", "  =  "))
    changed = load_policy(CONTRACT.replace("R&D", "Research"))

    assert respaced.hash == policy.hash
    assert changed.hash != policy.hash
    assert load_policy(SMALLEST + '[joining]\nlead = "2d"\n').hash == load_policy(SMALLEST).hash


def test_a_typing_error_in_a_key_is_told_with_its_line_and_a_guess():
    """An unknown key names the line and the key that was probably meant."""
    told = problems(SMALLEST + '\n[naming]\n# a comment\npatern = ["{given}"]\n')

    assert told == ["line 6: naming.patern: unknown key; did you mean 'patterns'?"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[joining]\nlead = 2", 'line 4: joining.lead: must be calendar days such as "30d" or hours such as "12h"'),
        ("[joining]\ncredential = 'none'", "line 4: joining.credential: must be 'invitation' or 'random'"),
        ("[mailbox]\nmay_send = 1", "line 4: mailbox.may_send: must be true or false"),
        ("[mailbox]\nmay_sent = true", "line 4: mailbox.may_sent: unknown key; did you mean 'may_send'?"),
        ("[mailbox]\nsender_denylist = 'x'", "line 4: mailbox.sender_denylist: must be a list"),
        ("[mailbox]\ndaily_outgoing_limit = true", "line 4: mailbox.daily_outgoing_limit: must be a whole number"),
        ("[brakes.block]\nfloor = 1\nshare = 2\nper = '1h'", "line 5: brakes.block.share: must not be more than 1"),
        ("[brakes]\nblock = {floor = 1}", None),
        ("[reconcile]\ndefault = 'mend'", "line 4: reconcile.default: must be 'repair', 'report' or 'accept'"),
        ("[reconcile]\nfields = 'name'", "line 4: reconcile.fields: must be a table"),
        (
            "[reconcile]\nfields = {nmae = 'report'}",
            "line 4: reconcile.fields.nmae: unknown key; did you mean 'name'?",
        ),
        (
            "[reconcile.fields]\nname = 'keep'",
            "line 4: reconcile.fields.name: must be 'repair', 'report' or 'accept'",
        ),
        (
            "[reconcile]\nfields = {password_recovery_email = 'repair'}",
            "line 4: reconcile.fields.password_recovery_email: unknown key",
        ),
        ("[naming]\npatterns = []", "line 4: naming.patterns: must not be empty"),
        ("[naming]\nprotected = ['a b']", "line 4: naming.protected[0]: 'a b' is not a valid local part"),
        ("[quirks]\n", "line 3: quirks: unknown key"),
        (
            "[[groups]]\naddress = 'a'\nmembers = {}\n[[groups]]\naddress = 'a@example.org'\nmembers = {}",
            "line 7: groups[1].address: 'a@example.org' is the address of another group already",
        ),
        (
            "[[groups]]\naddress = 'a@other.example'\nmembers = {}",
            "line 4: groups[0].address: 'a@other.example' is not an address of example.org",
        ),
        (
            "[[groups]]\naddress = 'abuse'\nmembers = {}",
            "line 4: groups[0].address: 'abuse' is in naming.protected; take it out there first",
        ),
        (
            "[[groups]]\naddress = 'a'\nmembers = {}\nfallback = 'a'",
            "line 6: groups[0].fallback: a group cannot be its own fallback",
        ),
        (
            "\n".join(
                f"[[groups]]\naddress = '{at}'\nmembers = {{}}\nfallback = '{to}'" for at, to in ("ab", "bc", "cb")
            ),
            "line 14: groups[2].fallback: comes back to 'c' through fallbacks of groups; name a mailbox",
        ),
        (
            "[mailbox]\nexpires_on = '31.12.2026'",
            "line 4: mailbox.expires_on: must be a day such as '2026-12-31'",
        ),
        (
            "[mailbox]\nautorespond_expires_on = '2026-13-01'",
            "line 4: mailbox.autorespond_expires_on: must be a day such as '2026-12-31'",
        ),
        ("[joining]\nlead = '9999999d'", "line 4: joining.lead: must not be longer than 36500 days"),
        ("[[groups]]\naddress = 'a'", "line 3: groups[0].members: is required"),
        (
            "[[groups]]\naddress = 'a'\nmembers = {x = 1979-05-27}",
            "line 5: groups[0].members.x[0]: must be text, a number, or true or false",
        ),
        ("[[groups]]\naddress = 'a'\nmembers = {}\ninternal = 1", "line 6: groups[0].internal: must be true or false"),
        (
            "[[leaving.stages]]\nafter = '1d'\ndo = ['block']\n[[leaving.stages]]\nafter = '1h'\ndo = ['leave-groups']",
            "line 7: leaving.stages[1].after: must not be earlier than the stage before it",
        ),
        (
            "[[leaving.stages]]\nafter = '1d'\ndo = ['delete-mailbox', 'block']",
            "line 5: leaving.stages[0].do[0]: 'delete-mailbox' must come after 'block'",
        ),
        (
            "[[leaving.stages]]\nafter = '1d'\ndo = ['block', 'block']",
            "line 5: leaving.stages[0].do[1]: 'block' is done already",
        ),
        (
            "[[leaving.stages]]\nafter = '1d'\ndo = ['leave-groups']",
            "line 3: leaving.stages: one stage must do 'block'",
        ),
        (
            "[[leaving.stages]]\nafter = '1d'\ndo = ['block', 'alias-to-manager', 'delete-mailbox']",
            "line 5: leaving.stages[0].do[1]: 'alias-to-manager' must come after 'delete-mailbox'",
        ),
        (
            "[[leaving.stages]]\nafter = '1d'\ndo = ['block', 'release-address']",
            "line 5: leaving.stages[0].do[1]: 'release-address' must come after 'delete-mailbox'",
        ),
        (
            "[[leaving.stages]]\nafter = '1d'\ndo = ['block', 'delete-mailbox', 'release-address', 'alias-to-manager']",
            None,
        ),
        (
            "[[leaving.stages]]\nafter = '1d'\ndo = ['block', 'delete-mailbox', 'alias-to-manager', 'release-address']",
            "line 5: leaving.stages[0].do[3]: 'release-address' must be later than 'alias-to-manager', not at once",
        ),
        (
            "[[leaving.stages]]\nafter = '1d'\ndo = ['block', 'delete-mailbox', 'forward-to-manager']",
            "line 5: leaving.stages[0].do[2]: 'forward-to-manager' must come before 'delete-mailbox'",
        ),
        (
            "[[leaving.stages]]\nafter = '1d'\ndo = ['block', 'autoreply']",
            "line 5: leaving.stages[0].do[1]: 'autoreply' needs a subject and a body under [leaving.autoreply]",
        ),
    ],
)
def test_a_mistake_is_told_in_one_sentence_with_line_and_key(text, sentence):
    """Each kind of mistake names where it is and what is wrong."""
    told = problems(SMALLEST + text)

    assert told == [sentence] if sentence else len(told) == 2


def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines():
    """Nobody mends a file one run at a time."""
    told = problems("[organisation]\ndomain = 'x'\ntimezone = 'Mars/Olympus'\n[joining]\nexisting = 'no'\n")

    assert [sentence.split(":")[1].strip() for sentence in told] == [
        "organisation.domain",
        "organisation.timezone",
        "joining.existing",
    ]


def test_text_that_is_no_toml_is_told_with_its_line():
    """A syntax error has a line and no key."""
    assert problems(SMALLEST + "x = = 1\n") == ["line 3: this is not valid TOML: Invalid value"]
    assert problems("") == ["organisation: is required"]


@pytest.mark.parametrize(
    "pattern",
    [
        "{given",
        "given}",
        "{}",
        "{given.__class__}",
        "{given[1]}",
        "{0}",
        "{given!r}",
        "{given:>9}",
        "{{given}}",
        "{n}",
        "",
    ],
)
def test_a_pattern_knows_its_variables_and_nothing_else(pattern):
    """Nothing that Python's formatting would evaluate is accepted."""
    assert len(problems(SMALLEST + f"[naming]\npatterns = ['{pattern}']")) == 1


def test_lines_are_right_whatever_stands_around():
    """Values over several lines, dotted and quoted keys and headers inside of strings do not mislead."""
    text = '''organisation.domain = "example.org"
mailbox."footer_plain_body" = """
[naming]
display = 1
"""
naming.patterns = [  # "
  "{given}",
]
joining = { lead = "2d",   existing = "no" }
'''

    assert problems(text) == ["line 9: joining.existing: must be 'hold', 'next-name' or 'adopt'"]


def test_the_schema_describes_every_key():
    """Editors get a description of each key, and defaults as they are written."""
    schema = policy_schema()
    fields = [field for model in (schema, *schema["$defs"].values()) for field in model.get("properties", {}).items()]

    assert [name for name, field in fields if "description" not in field and "$ref" not in field] == []
    assert schema["$defs"]["JoiningSection"]["properties"]["lead"]["default"] == "2d"
    assert schema["$defs"]["NamingSection"]["properties"]["patterns"]["default"][0] == "{given}.{family}"


@given(st.text(max_size=60))
def test_any_text_is_a_policy_or_is_refused(text):
    """No text whatever ends in anything but a policy or PolicyInvalid."""
    with pytest.raises(PolicyInvalid):
        load_policy(SMALLEST + "[nothing]\n" + text)
