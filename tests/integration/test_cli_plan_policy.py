"""`plan --policy`: what a change of policy alone brings, grouped and counted, and nothing changed."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.shell import Shell, event
from worker.bell import SilentBell
from worker.clock import clock_from
from worker.intake import Intake, accept, admit, apply_next
from worker.sandbox import RunningSandbox
from worker.store.database import Database

POLICY = """
[organisation]
domain = "example.org"

[joining]
credential = "random"

[mailbox]
may_access_pop3 = true

[[groups]]
address = "engineering"
members = { department = "Engineering" }
"""
OTHER = POLICY.replace("may_access_pop3 = true", "may_access_pop3 = false") + (
    '\n[[groups]]\naddress = "everybody"\nmembers = {}\n'
)


@pytest.fixture(scope="module")
def host() -> Iterator[RunningSandbox]:
    """A stand-in mail host, where nobody makes anything."""
    with RunningSandbox() as running:
        yield running


@pytest.fixture
def intake(tmp_path: Path, sqlite_template: Path) -> Iterator[Intake]:
    """The intake of a deployment whose policy is in force, as after a worker started once."""
    with closing(Database(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'mailroster.db')}")) as database:
        opened = Intake(database, clock_from(None), SilentBell(), {}, {"import"})
        admit(opened, POLICY)
        yield opened


@pytest.fixture
def shell(tmp_path: Path, intake: Intake, host: RunningSandbox) -> Shell:
    """A shell beside that deployment, to which forty joiners were told."""
    (tmp_path / "policy.toml").write_text(POLICY)
    account = {"MAILROSTER_MIGADU_USER": "admin@example.org", "MAILROSTER_MIGADU_KEY": "sandbox-key"}
    joins = [event(n, "person.joined", f"E{n}", givenName=f"Ada{n}", department="Engineering") for n in range(1, 41)]
    accept(intake, "import", joins)
    (tmp_path / "other.toml").write_text(OTHER)
    return Shell(tmp_path, account | {"MAILROSTER_MIGADU_URL": host.api_url})


def test_many_are_grouped_and_listed_on_demand(shell: Shell) -> None:
    """Forty joiners are a line and a count; --details shows each, and --json keeps every subject."""
    grouped, details = shell.run("plan", "--all"), shell.run("plan", "--all", "--details")
    document = shell.run("plan", "--all", "--json").document

    assert "  40 mailboxes made\n  1 list made\n" in grouped.out
    assert "ada7@example.org" not in grouped.out
    assert "--details shows each call" in grouped.out
    assert "create-mailbox ada7@example.org" in details.out
    assert len(document["subjects"]) == 41
    assert [(each["count"], each["object"]) for each in document["groups"]] == [(40, "mailbox"), (1, "list")]


def test_another_policy_is_compared_with_the_one_in_force(shell: Shell) -> None:
    """What comes anyway stands apart from what the change alone brings, with its own calls and time."""
    ran = shell.run("plan", "--policy", "other.toml", MAILROSTER_CALL_LIMIT="60/120")

    assert ran.code == 0, ran.err
    assert "The change alone brings:\n  1 list made\n" in ran.out
    assert "1 call more" in ran.out or "2 calls more" in ran.out
    assert "Comes anyway, under either policy:\n  40 mailboxes made\n  1 list made\n" in ran.out
    assert "Nothing was changed." in ran.out


def test_the_comparison_is_in_the_document_too(shell: Shell) -> None:
    """--json has the groups of the difference, its cost, and which subjects differ."""
    shown = shell.run("plan", "--policy", "other.toml", "--json").document
    same = shell.run("plan", "--all", "--policy", "policy.toml", "--json").document

    change = shown["change"]
    assert [each["said"] for each in change["brings"]] == ["1 list made"]
    assert change["policy"]["held"] is False
    assert [each["subject"]["key"] for each in shown["subjects"] if each["differs"]] == ["everybody@example.org"]
    assert same["change"] is None


def test_a_person_and_an_event_can_be_asked_for(shell: Shell, intake: Intake) -> None:
    """The question of the policy may be about one person, or about an event that has not happened yet."""
    (shell.directory / "ben.json").write_text(json.dumps(event(99, "person.joined", "E99", givenName="Ben")))

    while apply_next(intake):
        pass

    person = shell.run("plan", "--person", "E1", "--policy", "other.toml", "--json").document
    joiner = shell.run("plan", "--event", "ben.json", "--policy", "other.toml")

    assert {each["subject"]["key"] for each in person["subjects"]} >= {"1", "everybody@example.org"}
    assert "The change alone brings:\n  1 list made\n" in joiner.out
    assert "create-mailbox ben@example.org" in joiner.out
