"""The demo as a real process: the mail host's own state is compared with what the sample week implies.

What it implies is written out by hand here, and nothing is read from our own tables.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

COMMAND = (sys.executable, "-m", "worker", "demo")
TIMEOUT_S = 300
FLAGS = ("may_receive", "may_send", "may_access_imap", "may_access_pop3", "may_access_managesieve")

NAMES = {
    "amelie.beausejour@example.org": "Amélie Beauséjour",
    "lukasz.wisniewski@example.org": "Łukasz Wiśniewski",
    "jurgen.grossmann@example.org": "Jürgen Großmann",
    "thi-hong.nguyen@example.org": "Thị Hồng Nguyễn",
    "dmitriy.solovev@example.org": "Дмитрий Соловьёв",
    "meiling.chen@example.org": "Grace 陈",
    "jiri.dvorak@example.org": "Jiří Dvořák",
    "anna.kowalska@example.org": "Anna Kowalska",
    "soren.ostergaard@example.org": "Søren Østergaard",
    "jose-maria.garcia-marquez@example.org": "José María García Márquez",
    "eleni.papadopoulou@example.org": "Ελένη Παπαδοπούλου",
    "gulsah.yildirim@example.org": "Gülşah Yıldırım",  # noqa: RUF001 - the Turkish letter is meant
    "joao.conceicao@example.org": "João Conceição",
    "siobhan.obrien@example.org": "Siobhán O’Brien",  # noqa: RUF001 - a typographic apostrophe is meant
    "sukarno@example.org": "Sukarno",
    "thordis.gudmundsdottir@example.org": "Þórdís Guðmundsdóttir",
    "ingrid.sorensen@example.org": "Ingrid Lindqvist",
    "maris.berzins@example.org": "Māris Bērziņš",
    "olga.shevchenko@example.org": "Ольга Шевченко",
    "anne-marie.lefevre-dubois@example.org": "Anne-Marie Lefèvre-Dubois",
    "zoltan.szucs@example.org": "Zoltán Szűcs",
    "ifeoma.okonkwo@example.org": "Ifeoma Okonkwo",
    "leila.haddad@example.org": "Leila Haddad",
    "ibrahim.ozturk@example.org": "İbrahim Öztürk",
    "a.kowalska@example.org": "Anna Kowalska",
}
DESTINATIONS = {
    "engineering@example.org": {
        "lukasz.wisniewski@example.org",
        "jurgen.grossmann@example.org",
        "thi-hong.nguyen@example.org",
        "dmitriy.solovev@example.org",
        "meiling.chen@example.org",
        "jiri.dvorak@example.org",
        "anna.kowalska@example.org",
    },
    "sales@example.org": {
        "soren.ostergaard@example.org",
        "jose-maria.garcia-marquez@example.org",
        "eleni.papadopoulou@example.org",
        "gulsah.yildirim@example.org",
    },
    "support@example.org": {
        "siobhan.obrien@example.org",
        "sukarno@example.org",
        "thordis.gudmundsdottir@example.org",
        "ingrid.sorensen@example.org",
        "joao.conceicao@example.org",
    },
    "finance@example.org": {
        "olga.shevchenko@example.org",
        "anne-marie.lefevre-dubois@example.org",
        "zoltan.szucs@example.org",
        "a.kowalska@example.org",
    },
    "people@example.org": {
        "ifeoma.okonkwo@example.org",
        "leila.haddad@example.org",
        "ibrahim.ozturk@example.org",
    },
    "everyone@example.org": set(NAMES) - {"maris.berzins@example.org"},
}


@pytest.fixture(scope="module")
def today() -> date:
    """The date on which the module's demo starts."""
    return datetime.now(UTC).date()


@pytest.fixture(scope="module")
def finished(today: date, tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """The process of `demo --json` after it has ended."""
    return run_demo("--json", temporary=tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def report(finished: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The document that `demo --json` printed."""
    return json.loads(finished.stdout)


@pytest.fixture(scope="module")
def mailboxes(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The mail host's mailboxes by address."""
    return {mailbox["address"]: mailbox for mailbox in domain_of(report["mailHost"])["mailboxes"]}


def test_demo_exits_with_zero_and_prints_nothing_but_its_document(
    finished: subprocess.CompletedProcess[str], report: dict[str, Any]
) -> None:
    """The sample week ends as expected, with one JSON document alone on standard output."""
    assert finished.returncode == 0, finished.stderr
    assert report["asExpected"]
    assert report["problems"] == []
    assert all(case["held"] for case in report["cases"])
    assert len(report["cases"]) == 9


def test_demo_ends_every_job(report: dict[str, Any]) -> None:
    """No job of the sample week is left, held, parked or dismissed."""
    assert {job["state"] for job in report["jobs"]} == {"done"}


def test_demo_makes_the_mailboxes_that_the_week_implies(mailboxes: dict[str, dict[str, Any]]) -> None:
    """Everybody who works here has one mailbox, under the right address and name; nobody else has any."""
    assert {address: mailbox["name"] for address, mailbox in mailboxes.items()} == NAMES


def test_demo_gives_the_renamed_a_second_address(mailboxes: dict[str, dict[str, Any]]) -> None:
    """The one person who was renamed has an identity under the new name, and nobody else has identities."""
    identities = {
        address: [(identity["address"], identity["name"]) for identity in mailbox["identities"]]
        for address, mailbox in mailboxes.items()
        if mailbox["identities"]
    }

    assert identities == {"ingrid.sorensen@example.org": [("ingrid.lindqvist@example.org", "Ingrid Lindqvist")]}


def test_demo_writes_the_aliases_that_the_week_implies(report: dict[str, Any]) -> None:
    """Aliases name the mailboxes of their members by department, of who moved late and of who left at once included."""
    aliases = domain_of(report["mailHost"])["aliases"]

    assert {alias["address"]: set(alias["destinations"]) for alias in aliases} == DESTINATIONS


def test_demo_blocks_only_the_one_who_left_at_once(mailboxes: dict[str, dict[str, Any]]) -> None:
    """The immediate departure closes every door and keeps receiving; all others may send and read, POP3 apart."""
    flags = {address: tuple(mailbox[flag] for flag in FLAGS) for address, mailbox in mailboxes.items()}

    assert flags == dict.fromkeys(NAMES, (True, True, True, False, False)) | {
        "maris.berzins@example.org": (True, False, False, False, False)
    }


def test_demo_tells_what_comes_next_and_when(report: dict[str, Any], today: date) -> None:
    """The hire in nine days gets a mailbox two days before; the departure in twelve days blocks at its midnight."""
    coming = {person["name"]: (person["nextChangeAt"], person["nextStep"]) for person in report["next"]}

    assert coming["Yūki Tanaka"] == (midnight(today + timedelta(days=7), "Europe/Berlin"), "create-mailbox")
    assert coming["Zoltán Szűcs"] == (midnight(today + timedelta(days=13), "Europe/Budapest"), "block and leave-groups")
    assert coming["Māris Bērziņš"][1] == "delete-mailbox"
    assert coming.keys() == {"Yūki Tanaka", "Zoltán Szűcs", "Māris Bērziņš"}


def test_demo_counts_deliveries_and_calls(report: dict[str, Any]) -> None:
    """One duplicate and one refusal among the deliveries; the host got a POST per mailbox, alias and identity."""
    deliveries, calls = report["deliveries"], report["calls"]

    assert (deliveries["sent"], deliveries["accepted"], deliveries["duplicates"]) == (35, 33, 1)
    assert [(refused["delivery"], refused["status"]) for refused in deliveries["refused"]] == [("hr-034", 401)]
    assert calls["byMethod"]["POST"] == len(NAMES) + len(DESTINATIONS) + 1
    assert "DELETE" not in calls["byMethod"]
    assert calls["total"] == sum(calls["byMethod"].values())


def test_demo_that_is_kept_can_be_looked_at_until_it_is_interrupted(tmp_path: Path) -> None:
    """`--keep` leaves both servers up, their addresses and a token work, and SIGINT ends it without a trace."""
    with kept_demo(tmp_path) as (process, kept):
        with httpx.Client(trust_env=False) as client:
            state = client.get(f"{kept['sandbox']}/_sandbox/state").json()
            calls = client.get(f"{kept['sandbox']}/_sandbox/calls").json()["calls"]
            bearer = {"Authorization": f"Bearer {kept['token']}"}
            status = client.get(f"{kept['server']}/api/v1/status", headers=bearer)
            anonymous = client.get(f"{kept['server']}/api/v1/status")
        process.send_signal(signal.SIGINT)
        code = process.wait(TIMEOUT_S)

    assert {box["address"]: box["name"] for box in domain_of(state)["mailboxes"]} == NAMES
    assert {alias["address"]: set(alias["destinations"]) for alias in domain_of(state)["aliases"]} == DESTINATIONS
    assert {call["status"] for call in calls} <= {200, 404}
    assert (status.status_code, anonymous.status_code) == (200, 401)
    assert code == 0
    assert list(tmp_path.iterdir()) == []


def test_demo_that_is_kept_is_the_organisation_of_commands_beside_it(tmp_path: Path) -> None:
    """What `--keep` names for the environment points any command at the demo, such as the story of somebody."""
    with kept_demo(tmp_path) as (_, kept):
        ran = subprocess.run(
            [*COMMAND[:-1], "why", "E1018"],
            env=environment(tmp_path) | kept["environment"],
            capture_output=True,
            encoding="utf-8",
            cwd=tmp_path,
            check=False,
        )

    assert ran.returncode == 0, ran.stderr
    assert "Māris Bērziņš (person " in ran.stdout
    assert "block-mailbox maris.berzins@example.org: confirmed" in ran.stdout


def test_demo_shows_a_file_of_events_as_plain_lines_where_there_is_no_terminal(tmp_path: Path) -> None:
    """Events of a file replace the week; what is told has neither colours nor bars, and tells of the mailbox."""
    finished = run_demo("--events", str(written(tmp_path, joined("E1", "ada@home.example"))), temporary=tmp_path)

    assert finished.returncode == 0, finished.stderr
    assert "ada.lovelace@example.org  Ada Lovelace  open" in finished.stdout
    assert "\x1b" not in finished.stdout


def test_demo_needs_a_person_where_something_is_held(tmp_path: Path) -> None:
    """Somebody without a personal address cannot be invited: the exit code is 3 and the sentence names the reason."""
    finished = run_demo("--json", "--events", str(written(tmp_path, joined("E1", None))), temporary=tmp_path)

    assert finished.returncode == 3
    assert "(Ada Lovelace) is held: personalEmail is needed" in finished.stderr
    assert json.loads(finished.stdout)["asExpected"] is False


def test_demo_fails_where_an_event_is_refused(tmp_path: Path) -> None:
    """An invalid event among good ones gives exit code 1 and a sentence with its number and the attribute."""
    bad = joined("E2", "bob@home.example") | {"type": "person.hired"}
    path = written(tmp_path, joined("E1", "ada@home.example"), bad)

    finished = run_demo("--json", "--events", str(path), temporary=tmp_path)

    assert finished.returncode == 1
    assert "event 2 was refused with 400" in finished.stderr
    assert "person.hired" in finished.stderr
    assert len(domain_of(json.loads(finished.stdout)["mailHost"])["mailboxes"]) == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"id": "1"}\n\nnot JSON\n', "line 3: "),
        ("[1", "this is not JSON (line 1"),
        ("\n", "holds no event"),
        ("\udcff", "is not text in UTF-8"),
    ],
)
def test_demo_starts_nothing_for_a_file_it_cannot_read(tmp_path: Path, content: str, sentence: str) -> None:
    """A file that holds no JSON gives exit code 1 and one sentence with the line, and nothing on standard output."""
    path = tmp_path / "events.ndjson"
    path.write_text(content, encoding="utf-8", errors="surrogateescape")

    finished = run_demo("--json", "--events", str(path), temporary=tmp_path)

    assert finished.returncode == 1
    assert sentence in finished.stderr
    assert "Traceback" not in finished.stderr
    assert finished.stdout == ""


def test_demo_says_that_a_file_is_missing(tmp_path: Path) -> None:
    """A file that does not exist is a mistake in how the command was written: exit code 2."""
    finished = run_demo("--events", str(tmp_path / "nowhere.ndjson"), temporary=tmp_path)

    assert finished.returncode == 2
    assert "does not exist" in finished.stderr


def run_demo(*arguments: str, temporary: Path) -> subprocess.CompletedProcess[str]:
    """Run the demo to its end, with its temporary files below a directory of the test's own."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(temporary),
        capture_output=True,
        encoding="utf-8",
        timeout=TIMEOUT_S,
        check=False,
    )


@contextmanager
def kept_demo(temporary: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Run `demo --json --keep` until it has printed its document; yield the process and how to reach it."""
    process = subprocess.Popen(
        [*COMMAND, "--json", "--keep"], env=environment(temporary), stdout=subprocess.PIPE, encoding="utf-8"
    )
    with process:
        try:
            assert process.stdout is not None
            document = ""
            for line in process.stdout:
                document += line
                if line == "}\n":
                    break
            yield process, json.loads(document)["kept"]
        finally:
            process.kill()


def environment(temporary: Path) -> dict[str, str]:
    """The environment of a demo: UTF-8, and no setting of a deployment that happens to be on this machine."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAILROSTER_")}
    return inherited | {"TMPDIR": str(temporary), "PYTHONUTF8": "1"}


def written(directory: Path, *events: dict[str, Any]) -> Path:
    """Write a file of events."""
    path = directory / "events.ndjson"
    path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    return path


def joined(subject: str, personal_email: str | None) -> dict[str, Any]:
    """A canonical event: Ada Lovelace has joined."""
    data = {"givenName": "Ada", "familyName": "Lovelace", "personalEmail": personal_email}
    return {
        "specversion": "1.0",
        "id": f"joined-{subject}",
        "source": "urn:example:hr",
        "type": "person.joined",
        "subject": subject,
        "time": "2026-01-02T09:00:00Z",
        "data": data,
    }


def domain_of(state: dict[str, Any]) -> dict[str, Any]:
    """The only domain of a sandbox's state."""
    (domain,) = state["domains"]
    assert domain["name"] == "example.org"
    return domain


def midnight(on: date, zone: str) -> str:
    """The instant at which a date begins in a zone, as the API shows it."""
    return datetime.combine(on, time(), ZoneInfo(zone)).astimezone(UTC).isoformat().replace("+00:00", "Z")
