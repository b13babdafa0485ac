"""An organisation with several mail domains: who is given an address where, and what the host cannot move."""

import json
from pathlib import Path

import pytest

from tests.integration.office import DAY, Office
from tests.integration.shell import beside
from worker.execution import run_next
from worker.execution.preview import OfEverybody, preview
from worker.store.states import JobState
from worker.store.tables import AddressRow

POLICY = """
[organisation]
domain = "example.org"

[naming]
protected = ["postmaster"]

[[domains]]
name = "Bücher.example"
people = { department = "Press" }

[[domains]]
name = "example.fr"
people = { country = "FR" }

[[groups]]
address = "everyone"
members = {}
"""
BOOKS = "xn--bcher-kva.example"
CANNOT_MOVE = "the mail host cannot move {} to {}, so the mailbox stays"


@pytest.fixture
def branches(office: Office) -> Office:
    """An office with a policy for three domains that the host holds."""
    office.seed_domains("example.org", "example.fr", BOOKS)
    office.activate(POLICY)
    return office


def joins(office: Office, subject: str, name: str, **facts: object) -> None:
    """Have somebody join and work everything off."""
    office.join(subject, name, **facts)
    office.drain()


def test_the_first_rule_that_matches_gives_the_domain(branches: Office) -> None:
    """Each domain is read once before its first joiner; whom no rule matches is in the organisation's."""
    joins(branches, "E1", "Ada Lovelace")
    joins(branches, "E2", "Sophie Germain", country="FR")
    joins(branches, "E3", "Emilie Chatelet", country="FR", department="Press")

    assert set(branches.mailboxes()) == {"ada.lovelace"}
    assert set(branches.mailboxes("example.fr")) == {"sophie.germain"}
    assert set(branches.mailboxes(BOOKS)) == {"emilie.chatelet"}
    assert branches.outstanding() == []


def test_the_same_name_is_free_in_each_domain(branches: Office) -> None:
    """Addresses collide within their domain only."""
    joins(branches, "E1", "Ada Lovelace")
    joins(branches, "E2", "Ada Lovelace", country="FR")

    assert set(branches.mailboxes()) == set(branches.mailboxes("example.fr")) == {"ada.lovelace"}


@pytest.mark.parametrize("written", ["ada@bücher.example", f"Ada@{BOOKS}"])
def test_a_work_address_may_be_of_any_domain_in_either_form(branches: Office, written: str) -> None:
    """The stated address pins its domain, too, whether that is written in its script or in punycode."""
    joins(branches, "E1", "Ada Lovelace", workEmail=written)

    assert set(branches.mailboxes(BOOKS)) == {"ada"}


def test_an_address_of_a_strange_domain_is_held_with_all_that_are_ours(branches: Office) -> None:
    """The sentence names the domains that would do."""
    joins(branches, "E1", "Ada Lovelace", workEmail="ada@other.example")

    (job,) = branches.jobs(JobState.HELD)
    assert job.reason == f"workEmail is not an address of example.org or {BOOKS} or example.fr"


def test_who_changes_domain_keeps_the_mailbox_and_the_job_says_why(branches: Office) -> None:
    """Everything else of the change is done; moving back ends the hold without a call."""
    joins(branches, "E1", "Ada Lovelace")

    branches.tell("updated", "E1", country="FR", familyName="King")
    branches.drain()
    moved = branches.job_of(1)

    assert moved.state is JobState.HELD
    assert moved.reason is not None
    assert moved.reason.startswith(CANNOT_MOVE.format("ada.lovelace@example.org", "example.fr"))
    assert branches.mailboxes()["ada.lovelace"]["name"] == "Ada King"
    assert branches.identities("ada.lovelace") == {"ada.king"}
    assert branches.mailboxes("example.fr") == {}

    branches.tell("updated", "E1", title="Countess")
    branches.drain()
    assert branches.job_of(1).state is JobState.HELD

    calls = len(branches.writes())
    branches.tell("updated", "E1", country="GB")
    branches.drain()
    assert (branches.outstanding(), len(branches.writes())) == ([], calls)


def test_who_cannot_be_moved_needs_a_person_whichever_command_is_asked(
    branches: Office, migrated_url: str, tmp_path: Path
) -> None:
    """A plan without calls, for everybody, one or an event, and the person shown all end with the code for that."""
    joins(branches, "E1", "Ada Lovelace")
    shell = beside(branches, migrated_url, tmp_path)
    shell.write("policy.toml", POLICY)
    shell.write("hr.toml", '[sources.hr]\nkind = "standard-webhooks"\nsecret_env = "SECRET"\n')
    before = shell.run("plan", "--all")
    moves = json.dumps(branches.event("updated", "E1", country="FR"))
    told = shell.run(
        "plan", "--event", "-", "--source", "hr", stdin=moves, MAILROSTER_SOURCES="hr.toml", SECRET=f"whsec_{'A' * 32}"
    )
    branches.tell("updated", "E1", country="FR")
    branches.drain()

    asked = [
        shell.run(*command) for command in (("plan", "--all"), ("plan", "--person", "E1"), ("people", "show", "E1"))
    ]
    (ada,) = shell.run("plan", "--person", "E1", "--json").document["subjects"]

    assert (before.code, told.code) == (0, 3), told.err
    assert [each.code for each in asked] == [3, 3, 3]
    assert all(CANNOT_MOVE.format("ada.lovelace@example.org", "example.fr") in each.out for each in (told, *asked))
    assert (ada["needsPerson"], ada["steps"]) == (True, [])


def test_a_list_that_leaves_a_person_out_is_not_shown_as_theirs(
    branches: Office, migrated_url: str, tmp_path: Path
) -> None:
    """The host gives the list of one domain to mailboxes of that domain alone, which is said instead."""
    joins(branches, "E1", "Ada Lovelace")
    joins(branches, "E2", "Sophie Germain", country="FR")
    shell = beside(branches, migrated_url, tmp_path)
    left_out = "eft out of everyone@example.org: the mail host hands mail of example.org only to mailboxes of example"

    ada, sophie = (shell.run("people", "show", each).out for each in ("E1", "E2"))
    why_ada, why_sophie = (shell.run("why", each).out for each in ("E1", "E2"))
    shown = shell.run("people", "show", "E2", "--json").document

    assert "groups: everyone@example.org\n" in ada
    assert "Groups: everyone@example.org\n" in why_ada
    assert ("groups: none\n" in sophie, left_out in sophie, left_out in ada) == (True, True, False)
    assert ("Groups: none\n" in why_sophie, left_out in why_sophie, left_out in why_ada) == (True, True, False)
    assert (shown["groups"], [each["list"] for each in shown["leftOutOf"]]) == ([], ["everyone@example.org"])


def test_stating_the_address_as_work_address_ends_the_hold(branches: Office) -> None:
    """Who keeps the address on purpose says so."""
    joins(branches, "E1", "Ada Lovelace")
    branches.tell("updated", "E1", country="FR")
    branches.drain()

    branches.tell("updated", "E1", workEmail="ada.lovelace@example.org")
    branches.drain()

    assert branches.outstanding() == []


def test_a_hold_about_the_domain_delays_no_departure(branches: Office) -> None:
    """The block and the deletion come when they are due."""
    joins(branches, "E1", "Ada Lovelace")
    branches.tell("updated", "E1", country="FR")
    branches.drain()

    branches.tell("left", "E1")
    branches.drain()
    assert not any(branches.doors("ada.lovelace").values())

    branches.work_on(DAY * 31, every=DAY)
    assert branches.mailboxes() == {}
    assert branches.outstanding() == []


def test_who_changes_domain_before_the_mailbox_is_made_gets_it_there(branches: Office) -> None:
    """What was only promised is taken back, free for others at once."""
    branches.fail({"match": {"method": "POST"}, "times": 1, "fault": "plan-limit-403"})
    joins(branches, "E1", "Ada Lovelace")
    assert branches.mailboxes() == {}

    branches.tell("updated", "E1", country="FR")
    branches.work_on(DAY)
    joins(branches, "E2", "Ada Lovelace")

    assert set(branches.mailboxes("example.fr")) == set(branches.mailboxes()) == {"ada.lovelace"}
    assert branches.outstanding() == []


def test_who_comes_back_to_another_domain_gets_a_new_address_there(branches: Office) -> None:
    """After the deletion nothing ties a person to the former domain; the former address stays barred for others."""
    joins(branches, "E1", "Ada Lovelace")
    branches.tell("left", "E1")
    branches.drain()
    branches.work_on(DAY * 31, every=DAY)

    joins(branches, "E1", "Ada Lovelace", country="FR")
    joins(branches, "E2", "Ada Lovelace")

    assert set(branches.mailboxes("example.fr")) == {"ada.lovelace"}
    assert set(branches.mailboxes()) == {"a.lovelace"}


def test_an_unknown_call_keeps_the_promise(branches: Office) -> None:
    """While a creation may have arrived, the address is not taken back: the mailbox stays where it came to be."""
    joins(branches, "E2", "Grace Hopper")
    branches.fail({"match": {"method": "POST"}, "times": 1, "fault": "drop-after-apply"})
    branches.join("E1", "Ada Lovelace")
    branches.apply_all()
    while ("create-mailbox", "unknown") not in branches.ledger():
        assert run_next(branches.execution)

    branches.tell("updated", "E1", country="FR")
    branches.work_on(DAY / 24)

    assert "ada.lovelace" in branches.mailboxes()
    assert branches.mailboxes("example.fr") == {}
    assert [job.state for job in branches.jobs() if job.person_id and job.finished_at is None] == [JobState.HELD]


def test_a_list_reaches_only_mailboxes_of_its_own_domain(branches: Office) -> None:
    """The host would turn a strange destination into an address of its own domain, so it is left out, and said."""
    joins(branches, "E1", "Ada Lovelace")
    joins(branches, "E2", "Ada Lovelace", country="FR")

    assert branches.aliases() == {"everyone": {"ada.lovelace"}}
    note = branches.job_on("everyone").reason
    assert note == "1 member is left out: the mail host hands mail of example.org only to mailboxes of example.org"


def test_protected_names_are_protected_in_every_domain(branches: Office) -> None:
    """A local part in the policy's list means all of its domains."""
    joins(branches, "E1", "Post Master", workEmail="postmaster@example.fr")

    assert branches.outstanding()[0][1:] == (
        "held",
        "workEmail is an address that the policy protects or gives to a group",
    )


def test_a_preview_looks_at_every_domain(branches: Office) -> None:
    """What it says is what is then done, in every domain; and it keeps nothing."""
    branches.join("E1", "Ada Lovelace")
    branches.join("E2", "Sophie Germain", country="FR")

    seen = preview(branches.execution, branches.intake, OfEverybody())

    assert {each.address for each in seen.subjects if each.plan.steps} == {
        "ada.lovelace@example.org",
        "sophie.germain@example.fr",
        "everyone@example.org",
    }
    assert branches.total(AddressRow) == 0
    before = len(branches.calls())
    branches.drain()
    assert len(branches.calls()) - before == seen.writes + seen.reads


def test_a_domain_that_the_host_does_not_have_stops_only_those_who_need_it(branches: Office) -> None:
    """Its job is held with the mend, a preview says so, and others go on."""
    branches.seed_domains("example.org", BOOKS)
    joins(branches, "E1", "Ada Lovelace")
    joins(branches, "E2", "Sophie Germain", country="FR")

    assert set(branches.mailboxes()) == {"ada.lovelace"}
    assert (
        "domain",
        "held",
        (
            "the mail host has no domain example.fr: add it there, "
            "or mend organisation.domain or [[domains]] in the policy"
        ),
    ) in branches.outstanding()
    shown = preview(branches.execution, branches.intake, OfEverybody())
    assert ["example.fr" in str(each.stopped) for each in shown.subjects if each.key == "2"] == [True]
