"""Bad input on the command line: one clear sentence on standard error, the right exit code, nothing half-done."""

import json
import shutil
import socket
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.shell import Shell, event, lines
from worker.store import events
from worker.store.database import Database


@pytest.fixture
def shell(tmp_path: Path, sqlite_template: Path) -> Shell:
    """A shell in a directory with an empty, migrated database."""
    shutil.copy(sqlite_template, tmp_path / "mailroster.db")
    return Shell(tmp_path)


def _is_one_sentence(said: str) -> bool:
    return "Traceback" not in said and len(said.strip().splitlines()) == 1 and said.startswith("mailroster: ")


def test_an_unknown_variable_fails_with_the_closest_name(shell: Shell) -> None:
    """A variable with our prefix that is none of ours stops every command, which names the closest one."""
    ran = shell.run("jobs", "list", MAILROSTER_DATABASE_ULR="sqlite:///x.db")

    assert ran.code == 1
    assert _is_one_sentence(ran.err)
    assert "MAILROSTER_DATABASE_ULR" in ran.err
    assert "MAILROSTER_DATABASE_URL" in ran.err
    assert ran.out == ""


@pytest.mark.parametrize(
    "command",
    [
        ("jobs", "show"),
        ("jobs", "undo"),
        ("jobs", "list", "--after"),
        ("events", "show"),
        ("events", "list", "--after"),
        ("people", "list", "--after"),
        ("holds", "reject"),
        ("token", "revoke"),
    ],
    ids=" ".join,
)
def test_a_number_that_no_id_can_be_is_refused(shell: Shell, command: tuple[str, ...]) -> None:
    """It is larger than what the column holds, and no question for the database."""
    ran = shell.run(*command, str(2**63))

    assert ran.code == 2
    assert str(2**63 - 1) in ran.err
    assert "Traceback" not in ran.err


def test_a_missing_database_names_the_upgrade_and_is_not_made(tmp_path: Path) -> None:
    """A reading command where there is no database says what makes one, and leaves no empty file behind."""
    ran = Shell(tmp_path).run("people", "list", "--json")

    assert ran.code == 1
    assert _is_one_sentence(ran.err)
    assert "mailroster db upgrade" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_an_empty_database_names_the_upgrade(tmp_path: Path) -> None:
    """A database without a schema is refused with the command that makes it."""
    shell = Shell(tmp_path)
    shell.write("mailroster.db", "")

    ran = shell.run("db", "check")

    assert ran.code == 1
    assert _is_one_sentence(ran.err)
    assert "mailroster db upgrade" in ran.err


def test_a_database_that_does_not_answer_fails_with_a_sentence(tmp_path: Path) -> None:
    """A PostgreSQL that is not there is told in one sentence without the password."""
    url = "postgresql+psycopg://someone:hush@127.0.0.1:9/nothing"

    ran = Shell(tmp_path).run("jobs", "list", MAILROSTER_DATABASE_URL=url)

    assert ran.code == 1
    assert _is_one_sentence(ran.err)
    assert "hush" not in ran.err


def test_a_typo_in_the_policy_is_told_with_its_line(shell: Shell) -> None:
    """`policy check` names file, line and key of a typo, and suggests the right key."""
    shell.write("policy.toml", '[organisation]\ndomain = "example.org"\ntimezon = "UTC"\n')

    ran = shell.run("policy", "check")
    as_json = shell.run("policy", "check", "--json")

    assert ran.code == as_json.code == 1
    assert "policy.toml: line 3: organisation.timezon: unknown key; did you mean 'timezone'?" in ran.err
    assert as_json.document["problems"][0]["line"] == 3
    assert as_json.err == ""


def test_an_invalid_event_refuses_the_whole_file(shell: Shell) -> None:
    """A wrong date is told with the event's number, the attribute and the reason; none of the file is accepted."""
    good = event(1, "person.joined", "E1", givenName="Ada", personalEmail="ada@home.example")
    bad = event(2, "person.joined", "E2", givenName="Bob", hireDate="31.02.2026")
    shell.write("events.ndjson", lines(good, bad))

    ran = shell.run("submit", "events.ndjson", "--json")

    assert ran.code == 1
    assert _is_one_sentence(ran.err)
    assert "event 2" in ran.err
    assert "data.hireDate" in ran.err
    assert ran.out == ""
    with closing(Database(f"sqlite:///{shell.directory / 'mailroster.db'}")) as database, database.read() as session:
        kept = events.get(session, 1)
        assert kept is not None
        assert kept.state.value == "rejected"
        assert events.get(session, 2) is None


def test_a_broken_line_is_named(shell: Shell) -> None:
    """A line of a file that is no JSON is named with its number."""
    ran = shell.run("submit", "-", stdin=json.dumps(event(1, "person.updated", "E1", title="x")) + "\n{oops\n")

    assert ran.code == 1
    assert _is_one_sentence(ran.err)
    assert "standard input, line 2" in ran.err


def test_a_missing_file_and_an_unknown_source_fail_with_a_sentence(shell: Shell) -> None:
    """A file that is not there is named, and so are the sources there are."""
    missing = shell.run("submit", "nowhere.json")
    unknown = shell.run("submit", "-", "--source", "hr", stdin=json.dumps(event(1, "person.updated", "E1", title="x")))

    assert (missing.code, unknown.code) == (1, 1)
    assert _is_one_sentence(missing.err)
    assert "nowhere.json" in missing.err
    assert _is_one_sentence(unknown.err)
    assert "import" in unknown.err


def test_usage_errors_exit_with_two(shell: Shell) -> None:
    """What is asked for wrongly is a usage error: a departure without its day, a plan for nothing, a bad role."""
    ran = [
        shell.run("people", "leave", "Ada"),
        shell.run("plan"),
        shell.run("token", "create", "--role", "king"),
        shell.run("sandbox", "--rate-limit", "many"),
    ]

    assert [each.code for each in ran] == [2, 2, 2, 2]
    assert all("Traceback" not in each.err and each.out == "" for each in ran)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("sources replay hr --since gestern", "'--since': 'gestern' is no time: write it as 2026-11-28"),
        ("events replay --since 2026-02-30", "'--since': '2026-02-30' is no time: write it as 2026-11-28"),
        ("people leave Ada --on morgen", "'--on': 'morgen' is no day: write it as 2026-11-28"),
        ("sources replay hr --delivery all", "'--delivery': 'all' is no id: expected a whole number"),
        ("jobs show 9223372036854775808", "'ID': '9223372036854775808' is no id: expected a whole number up to"),
        ("people list --after 9223372036854775808", "'--after': '9223372036854775808' is no id"),
        ("jobs list --state broken", "'--state': 'broken' is not one of 'queued', 'running'"),
        ("token create --role king", "'--role': 'king' is not one of 'viewer', 'operator'"),
        ("jobs list --limit many", "'--limit': 'many' is no whole number"),
        ("jobs list --limit 0", "'--limit': '0' is less than 1"),
        ("sandbox --port 65536", "'--port': '65536' is more than 65535"),
        ("sandbox --block long", "'--block': 'long' is no number"),
    ],
)
def test_a_wrong_value_is_told_with_its_option_and_what_is_expected(shell: Shell, written: str, said: str) -> None:
    """In our own words: nothing of pydantic's shows through."""
    ran = shell.run(*written.split())

    assert (ran.code, ran.out) == (2, "")
    assert f"Error: Invalid value for {said}" in ran.err.splitlines()[-1]


def test_a_port_in_use_fails_with_a_sentence(shell: Shell) -> None:
    """`serve` and `sandbox` say that their port is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        served = shell.run("serve", MAILROSTER_LISTEN=f"127.0.0.1:{port}")
        sandbox = shell.run("sandbox", "--port", port)

    assert (served.code, sandbox.code) == (1, 1)
    why = f"mailroster: 127.0.0.1:{port}: Address already in use; MAILROSTER_LISTEN may name another"
    assert why in served.err.splitlines()
    assert _is_one_sentence(sandbox.err)
    assert port in sandbox.err


def test_a_worker_without_credentials_or_policy_says_what_is_missing(shell: Shell) -> None:
    """A worker that cannot work does not start, and names the variables and the command that mend it."""
    broker = {"MAILROSTER_BROKER_URL": "redis://127.0.0.1:9/0"}
    account = {"MAILROSTER_MIGADU_USER": "admin@example.org", "MAILROSTER_MIGADU_KEY": "k"}

    without_key = shell.run("worker", **broker)
    without_policy = shell.run("worker", **broker, **account)

    assert (without_key.code, without_policy.code) == (1, 1)
    assert "MAILROSTER_MIGADU_KEY" in without_key.err
    assert "mailroster init" in without_policy.err
    assert "Traceback" not in without_key.err + without_policy.err


def test_init_never_overwrites(tmp_path: Path) -> None:
    """`init` writes its three files once; with one of them there it writes none, and says which."""
    shell = Shell(tmp_path)

    first = shell.run("init", "made")
    (tmp_path / "made" / "sources.toml").unlink()
    shell.write("made/policy.toml", "mine")
    second = shell.run("init", "made")

    assert (first.code, second.code) == (0, 1)
    assert _is_one_sentence(second.err)
    assert "policy.toml" in second.err
    assert (tmp_path / "made" / "policy.toml").read_text() == "mine"
    assert not (tmp_path / "made" / "sources.toml").exists()
