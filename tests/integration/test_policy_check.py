"""`policy check`: warnings of a valid file, with the roster where there is a database, and exit code 0."""

import json
import shutil
import time
from pathlib import Path

import pytest

from tests.integration.shell import PATIENCE_S, Shell, event

POLICY = """
[organisation]
domain = "example.org"

[[groups]]
address = "engineering"
members = { department = "Enginering" }
fallback = "nobody"
"""
ADA = event(1, "person.joined", "E1", givenName="Ada", department="Engineering", personalEmail="ada@home.example")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell beside a policy, and nothing else."""
    (tmp_path / "policy.toml").write_text(POLICY)
    account = {"MAILROSTER_MIGADU_USER": "admin@example.org", "MAILROSTER_MIGADU_KEY": "sandbox-key"}
    return Shell(tmp_path, account)


@pytest.fixture
def _database(tmp_path: Path, sqlite_template: Path) -> None:
    shutil.copy(sqlite_template, tmp_path / "mailroster.db")


def test_without_a_database_the_file_alone_is_checked(shell: Shell) -> None:
    """A valid file is valid, and what was not looked at is said."""
    ran = shell.run("policy", "check")

    assert ran.code == 0, ran.err
    assert ran.out.startswith("policy.toml is valid: example.org, policy ")
    assert "The roster was not looked at: there is no database mailroster.db yet" in ran.out
    assert not (shell.directory / "mailroster.db").exists()


@pytest.mark.usefixtures("_database")
def test_with_people_their_facts_are_looked_at(shell: Shell) -> None:
    """A rule that matches nobody and a fallback that nobody has are told with file, line, key and mend."""
    assert "nobody is on it yet" in shell.run("policy", "check").out
    assert shell.run("submit", "-", stdin=json.dumps(ADA)).code == 0
    with shell.staying("up", "--sandbox", "--sandbox-port", "0", until="listening"):
        deadline = time.monotonic() + PATIENCE_S
        while "ada@example.org" not in shell.run("people", "list").out:
            assert time.monotonic() < deadline, "the event was not applied"

    ran, document = shell.run("policy", "check"), shell.run("policy", "check", "policy.toml", "--json").document

    assert ran.code == 0, ran.err
    assert (
        "policy.toml: line 7: groups[0].members: matches nobody of 1 person; department 'Enginering' is nobody's: did "
        "you mean 'Engineering'?" in ran.out
    )
    assert "policy.toml: line 8: groups[0].fallback: nobody has the address nobody@example.org; make a" in ran.out
    assert document["valid"]
    assert document["roster"]["people"] == 1
    assert [(each["file"], each["line"], each["key"]) for each in document["warnings"]] == [
        ("policy.toml", 7, "groups[0].members"),
        ("policy.toml", 8, "groups[0].fallback"),
    ]


def test_a_fault_is_told_as_before(shell: Shell) -> None:
    """A file that cannot be used exits with 1, and nothing is said of the roster."""
    shell.write("policy.toml", POLICY.replace("domain =", "domian ="))

    ran = shell.run("policy", "check", "--json")

    assert ran.code == 1
    assert ran.document["valid"] is False


def test_a_file_in_another_encoding_is_told_with_its_line(shell: Shell) -> None:
    """An editor of old Windows writes ü as one byte: which line, and what to do. A mark of UTF-8 is no fault."""
    (shell.directory / "old.toml").write_bytes((POLICY + "# Müller\n").encode("latin-1"))
    (shell.directory / "marked.toml").write_bytes(POLICY.encode("utf-8-sig"))

    refused = shell.run("policy", "check", "old.toml")
    assert (refused.code, refused.err.strip()) == (1, "old.toml: line 9: this is not UTF-8: save the file as UTF-8")
    assert shell.run("policy", "check", "marked.toml").code == 0


def test_a_policy_that_keeps_a_worker_from_starting_is_named_with_its_lines(shell: Shell) -> None:
    """Whoever starts a worker is told which file to mend, and where."""
    (shell.directory / "policy.toml").write_text('[organisation]\ndomain = "x"\ntimezone = "Europe/Berln"\n')

    ran = shell.run("up", "--sandbox", "--sandbox-port", "0")

    assert ran.code == 1
    assert "the policy is invalid: policy.toml: line 2: organisation.domain: " in ran.err
    assert "; line 3: organisation.timezone: 'Europe/Berln' is not a known time zone" in ran.err


@pytest.mark.usefixtures("_database")
def test_files_of_windows_editors_are_read(shell: Shell) -> None:
    """The mark that such an editor puts before the first character is no mistake of the writer's."""
    (shell.directory / "policy.toml").write_text(POLICY, encoding="utf-8-sig")
    (shell.directory / "sources.toml").write_text('[sources.hr]\nkind = "file"\n', encoding="utf-8-sig")

    assert shell.run("policy", "check").code == 0
    ran = shell.run("sources", "list")

    assert "hr" in ran.out, ran.err


@pytest.mark.usefixtures("_database")
def test_a_sources_file_that_is_no_text_is_named(shell: Shell) -> None:
    """It is told in a sentence, as a policy file is, and without a traceback."""
    (shell.directory / "sources.toml").write_bytes(b'[sources.hr]\nkind = "\xff"\n')

    ran = shell.run("sources", "list")

    assert ran.code == 1
    assert "Traceback" not in ran.err
    assert "sources.toml cannot be read" in ran.err
