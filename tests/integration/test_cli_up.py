"""A deployment run and driven from the command line alone: `up --sandbox` as a process, and the commands beside it."""

import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.integration.shell import PATIENCE_S, Shell, Staying, event, lines
from worker.sandbox import RunningSandbox

ADA = event(1, "person.joined", "E1", givenName="Ada", familyName="Lovelace", personalEmail="ada@home.example",
            timezone="Europe/London")  # fmt: skip
BOB = event(2, "person.joined", "E2", givenName="Bob", familyName="Builder")
_SETTLED = {"done", "held", "parked"}


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A shell beside a running deployment that has heard of Ada, who is served, and Bob, who is held."""
    shell = Shell(tmp_path_factory.mktemp("up"), {"MAILROSTER_LISTEN": "127.0.0.1:0"})
    with _up(shell) as up:
        shell.variables |= {
            "MAILROSTER_MIGADU_URL": up.out.split("sandbox ")[1].split()[0],
            "MAILROSTER_MIGADU_USER": "admin@example.org",
            "MAILROSTER_MIGADU_KEY": "sandbox-key",
        }
        assert shell.run("submit", "-", stdin=lines(ADA, BOB)).code == 0
        _wait_until_settled(shell, subjects=3)
        yield shell


def _up(shell: Shell) -> AbstractContextManager[Staying]:
    return shell.staying("up", "--sandbox", "--sandbox-port", "0", until="listening")


def _wait_until_settled(shell: Shell, *, subjects: int) -> list[dict[str, object]]:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found: list[dict[str, object]] = shell.run("jobs", "list", "--json").document["jobs"]
        if len(found) >= subjects and all(job["state"] in _SETTLED for job in found):
            return found
        assert time.monotonic() < deadline, found


def test_up_works_what_was_submitted_and_ends_on_a_signal(tmp_path: Path) -> None:
    """`up --sandbox` in an empty directory makes its database, serves an event and exits with 0 on SIGTERM."""
    shell = Shell(tmp_path, {"MAILROSTER_LISTEN": "127.0.0.1:0"})
    with _up(shell) as up:
        submitted = shell.run("submit", "-", "--json", stdin=json.dumps(ADA))
        found = _wait_until_settled(shell, subjects=2)
        code = up.end()

    assert submitted.document == {"events": [{"id": "1", "duplicate": False, "conflict": False}]}
    assert {job["state"] for job in found} == {"done"}
    assert code == 0


@pytest.mark.parametrize(
    "arguments",
    [("people", "list"), ("people", "show", "E1"), ("why", "E1"), ("holds", "list"), ("db", "current")],
    ids=" ".join,
)
def test_json_is_one_document_and_nothing_else(shell: Shell, arguments: tuple[str, ...]) -> None:
    """Every reading command prints exactly one JSON object with `--json`, and keeps logs out of it."""
    ran = shell.run(*arguments, "--json")

    assert ran.code == 0, ran.err
    assert isinstance(ran.document, dict)


def test_a_held_job_exits_with_three(shell: Shell) -> None:
    """Showing a job that needs a person exits with 3, in words and as JSON, and names the missing fact."""
    (held,) = shell.run("jobs", "list", "--state", "held", "--json").document["jobs"]

    shown = shell.run("jobs", "show", held["id"])
    as_json = shell.run("jobs", "show", held["id"], "--json")

    assert (shown.code, as_json.code) == (3, 3)
    assert "personalEmail is needed" in shown.out
    assert as_json.document["state"] == "held"


def test_lists_exit_with_zero_whatever_is_in_them(shell: Shell) -> None:
    """A script may read a list in which something is held without taking the exit code for a failure."""
    listed = [shell.run("jobs", "list", *more) for more in ((), ("--json",), ("--state", "held"))]

    assert [each.code for each in listed] == [0, 0, 0]
    assert all("personalEmail is needed" in each.out for each in listed)


def test_lists_are_plain_where_nobody_looks(shell: Shell) -> None:
    """Without a terminal a list is aligned lines: no colour, no box and no tab."""
    ran = shell.run("people", "list")

    first, *rows = ran.out.splitlines()
    assert first.split() == ["ID", "NAME", "PHASE", "ADDRESS", "NEXT"]
    assert rows[0][first.index("ADDRESS") :].split()[0] == "ada.lovelace@example.org"
    assert not set("\x1b\t│┃━─") & set(ran.out)


def test_why_tells_the_story_in_order(shell: Shell) -> None:
    """A person's story goes from the event to the job with its call, in their own zone."""
    ran = shell.run("why", "ada.lovelace@example.org")

    assert ran.code == 0
    assert "Europe/London" in ran.out
    told, done = (
        ran.out.index("import says person.joined"),
        ran.out.index("create-mailbox ada.lovelace@example.org: conf"),
    )
    assert told < done


def test_a_departure_by_hand_is_scheduled_and_audited_by_name(shell: Shell) -> None:
    """`people leave --on` accepts an operator's statement; afterwards the person's next change is the block."""
    left = shell.run("people", "leave", "E1", "--on", "2100-01-04", "--json")
    deadline = time.monotonic() + PATIENCE_S
    while (shown := shell.run("people", "show", "E1", "--json").document)["nextStep"] != "block":
        assert time.monotonic() < deadline, shown

    assert left.code == 0
    assert shown["phase"] == "leaving"
    assert shown["nextChangeAt"] == "2100-01-05T00:00:00Z"


def test_nobody_and_a_job_that_is_over_are_told(shell: Shell) -> None:
    """An unknown person, an unknown job and a retry of what is done are refused with a sentence each."""
    ran = [shell.run("why", "Nobody"), shell.run("jobs", "show", "999"), shell.run("jobs", "retry", "1")]

    assert [each.code for each in ran] == [1, 1, 1]
    assert [len(each.err.splitlines()) for each in ran] == [1, 1, 1]


def test_the_doctor_finds_the_worker_the_mail_host_and_who_is_held(shell: Shell) -> None:
    """Beside a running deployment nothing is broken, Bob's held job needs a person, and a wrong key is broken."""
    well = shell.run("doctor", "--json")
    ill = shell.run("doctor", MAILROSTER_MIGADU_KEY="wrong")

    checks = {each["check"]: each for each in well.document["checks"]}
    assert {name for name, each in checks.items() if not each["ok"]} == {"jobs"}
    assert checks.keys() >= {"database", "schema", "broker", "worker", "policy", "sources", "mail host", "domain"}
    assert checks["jobs"]["needsPerson"]
    assert (well.code, ill.code) == (3, 1)
    assert "mail host: set MAILROSTER_MIGADU_USER" in ill.out


def test_tokens_are_shown_once_and_can_be_revoked(shell: Shell) -> None:
    """A token is printed at its creation alone; revoking it twice is refused."""
    made = shell.run("token", "create", "--role", "viewer", "--json").document
    listed = shell.run("token", "list")
    first, second = shell.run("token", "revoke", made["id"]), shell.run("token", "revoke", made["id"])

    assert made["token"].startswith("mrt_")
    assert made["token"] not in listed.out
    assert (first.code, second.code) == (0, 1)


def test_a_departure_by_hand_can_be_taken_back(tmp_path: Path) -> None:
    """`people resume` calls a departure off; of somebody who neither leaves nor is suspended it says so."""
    shell = Shell(tmp_path, {"MAILROSTER_LISTEN": "127.0.0.1:0"})
    with _up(shell):
        shell.run("submit", "-", stdin=lines(ADA))
        _wait_until_settled(shell, subjects=2)
        shell.run("people", "leave", "E1", "--on", "2100-01-04")
        _wait_for_phase(shell, "leaving")
        resumed = shell.run("people", "resume", "E1")
        _wait_for_phase(shell, "active")
        again = shell.run("people", "resume", "E1")

    assert resumed.code == 0
    assert (again.code, again.err.strip()) == (1, "mailroster: person 1 is neither leaving nor suspended")


def _wait_for_phase(shell: Shell, phase: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while (shown := shell.run("people", "show", "E1", "--json").document)["phase"] != phase:
        assert time.monotonic() < deadline, shown


def test_a_held_plan_is_shown_and_a_dismissed_job_can_be_retried(tmp_path: Path) -> None:
    """In a dry run `jobs show` tells the calls that were not made; dismissed, `why` says what is missing and how on."""
    shell = Shell(tmp_path, {"MAILROSTER_LISTEN": "127.0.0.1:0", "MAILROSTER_DRY_RUN": "true"})
    with _up(shell):
        shell.run("submit", "-", stdin=lines(ADA))
        held = next(job for job in _wait_until_settled(shell, subjects=2) if job["state"] == "held")
        shown = shell.run("jobs", "show", held["id"])
        shell.run("jobs", "dismiss", held["id"])
        story = shell.run("why", "E1")
        retried = shell.run("jobs", "retry", held["id"])

    assert "create-mailbox ada.lovelace@example.org" in shown.out
    assert f"mailroster jobs retry {held['id']}" in story.out
    assert retried.code == 0


def test_a_domain_in_another_script_is_readable(tmp_path: Path) -> None:
    """For people a domain is in its own script, in lists and in sentences; for programs it is in punycode."""
    name = "xn--bcher-kva.example"
    shell = Shell(tmp_path, {"MAILROSTER_LISTEN": "127.0.0.1:0", "MAILROSTER_MIGADU_USER": "admin@example.org"})
    shell.write("policy.toml", '[organisation]\ndomain = "bücher.example"\n')
    with RunningSandbox(seed={"domains": [{"name": name}]}) as sandbox:
        shell.variables |= {"MAILROSTER_MIGADU_URL": sandbox.api_url, "MAILROSTER_MIGADU_KEY": "sandbox-key"}
        with shell.staying("up", until="listening"):
            shell.run("submit", "-", stdin=lines(ADA))
            _wait_until_settled(shell, subjects=2)
            said = [shell.run(*words) for words in (("people", "list"), ("jobs", "list"), ("why", "E1"), ("doctor",))]
            document = shell.run("people", "list", "--json").document

    assert "ada.lovelace@bücher.example" in said[0].out
    assert "bücher.example (domain)" in said[1].out
    assert "create-mailbox ada.lovelace@bücher.example: confirmed" in said[2].out
    assert not any("xn--" in each.out + each.err for each in said)
    assert document["people"][0]["address"] == f"ada.lovelace@{name}"
