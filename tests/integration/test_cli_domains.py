"""The command line where an organisation has several mail domains: each of them is looked at, and told of."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.shell import Shell, event, lines
from worker.sandbox import RunningSandbox

POLICY = """
[organisation]
domain = "example.org"

[[domains]]
name = "bücher.example"
people = { department = "Press" }

[[domains]]
name = "example.fr"
people = { country = "FR" }
"""
SOPHIE = {"local_part": "sophie.germain", "name": "Sophie Germain"}


@pytest.fixture
def host() -> Iterator[RunningSandbox]:
    """A mail host with two of the three domains, one of them with a mailbox."""
    domains = [{"name": "example.org"}, {"name": "xn--bcher-kva.example", "mailboxes": [SOPHIE]}]
    with RunningSandbox(seed={"domains": domains}) as running:
        yield running


@pytest.fixture
def shell(tmp_path: Path, sqlite_template: Path, host: RunningSandbox) -> Shell:
    """A shell beside a deployment that has a policy and a mail host, and no people yet."""
    shutil.copy(sqlite_template, tmp_path / "mailroster.db")
    (tmp_path / "policy.toml").write_text(POLICY, encoding="utf-8")
    account = {"MAILROSTER_MIGADU_USER": "admin@example.org", "MAILROSTER_MIGADU_KEY": "sandbox-key"}
    return Shell(tmp_path, account | {"MAILROSTER_MIGADU_URL": host.api_url})


def test_doctor_has_a_line_for_each_domain(shell: Shell) -> None:
    """The one that the host does not have is named with the mend, in its own line."""
    findings = [line for line in shell.run("doctor").out.splitlines() if " domain " in f" {line} "]
    said = "\n".join(findings)

    assert "example.org, 0 mailboxes" in said
    assert "bücher.example, 1 mailbox" in said
    assert "has no domain example.fr" in said


def test_the_policy_check_names_all_domains(shell: Shell) -> None:
    """In the script that people write them in."""
    assert "is valid: example.org, bücher.example, example.fr" in shell.run("policy", "check").out


def test_adoption_knows_every_domain_of_the_policy(shell: Shell) -> None:
    """Any of them may be looked over, in either form, and no other."""
    ours, other = shell.run("adopt", "Bücher.example"), shell.run("adopt", "example.net")

    assert "sophie.germain@bücher.example" in ours.out
    assert other.code != 0
    assert "the policy has no domain example.net; it has example.org, bücher.example, example.fr" in other.err


def test_a_plan_leaves_out_what_needs_a_domain_that_is_not_there(shell: Shell) -> None:
    """The others' plans are shown all the same; somebody of the missing domain is told why nothing would be done."""
    people = [
        event(1, "person.joined", "E1", givenName="Ada", familyName="Lovelace", personalEmail="a@home.example"),
        event(
            2,
            "person.joined",
            "E2",
            givenName="Sophie",
            familyName="Germain",
            personalEmail="s@home.example",
            country="FR",
        ),
    ]
    shell.write("people.ndjson", lines(*people))

    ran = shell.run("plan", "--event", "people.ndjson", "--policy", "policy.toml")

    assert ran.code == 3, ran.err
    assert "create-mailbox ada.lovelace@example.org" in ran.out
    assert "stopped: the mail host's account has no domain example.fr" in ran.out
