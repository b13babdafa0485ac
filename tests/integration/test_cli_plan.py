"""`plan`: the exact calls, and nothing changed, neither here nor at the mail host."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.integration.shell import Shell, event, lines
from worker.sandbox import RunningSandbox

POLICY = """
[organisation]
domain = "example.org"

[joining]
lead = "2d"
existing = "hold"

[[groups]]
address = "engineering"
members = { department = "Engineering" }
"""
ADA = event(1, "person.joined", "E1", givenName="Ada", familyName="Lovelace", department="Engineering",
            personalEmail="ada@home.example")  # fmt: skip


@pytest.fixture
def host() -> Iterator[RunningSandbox]:
    """A stand-in mail host."""
    with RunningSandbox() as running:
        yield running


@pytest.fixture
def shell(tmp_path: Path, sqlite_template: Path, host: RunningSandbox) -> Shell:
    """A shell beside a deployment that has a policy and a mail host, and no people yet."""
    shutil.copy(sqlite_template, tmp_path / "mailroster.db")
    (tmp_path / "policy.toml").write_text(POLICY)
    account = {"MAILROSTER_MIGADU_USER": "admin@example.org", "MAILROSTER_MIGADU_KEY": "sandbox-key"}
    return Shell(tmp_path, account | {"MAILROSTER_MIGADU_URL": host.api_url})


def _rows(shell: Shell) -> dict[str, list[tuple[object, ...]]]:
    """Return everything in the database but the slots of the call budget."""
    with closing(sqlite3.connect(shell.directory / "mailroster.db")) as database:
        names = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        return {name: database.execute(f"select * from {name}").fetchall() for name in names if name != "call_slots"}


def test_the_plan_of_an_event_shows_its_calls_and_changes_nothing(shell: Shell, host: RunningSandbox) -> None:
    """A joiner costs a mailbox and the alias of the group; only lists are read, and the database stays as it was."""
    shell.write("ada.json", json.dumps(ADA))
    before = _rows(shell)

    ran = shell.run("plan", "--event", "ada.json", "--json")

    assert ran.code == 0, ran.err
    shown = ran.document
    operations = [step["operation"] for each in shown["subjects"] for step in each["steps"]]
    assert operations == ["create-mailbox", "create-alias"]
    assert shown["subjects"][1]["steps"][0]["after"] == {"destinations": ["ada.lovelace@example.org"]}
    assert (shown["writes"], shown["calls"], shown["seconds"]) == (2, 4, 0.0)
    assert "ada@home.example" not in ran.out
    assert _rows(shell) == before
    made = httpx.get(f"{host.url}/_sandbox/calls").json()
    assert {call["method"] for call in (made["calls"] if isinstance(made, dict) else made)} == {"GET"}


def test_what_cannot_be_planned_says_why_and_needs_a_person(shell: Shell) -> None:
    """A join without personal address under the invitation rule is stopped with the reason, and others go on."""
    bob = event(2, "person.joined", "E2", givenName="Bob", familyName="Builder")
    nameless = event(3, "person.joined", "E3", givenName="Carl", workEmail="carl@elsewhere.example")
    shell.write("people.ndjson", lines(ADA, bob, nameless))

    ran = shell.run("plan", "--event", "people.ndjson")

    assert ran.code == 3
    assert "create-mailbox ada.lovelace@example.org" in ran.out
    assert "stopped: personalEmail is needed to send the invitation" in ran.out
    assert "stopped: workEmail is not an address of example.org" in ran.out
    assert "Nothing was changed." in ran.out
    assert "\t" not in ran.out
    assert "\x1b" not in ran.out


def test_another_policy_can_be_tried_on_everybody(shell: Shell) -> None:
    """`plan --all --policy` shows what a policy that is not active would do with the events accepted so far."""
    assert shell.run("submit", "-", stdin=json.dumps(ADA)).code == 0
    shell.write("other.toml", POLICY.replace('"engineering"', '"builders"'))

    ran = shell.run("plan", "--all", "--policy", "other.toml", "--json")

    assert ran.code == 0, ran.err
    targets = [step["target"] for each in ran.document["subjects"] for step in each["steps"]]
    assert targets == ["ada.lovelace@example.org", "builders@example.org"]


def test_an_address_that_exists_at_the_host_is_seen(shell: Shell, host: RunningSandbox) -> None:
    """A mailbox that somebody made at the host stops the joiner who would get its address, as the policy says."""
    mailbox = {"local_part": "ada.lovelace", "name": "Another Ada"}
    httpx.post(f"{host.url}/_sandbox/seed", json={"domains": [{"name": "example.org", "mailboxes": [mailbox]}]})

    ran = shell.run("plan", "--event", "-", stdin=json.dumps(ADA))

    assert ran.code == 3
    assert "ada.lovelace@example.org exists already and was not made here" in ran.out


def test_a_domain_that_the_account_lacks_and_a_wrong_key_are_told(shell: Shell) -> None:
    """Faults of the mail host's account are one sentence each."""
    shell.write("elsewhere.toml", '[organisation]\ndomain = "elsewhere.example"\n')

    no_domain = shell.run("plan", "--event", "-", "--policy", "elsewhere.toml", stdin=json.dumps(ADA))
    wrong_key = shell.run("plan", "--all", MAILROSTER_MIGADU_KEY="wrong")

    assert (no_domain.code, wrong_key.code) == (1, 1)
    assert "no domain elsewhere.example" in no_domain.err
    assert "does not accept the account or its key" in wrong_key.err
    assert "Traceback" not in no_domain.err + wrong_key.err


def test_without_a_question_all_that_can_be_asked_is_named(shell: Shell) -> None:
    """A change of policy can be asked about by itself."""
    ran = shell.run("plan")

    assert (ran.code, ran.out) == (2, "")
    assert "one of --event FILE, --person KEY, --all, or --policy FILE by itself" in ran.err
