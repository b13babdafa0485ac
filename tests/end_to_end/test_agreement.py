"""What cannot be undone, through real processes: workers, a mail host, and the vendor that is asked before."""

import json
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.installation import SOURCES, installed, plain_client, wait_until
from tests.end_to_end.test_hydration import PEOPLE, SECRET, Town, person
from tests.vendor import KEY, answering, vending

COLLEAGUE = 9


class Leavers(Town):
    """A town where people leave, each on the same day."""

    def leave(self, *numbers: int) -> None:
        """Have these people join, and leave tomorrow; everything is done that comes of it, the block included.

        A colleague stays, or no list would have members, which a brake looks into.
        """
        for number in (*numbers, COLLEAGUE):
            self.vendor.records[f"P{number}"] = person(number) | {"end": None}
            self.hint(f"P{number}")
        wait_until(lambda: len(self.mailboxes()) == len(numbers))
        wait_until(self.is_settled)
        for number in numbers:
            self.vendor.records[f"P{number}"] = self.gone(number)
            self.hint(f"P{number}", "terminated")
        wait_until(self.is_settled)
        self.installation.move_clock("P3D")
        wait_until(lambda: not any(box["may_access_imap"] for box in self.mailboxes().values()))
        wait_until(self.is_settled)
        self.vendor.asked.clear()

    def mailboxes(self) -> dict[str, Any]:
        """Return the mailboxes, the colleague's apart."""
        return {name: box for name, box in self.installation.mailboxes().items() if f"given{COLLEAGUE}." not in name}

    def gone(self, number: int) -> dict[str, Any]:
        """Return the record of somebody whose last day is tomorrow."""
        return person(number) | {"end": (datetime.now(UTC) + timedelta(days=1)).date().isoformat()}

    def job(self) -> dict[str, Any]:
        """Return the newest job."""
        return max(self.installation.jobs(), key=lambda job: int(job["id"]))


@pytest.fixture
def leavers(tmp_path: Path, postgres_database_url: str, amqp_url: str) -> Iterator[Leavers]:
    """An installation on PostgreSQL and RabbitMQ with the HTTP server running, and its vendor."""
    secrets = {"PEOPLE_SECRET": SECRET, "VENDOR_KEY": KEY.removeprefix("Bearer ")}
    dated = PEOPLE.replace('department = "team"', 'department = "team"\nlastWorkingDay = "end"')
    with (
        vending() as vendor,
        installed(tmp_path, database_url=postgres_database_url, broker_url=amqp_url, **secrets) as installation,
        plain_client() as client,
    ):
        (tmp_path / "sources.toml").write_text(SOURCES + dated.replace("URL", vendor.url))
        installation.start_serving()
        yield Leavers(installation, vendor, client)


def test_each_is_asked_for_before_their_mailbox_goes(leavers: Leavers) -> None:
    """Of three who left one is back, of which nothing was told: two mailboxes go, and the third is opened."""
    leavers.installation.start("worker")
    leavers.installation.start("worker")
    leavers.leave(1, 2, 3)
    leavers.vendor.records["P2"] = person(2) | {"end": None}
    leavers.installation.move_clock("P40D")

    wait_until(lambda: set(leavers.mailboxes()) == {"given2.family@example.org"})
    wait_until(leavers.is_settled)
    assert leavers.mailboxes()["given2.family@example.org"]["may_access_imap"]
    assert sorted(leavers.vendor.asked) == ["/people/P1", "/people/P2", "/people/P3"]


def test_a_vendor_that_refuses_us_holds_the_deletion(leavers: Leavers) -> None:
    """`why`, `jobs list` and `holds list` name it and what to do; mended and asked again, the mailbox goes."""
    run = leavers.installation.run
    leavers.installation.start("worker")
    leavers.leave(1)
    leavers.vendor.always = answering(401)
    leavers.installation.move_clock("P40D")
    wait_until(lambda: leavers.job()["state"] == "held", 120)

    for shown in (run("why", "given1.family@example.org"), run("jobs", "list", "--state", "held")):
        assert "mailroster sources retry people" in " ".join(shown.stdout.split())
    (hold,) = json.loads(run("holds", "list", "--json").stdout)["holds"]
    assert (hold["kind"], hold["source"], hold["brake"]) == ("agreement", "people", None)
    said = run("holds", "list").stdout
    assert f"hold {hold['id']}: people must agree and does not answer, open" in said
    assert "delete-mailbox given1.family@example.org" in " ".join(said.split())
    assert f"hold {hold['id']} over 1 job" in run("doctor").stdout
    assert len(leavers.mailboxes()) == 1

    leavers.vendor.always = None
    assert run("sources", "retry", "people").returncode == 0
    wait_until(lambda: not leavers.mailboxes())
    wait_until(leavers.is_settled)


def test_a_worker_killed_while_it_asks_deletes_nothing(leavers: Leavers) -> None:
    """Another one asks again, and then deletes, once."""
    first, asked, answers = leavers.installation.start("worker"), threading.Event(), threading.Event()
    leavers.leave(1)

    def hold(_subject: str) -> None:
        asked.set()
        answers.wait(60)

    leavers.vendor.before_answer = hold
    leavers.installation.move_clock("P40D")
    assert asked.wait(60)
    first.send_signal(signal.SIGKILL)
    first.wait()
    leavers.vendor.before_answer = lambda _: None
    answers.set()
    assert leavers.mailboxes()
    leavers.execute("update hints set lease_until = now() - interval '1 second' where state = 'fetching'")
    leavers.execute("update jobs set lease_until = now() - interval '1 second' where state = 'running'")
    leavers.installation.start("worker")
    wait_until(lambda: not leavers.mailboxes(), 150)

    wait_until(leavers.is_settled)
    assert leavers.vendor.asked == ["/people/P1", "/people/P1"]
    deleted = [call for call in leavers.installation.calls("DELETE") if "/mailboxes/" in call["path"]]
    assert len(deleted) == 1
