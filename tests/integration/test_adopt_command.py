"""`adopt` as an administrator uses it: look, decide, confirm by the hash of the table, and give back."""

import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.shell import PATIENCE_S, Shell, event, lines
from worker.sandbox import RunningSandbox

POLICY = '[organisation]\ndomain = "example.org"\n[[groups]]\naddress = "team"\nmembers = { department = "Team" }\n'
SEED: dict[str, Any] = {
    "name": "example.org",
    "mailboxes": [
        {"local_part": "al", "name": "Office", "password_recovery_email": "ada@home.example"},
        {"local_part": "bob.builder", "name": "Bob Builder"},
        {"local_part": "info", "name": "Info"},
    ],
    "aliases": [{"local_part": "team", "destinations": ["info@example.org"]}],
}
ROSTER = lines(
    event(1, "person.joined", "E1", givenName="Ada", familyName="Lovelace", personalEmail="ada@home.example"),
    event(2, "person.joined", "E2", givenName="Bob", familyName="Builder", department="Team"),
    event(3, "person.joined", "E3", givenName="Bob", familyName="Builder"),
)


@pytest.fixture
def host() -> Iterator[RunningSandbox]:
    """A mail host with three mailboxes and an alias."""
    with RunningSandbox() as running:
        httpx.post(f"{running.url}/_sandbox/seed", json={"domains": [SEED]}).raise_for_status()
        yield running


@pytest.fixture
def shell(tmp_path: Path, sqlite_template: Path, host: RunningSandbox) -> Shell:
    """A shell beside a deployment whose roster is loaded and whose worker never ran."""
    shutil.copy(sqlite_template, tmp_path / "mailroster.db")
    account = {"MAILROSTER_MIGADU_USER": "admin@example.org", "MAILROSTER_MIGADU_KEY": "sandbox-key"}
    opened = Shell(tmp_path, account | {"MAILROSTER_MIGADU_URL": host.api_url})
    opened.write("policy.toml", POLICY)
    assert opened.run("submit", "-", stdin=ROSTER).code == 0
    return opened


def writes(host: RunningSandbox) -> list[str]:
    """Return the methods of calls that may have changed something."""
    calls = httpx.get(f"{host.url}/_sandbox/calls").json()["calls"]
    return [call["method"] for call in calls if call["method"] != "GET"]


def test_look_decide_and_take_over(shell: Shell, host: RunningSandbox) -> None:
    """The table names what to type; the same table is taken over by its hash; nothing is written at the host."""
    look = shell.run("adopt")
    decided = shell.run("adopt", "--match", "bob.builder=E2", "--json")
    table = decided.document["table"]
    taken = shell.run("adopt", "--match", "bob.builder@example.org=2", "--apply", "--table", table)

    assert look.code == 3, look.err
    assert "al@example.org" in look.out
    assert "2 people may be meant" in look.out
    assert "Group team@example.org: to be decided" in look.out
    assert "destinations: info@example.org -> gone" in look.out
    assert "mailroster adopt example.org --apply --table " in look.out
    assert decided.code == 0, decided.err
    states = {each["address"]: (each["standing"], each["person"]) for each in decided.document["mailboxes"]}
    assert states == {
        "al@example.org": ("matched", "1"),
        "bob.builder@example.org": ("decided", "2"),
        "info@example.org": ("nobody's", None),
    }
    (team,) = decided.document["aliases"]
    assert (team["has"], team["wouldHave"]) == (["info@example.org"], ["bob.builder@example.org"])
    assert taken.code == 0, taken.err
    assert "2 mailboxes and 1 alias are taken over" in taken.out
    assert "home.example" not in look.out + decided.out + taken.out + look.err + decided.err + taken.err
    assert writes(host) == []
    plans = shell.run("plan", "--all", "--json").document["subjects"]
    assert {step["operation"] for each in plans for step in each["steps"]} == {"update-mailbox", "update-alias"}


@pytest.mark.parametrize(
    ("existing", "fate"),
    [
        ("hold", "held: ada.lovelace@example.org exists already"),
        ("next-name", "a.lovelace@example.org is made when it is time"),
        ("adopt", "held: ada.lovelace@example.org exists already"),
    ],
)
def test_people_without_a_mailbox_are_told_what_becomes_of_them(
    shell: Shell, host: RunningSandbox, existing: str, fate: str
) -> None:
    """The policy decides about an address that exists; a plan after the adoption then does as was said."""
    shell.write("policy.toml", f'{POLICY}[joining]\ncredential = "random"\nexisting = "{existing}"\n')
    more = event(4, "person.joined", "E4", givenName="Ada", familyName="Lovelace")
    assert shell.run("submit", "-", stdin=lines(more)).code == 0
    seed = SEED | {"mailboxes": [*SEED["mailboxes"], {"local_part": "ada.lovelace", "name": "Sales"}]}
    httpx.post(f"{host.url}/_sandbox/seed", json={"domains": [seed]}).raise_for_status()

    shown = shell.run("adopt", "--only", "al").out
    look = shell.run("adopt", "--only", "al", "--json").document
    assert shell.run("adopt", "--only", "al", "--apply", "--table", look["table"]).code == 0
    plans = {each["subject"]["key"]: each for each in shell.run("plan", "--all", "--json").document["subjects"]}

    told = {each["id"]: each["then"] for each in look["peopleWithoutMailbox"]}
    assert told["4"].startswith(fate)
    assert fate in shown
    for person, said in told.items():
        made = [f"{step['target']} is made when it is time" for step in plans[person]["steps"]]
        assert made == [said] or f"held: {plans[person]['stopped']}" == said


def test_without_the_hash_of_the_table_nothing_is_taken_over(shell: Shell) -> None:
    """Where there is no terminal to ask at, --apply needs the table; a wrong one is refused."""
    without, wrong = shell.run("adopt", "--apply"), shell.run("adopt", "--apply", "--table", "0" * 64)

    assert (without.code, wrong.code) == (1, 1)
    assert "name the table that you looked at" in without.err
    assert "look at it again" in wrong.err


@pytest.mark.parametrize(("answer", "code", "said"), [("y", 0, "1 mailbox and 0 aliases"), ("n", 1, "nothing was")])
def test_a_terminal_is_asked(shell: Shell, answer: str, code: int, said: str) -> None:
    """At a terminal the table is shown, and taken over if somebody says yes to it."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "worker", "adopt", "--only", "al", "--apply"]
    process = subprocess.Popen(
        command, cwd=shell.directory, env=shell.variables, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    shown = b""
    with suppress(OSError):  # the other end is closed when the command ends
        while piece := os.read(ours, 4096):
            shown += piece
    os.close(ours)

    assert process.wait(PATIENCE_S) == code, shown
    assert "Take over 1 mailbox and 0 aliases?" in shown.decode()
    assert said in shown.decode()


def test_giving_back(shell: Shell) -> None:
    """What was adopted by mistake is foreign again, and may be adopted for somebody else."""
    table = shell.run("adopt", "--only", "al", "--json").document["table"]
    assert shell.run("adopt", "--only", "al", "--apply", "--table", table).code == 0

    released = shell.run("adopt", "--release", "al")

    assert released.code == 0, released.err
    assert "al@example.org is foreign again" in released.out
    assert "al@example.org" in shell.run("adopt").out


def test_faults_of_usage_are_one_sentence(shell: Shell) -> None:
    """Domains that the policy lacks, people nobody knows, addresses nobody has."""
    sentences = {
        ("adopt", "elsewhere.example"): "the policy has no domain elsewhere.example",
        ("adopt", "--match", "al=Nobody"): "nobody is known as 'Nobody'",
        ("adopt", "--match", "al"): "is not ADDRESS=PERSON",
        ("adopt", "--release", "info"): "is no mailbox or alias that was adopted",
        ("adopt", "--only", "info"): "needs a decision",
    }

    for arguments, said in sentences.items():
        ran = shell.run(*arguments)
        assert ran.code in (1, 2)
        assert said in ran.err
        assert "Traceback" not in ran.err
