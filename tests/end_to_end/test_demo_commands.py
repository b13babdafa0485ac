"""The demo's organisation after its sample week, run by `up --sandbox`, and the seven commands that look at it and act.

What each says and does is written out by hand, as a user reads it. Every test begins with the same finished week.
"""

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.end_to_end.installation import Installation, event, installed, plain_client, wait_until
from tests.servers import free_port
from worker.cli.demo.scene import new_secret
from worker.cli.demo.week import sample_week

ACCOUNT = ("admin@example.org", "sandbox-key")
YUKI, ZOLTAN, MARIS, INGRID = "26", "21", "18", "17"
"""Our ids of people: they are known in the order in which the week introduces them."""
_ON_ITS_WAY = """
    select (select count(*) from events where state = 'accepted')
         + (select count(*) from people where next_change_at <= ? or line_due_at <= ?)
         + (select count(*) from jobs where state in ('queued', 'running', 'waiting'))
"""
HIRED_IN, LAST_DAY_IN = timedelta(days=9), timedelta(days=12)


@dataclass(frozen=True, slots=True)
class Week:
    """A sample week that is over: what is on disk and at the mail host, to begin anew from."""

    directory: Path
    secret: str
    mail_host: Any
    today: date


@dataclass(frozen=True, slots=True)
class Demo:
    """The demo's organisation, served."""

    installation: Installation
    client: httpx.Client
    today: date

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command, require how it exits, and return what it prints."""
        ran = self._run(*arguments)
        assert ran.returncode == code, (arguments, ran.stdout, ran.stderr)
        return ran.stdout

    def document(self, *arguments: str, code: int = 0) -> Any:
        """Run a command with ``--json``, and return its one document."""
        return json.loads(self.run(*arguments, "--json", code=code))

    def refused(self, *arguments: str) -> str:
        """Run a command that fails, and return its one sentence."""
        ran = self._run(*arguments)
        assert (ran.returncode, ran.stdout) == (1, ""), (arguments, ran.stdout)
        return ran.stderr.strip()

    def by_hand(self, method: str, path: str, **body: object) -> None:
        """Change something at the mail host itself."""
        url = f"{self.installation.settings['MAILROSTER_MIGADU_URL']}/domains/example.org/{path}"
        self.client.request(method, url, json=body, auth=ACCOUNT).raise_for_status()

    def state(self) -> Any:
        """What the mail host holds, by its own account."""
        url = self.installation.settings["MAILROSTER_MIGADU_URL"].removesuffix("/v1")
        return self.client.get(f"{url}/_sandbox/state").json()

    def mailbox(self, address: str) -> Any:
        """A mailbox at the mail host."""
        return next(each for each in self._domain()["mailboxes"] if each["address"] == address)

    def destinations(self, address: str) -> set[str]:
        """Who gets the mail of an alias."""
        return next({*each["destinations"]} for each in self._domain()["aliases"] if each["address"] == address)

    def settle(self) -> None:
        """Wait until everything that was told is done, as far as it can be."""

        def is_settled() -> bool:
            """No event waits, nobody is to be looked at, and no job is on its way."""
            with closing(
                sqlite3.connect(f"file:{self.installation.directory}/mailroster.db?mode=ro", uri=True)
            ) as asked:
                now = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
                return asked.execute(_ON_ITS_WAY, (now, now)).fetchone() == (0,)

        wait_until(is_settled)

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.installation.run(*arguments)

    def _domain(self) -> Any:
        (domain,) = self.state()["domains"]
        return domain


@contextmanager
def served(directory: Path, secret: str, today: date) -> Iterator[Demo]:
    """Serve what is in a directory on a mail host that begins empty."""
    url = f"sqlite:///{directory / 'mailroster.db'}"
    with (
        installed(directory, database_url=url, broker_url="memory://", upgrade=False) as installation,
        plain_client() as client,
    ):
        installation.secret = secret
        for name in ("policy.toml", "sources.toml"):
            (directory / name).write_text(files("worker.cli.demo").joinpath(name).read_text("utf-8"), "utf-8")
        (directory / "hr.secret").write_text(secret)
        port = free_port()
        installation.settings["MAILROSTER_MIGADU_URL"] = f"http://127.0.0.1:{port}/v1"
        installation.start_serving("up", "--sandbox", "--sandbox-port", str(port))
        yield Demo(installation, client, today)


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Week:
    """The sample week, delivered day by day to the HTTP intake and worked off."""
    directory, secret = tmp_path_factory.mktemp("week"), new_secret().get_secret_value()
    now = datetime.now(UTC)
    with served(directory, secret, now.date()) as demo:
        day = 1
        for delivery in sample_week(now):
            if delivery.day != day:
                demo.settle()
                day = delivery.day
            demo.installation.secret = new_secret().get_secret_value() if delivery.forged else secret
            answer = demo.installation.deliver_body(delivery.body)
            assert answer.status_code == (401 if delivery.forged else 202), answer.text
        demo.settle()
        mail_host = demo.state()
        (up,) = demo.installation.processes
        up.terminate()  # so that all of the database is in its one file
        assert up.wait() == 0
    return Week(directory, secret, mail_host, now.date())


@pytest.fixture
def demo(week: Week, tmp_path: Path) -> Iterator[Demo]:
    """The organisation at the end of its week."""
    shutil.copy(week.directory / "mailroster.db", tmp_path)
    with served(tmp_path, week.secret, week.today) as demo:
        url = demo.installation.settings["MAILROSTER_MIGADU_URL"].removesuffix("/v1")
        demo.client.post(f"{url}/_sandbox/seed", json=week.mail_host).raise_for_status()
        yield demo


def midnight(on: date, zone: str) -> tuple[str, str]:
    """Return when a day begins somewhere, as texts show it and as documents do."""
    at = datetime.combine(on, time(), ZoneInfo(zone))
    return f"{on} 00:00 {zone}", at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def test_schedule_tells_what_comes_in_the_zone_of_each(demo: Demo) -> None:
    """A mailbox before the hire, a block after the last day, and two deletions: each with its instant and way back."""
    made, made_at = midnight(demo.today + HIRED_IN - timedelta(days=2), "Europe/Berlin")
    closed, closed_at = midnight(demo.today + LAST_DAY_IN + timedelta(days=1), "Europe/Budapest")
    gone, gone_at = midnight(demo.today + LAST_DAY_IN + timedelta(days=31), "Europe/Budapest")

    shown = demo.run("schedule", "--days", "35").splitlines()
    told = demo.document("schedule", "--days", "60")["changes"]

    maris = next(each for each in told if each["person"] == MARIS)
    assert [line.split("  ")[0] for line in shown] == [
        "WHEN",
        made,
        closed,
        f"{maris['local'][:16].replace('T', ' ')} Europe/Riga",
    ]
    assert [(each["name"], each["step"], each["at"], each["undoableUntil"]) for each in told] == [
        ("Yūki Tanaka", "create-mailbox", made_at, None),
        ("Zoltán Szűcs", "block and leave-groups", closed_at, gone_at),
        ("Māris Bērziņš", "delete-mailbox", maris["at"], maris["at"]),
        ("Zoltán Szűcs", "delete-mailbox", gone_at, gone_at),
    ]
    assert [line.split("  ")[-1].strip() for line in shown[1:]] == ["without end", gone, "cannot be undone"]


def test_why_tells_a_whole_story(demo: Demo) -> None:
    """What was heard, what was done about it with how many calls, and what comes; a name of two people is no answer."""
    closed, _ = midnight(demo.today + LAST_DAY_IN + timedelta(days=1), "Europe/Budapest")
    gone, _ = midnight(demo.today + LAST_DAY_IN + timedelta(days=31), "Europe/Budapest")

    ingrid, zoltan = demo.run("why", "Ingrid Lindqvist"), demo.run("why", "E1021").splitlines()
    told = demo.document("why", "E1017")

    in_order = (
        "Ingrid Lindqvist (person 17): active",
        "hr says person.joined (event 17), applied",
        "create-mailbox ingrid.sorensen@example.org: confirmed",
        "1 call made",
        "hr says person.renamed (event 27), applied",
        "name: Ingrid Sørensen -> Ingrid Lindqvist",
        "create-identity ingrid.lindqvist@example.org of ingrid.sorensen@example.org: confirmed",
        "3 calls made",
        "Groups: everyone@example.org, support@example.org",
        "Next: nothing changes by time alone.",
    )
    places = [ingrid.index(each) for each in in_order]
    assert places == sorted(places)
    assert zoltan[-3:] == [
        f"Next: block and leave-groups at {closed}",
        f"  {closed}: block and leave-groups; can be undone until {gone}",
        f"  {gone}: delete-mailbox; cannot be undone",
    ]
    assert (told["id"], told["phase"], told["address"]) == (INGRID, "active", "ingrid.sorensen@example.org")
    assert [[step["operation"] for step in job["steps"]] for job in told["jobs"]] == [
        ["create-mailbox"],
        ["update-mailbox", "create-identity"],
    ]
    assert demo.refused("why", "Anna Kowalska") == (
        "mailroster: 'Anna Kowalska' may be several people; say which by id: 8 (Anna Kowalska, active), "
        "25 (Anna Kowalska, active)"
    )


def test_plan_shows_the_calls_and_makes_none(demo: Demo) -> None:
    """Of a departure at once: a block and two lists, six calls. Of everybody: nothing. The mail host stays as it is."""
    before, made = demo.state(), midnight(demo.today + HIRED_IN - timedelta(days=2), "Europe/Berlin")
    leaves = demo.installation.directory / "leaves.json"
    leaves.write_text(json.dumps(event("left", "E1017", immediate=True)))

    shown = demo.run("plan", "--event", "leaves.json", "--source", "hr")
    told = demo.document("plan", "--event", "leaves.json", "--source", "hr")
    yuki, everybody = demo.run("plan", "--person", "E1026"), demo.run("plan", "--all")
    told_of_all = demo.document("plan", "--all")

    assert shown.startswith(
        "Ingrid Lindqvist <ingrid.sorensen@example.org>\n  block-mailbox ingrid.sorensen@example.org\n"
    )
    assert "destinations: 24 -> 23; removes ingrid.sorensen@example.org" in shown
    counted = "6 calls (3 writing, 3 reading); the call limit makes them take 0 s. Nothing was changed.\n"
    assert shown.endswith(counted)
    assert [(each["address"], [step["operation"] for step in each["steps"]]) for each in told["subjects"]] == [
        ("ingrid.sorensen@example.org", ["block-mailbox"]),
        ("everyone@example.org", ["update-alias"]),
        ("support@example.org", ["update-alias"]),
    ]
    assert (told["calls"], told["writes"], told["reads"], told["seconds"]) == (6, 3, 3, 0)
    assert f"  note: it is not yet time for the mailbox\n  next: create-mailbox at {made[0]}\n" in yuki
    assert "The others (26) are as they should be.\n0 calls (0 writing, 0 reading)" in everybody
    people = [each for each in told_of_all["subjects"] if each["subject"]["kind"] == "person"]
    assert (len(people), told_of_all["writes"], {len(each["steps"]) for each in people}) == (27, 0, {0})
    assert demo.state() == before


def test_reconcile_shows_whose_doing_a_difference_is_and_repairs_it(demo: Demo) -> None:
    """A name and a list that somebody changed are shown and put right; a mailbox of nobody is shown and left alone."""
    assert "25 people and 6 shared addresses compared" in demo.run("reconcile")
    demo.by_hand("PUT", "mailboxes/jiri.dvorak", name="J. D.")
    demo.by_hand("PUT", "aliases/people", destinations=["ifeoma.okonkwo@example.org"])
    demo.by_hand("POST", "mailboxes", local_part="scanner", name="Scanner", password="only-in-this-test")

    shown, told = demo.run("reconcile", code=3), demo.document("reconcile", code=3)

    found = [(each["kind"], each["address"], each["field"], each["action"]) for each in told["drift"]]
    assert found == [
        ("foreign-hand", "jiri.dvorak@example.org", "name", "repair"),
        ("foreign-hand", "people@example.org", "destinations", "repair"),
        ("unmanaged", "scanner@example.org", None, None),
    ]
    assert (told["queued"], told["readings"][0]["undecided"]) == (0, 2)
    assert shown.count("--apply repairs it") == 2
    assert shown.endswith("25 people and 6 shared addresses compared, 2 foreign-hand, 1 unmanaged.\n")

    repaired = demo.run("reconcile", "example.org", "--apply")
    demo.settle()

    assert repaired.endswith("2 foreign-hand, 1 unmanaged; 2 repairs are queued.\n")
    left = demo.document("reconcile")
    assert [each["address"] for each in left["drift"]] == ["scanner@example.org"]
    assert demo.mailbox("jiri.dvorak@example.org")["name"] == "Jiří Dvořák"
    assert len(demo.destinations("people@example.org")) == 3


def test_adopt_takes_over_what_the_table_showed(demo: Demo) -> None:
    """A mailbox that exists is matched with who is about to join, and taken over by the hash of what was looked at."""
    assert "Yūki Tanaka" in (nothing := demo.run("adopt"))
    assert "0 mailboxes and 0 aliases would be taken over; 0 need a decision." in nothing
    recovery = {"password": "only-in-this-test", "password_recovery_email": "yuki@home.example"}
    demo.by_hand("POST", "mailboxes", local_part="yuki.tanaka", name="Yuki Tanaka", **recovery)

    shown, told = demo.run("adopt"), demo.document("adopt")

    (found,) = told["mailboxes"]
    assert (found["address"], found["person"], found["standing"]) == ("yuki.tanaka@example.org", YUKI, "matched")
    assert (told["applied"], told["undecided"], told["peopleWithoutMailbox"]) == (False, 0, [])
    assert shown.endswith(f"  mailroster adopt example.org --apply --table {told['table']}\n")

    assert demo.refused("adopt", "--apply", "--table", "0" * 64) == (
        "mailroster: the table has changed since you looked: look at it again"
    )
    taken = demo.run("adopt", "example.org", "--apply", "--table", told["table"])
    demo.settle()

    assert taken.startswith("1 mailbox and 0 aliases are taken over; jobs bring them in step.")
    assert demo.mailbox("yuki.tanaka@example.org")["name"] == "Yūki Tanaka"
    assert demo.document("adopt")["mailboxes"] == []


def test_undo_restores_what_held_before(demo: Demo) -> None:
    """A departure at once is called off, a rename taken back; each once, and the story says by what."""
    block = [job for job in demo.document("why", MARIS)["jobs"] if job["steps"][0]["operation"] == "block-mailbox"]
    rename = demo.document("why", INGRID)["jobs"][-1]

    called_off = demo.run("jobs", "undo", block[0]["id"])
    taken_back = demo.document("jobs", "undo", rename["id"])
    demo.settle()

    assert called_off.splitlines() == [
        "event 34 (person.leaving_cancelled) about person 18 is accepted",
        "whoever was blocked needs a new password: `mailroster people reset-password 18`",
    ]
    assert taken_back == {"person": INGRID, "events": ["35"]}
    maris, ingrid = demo.mailbox("maris.berzins@example.org"), demo.mailbox("ingrid.sorensen@example.org")
    assert (maris["may_send"], maris["may_access_imap"], maris["may_access_pop3"]) == (True, True, False)
    assert "maris.berzins@example.org" in demo.destinations("support@example.org")
    assert (ingrid["name"], ingrid["identities"]) == ("Ingrid Sørensen", [])
    assert demo.refused("jobs", "undo", rename["id"]) == (
        f"mailroster: job {rename['id']} is undone already, by event 35"
    )
    assert "undone by event 34" in demo.run("jobs", "show", block[0]["id"])


def test_holds_stop_a_mass_of_departures_until_they_are_approved(demo: Demo) -> None:
    """Of eight who left, five are blocked and three wait; only who names what was shown lets these go on."""
    for number in range(2, 10):
        assert demo.installation.deliver("left", f"E100{number}", lastWorkingDay="2026-01-01").status_code == 202
    demo.settle()

    shown = demo.run("holds", "list")
    (hold,) = demo.document("holds", "list")["holds"]

    assert (hold["brake"], hold["source"], hold["state"]) == ("block", "hr", "open")
    assert (hold["counted"], hold["allowed"], hold["population"], len(hold["jobs"])) == (5, 5, 25, 3)
    assert shown.startswith("hold 1: the brake on block of hr, open\n")
    assert shown.endswith(f"  mailroster holds approve 1 --plan {hold['plan']}\n")
    assert shown.count(": block-mailbox ") == 3
    assert demo.run("holds", "show", "1", code=3) == shown
    assert demo.refused("holds", "approve", "1", "--plan", "0" * 64) == (
        "mailroster: hold 1: what it stops has changed since you looked; look at it again"
    )
    held = {job["person"] for job in hold["jobs"]}
    open_still = [each for each in demo.state()["domains"][0]["mailboxes"] if each["may_access_imap"]]
    assert len(open_still) == 25 - 1 - 5  # Māris had left before

    demo.run("holds", "approve", "1", "--plan", hold["plan"])
    demo.settle()

    assert demo.document("holds", "list")["holds"] == []
    (decided,) = demo.document("holds", "list", "--all")["holds"]
    assert (decided["state"], {job["person"] for job in decided["jobs"]} <= held) == ("approved", True)
    assert len([each for each in demo.state()["domains"][0]["mailboxes"] if each["may_access_imap"]]) == 25 - 1 - 8
