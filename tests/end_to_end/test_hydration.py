"""Hints through real processes: a web server, workers and a vendor that is a server of its own, on PostgreSQL."""

import hashlib
import hmac
import json
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.end_to_end.installation import SOURCES, Installation, installed, plain_client, wait_until
from tests.vendor import KEY, Vendor, answering, vending
from worker.store import events, hints, people
from worker.store.database import Database
from worker.store.states import HintState

SECRET = "people-secret"
PEOPLE = """
[sources.people]
kind = "hmac"
secret_env = "PEOPLE_SECRET"
precedence = 20
creates = true
[sources.people.signature]
header = "X-Signature"
[sources.people.map]
id = "id"
subject = "employee"
time = "at"
type = "event"
[sources.people.map.types]
"changed" = ""
"terminated" = "person.left"
[sources.people.map.facts]
givenName = "first"
familyName = "last"
department = "team"
[sources.people.hydrate]
url = "URL"
record = "data"
headers = { Authorization = { prefix = "Bearer ", env = "VENDOR_KEY" } }
"""


class Town:
    """An installation beside a vendor."""

    def __init__(self, installation: Installation, vendor: Vendor, client: httpx.Client) -> None:
        self.installation, self.vendor, self.client = installation, vendor, client
        self.numbers = iter(range(1_000_000))

    def hint(self, subject: str, word: str = "changed", *, at: datetime | None = None, id_: str | None = None) -> Any:
        """Have the vendor deliver that somebody changed, and return the answer's hint."""
        told = {"id": id_ or f"d{next(self.numbers)}", "employee": subject, "event": word}
        body = json.dumps(told | {"at": (at or datetime.now(UTC)).isoformat()}).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Signature": signature, "content-type": "application/json"}
        answer = self.client.post(f"{self.installation.url}/hooks/people", content=body, headers=headers)
        assert answer.status_code == 202, answer.text
        (noted,) = answer.json()["hints"]
        return noted

    def is_settled(self) -> bool:
        """Nothing is to be asked for, applied or run."""
        with closing(Database(self.installation.database_url)) as database, database.read() as session:
            if hints.outstanding(session) or events.any_accepted(session, datetime.now(UTC)):
                return False
        return all(job["state"] == "done" for job in self.installation.jobs())

    def facts(self, subject: str) -> dict[str, object]:
        """What the source has stated of somebody."""
        with closing(Database(self.installation.database_url)) as database, database.read() as session:
            record = people.stated_by(session, "people", subject)
        return {} if record is None else {name: stated.value for name, stated in record.facts.items()}

    def execute(self, statement: str) -> None:
        """Do something to the database behind everybody's back."""
        with psycopg.connect(self.installation.database_url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(statement)


@pytest.fixture
def town(tmp_path: Path, postgres_database_url: str, amqp_url: str) -> Iterator[Town]:
    """An installation on PostgreSQL and RabbitMQ with the HTTP server running, and its vendor."""
    secrets = {"PEOPLE_SECRET": SECRET, "VENDOR_KEY": KEY.removeprefix("Bearer ")}
    with (
        vending() as vendor,
        installed(tmp_path, database_url=postgres_database_url, broker_url=amqp_url, **secrets) as installation,
        plain_client() as client,
    ):
        (tmp_path / "sources.toml").write_text(SOURCES + PEOPLE.replace("URL", vendor.url))
        installation.start_serving()
        yield Town(installation, vendor, client)


def person(number: int, team: str = "Engineering") -> dict[str, Any]:
    """Return a vendor's record."""
    return {"first": f"Given{number}", "last": "Family", "team": team}


def test_whatever_the_order_the_end_is_the_vendors_record(town: Town) -> None:
    """Bursts, disorder and repetitions through two workers: few questions, and every fact as the vendor has it."""
    town.installation.start("worker")
    town.installation.start("worker")
    chance = random.Random(1815)
    started = datetime.now(UTC)
    for number in range(6):
        town.vendor.records[f"P{number}"] = person(number)
        town.hint(f"P{number}", at=started)
    for step in range(120):
        subject = f"P{chance.randrange(6)}"
        town.vendor.records[subject] = town.vendor.records[subject] | {"team": f"T{step}"}
        first = town.hint(subject, id_=f"s{step}", at=started)
        again = town.hint(subject, id_=f"s{step}", at=started)
        assert (again["id"], again["duplicate"]) == (first["id"], True)

    wait_until(town.is_settled)
    for number in range(6):
        record = town.vendor.records[f"P{number}"]
        assert town.facts(f"P{number}") == {
            "givenName": record["first"],
            "familyName": record["last"],
            "department": record["team"],
        }
    assert len(town.installation.mailboxes()) == 6
    assert town.vendor.most_at_once <= 2
    assert len(town.vendor.asked) < 60


def test_a_worker_killed_between_fetch_and_commit_is_replaced(town: Town) -> None:
    """What it had asked for is asked once more, by another, and each event is there once."""
    first, asked = town.installation.start("worker"), threading.Event()

    def hold(_subject: str) -> None:
        asked.set()
        time.sleep(1.0)

    town.vendor.before_answer = hold
    town.vendor.records["P1"] = person(1)
    town.hint("P1")
    assert asked.wait(60)
    first.send_signal(signal.SIGKILL)
    first.wait()
    with closing(Database(town.installation.database_url)) as database, database.read() as session:
        assert hints.outstanding(session) == {"people": {HintState.FETCHING: 1}}
    town.vendor.before_answer = lambda _: None
    town.execute("update hints set lease_until = now() - interval '1 second'")
    town.installation.start("worker")

    wait_until(town.is_settled)
    assert len(town.vendor.asked) == 2
    assert set(town.installation.mailboxes()) == {"given1.family@example.org"}
    town.execute("do $$ begin assert (select count(*) from events) = 1; end $$")


def test_two_workers_ask_once_for_each(town: Town) -> None:
    """Twenty people at once are twenty questions, never more than two at a time, while others are served."""
    town.installation.start("worker")
    town.installation.start("worker")
    town.vendor.before_answer = lambda _: time.sleep(0.1)
    for number in range(20):
        town.vendor.records[f"P{number}"] = person(number)
        town.hint(f"P{number}")
    town.installation.deliver("joined", "E1", givenName="Ada", familyName="Lovelace")

    wait_until(town.is_settled)
    assert sorted(town.vendor.asked) == sorted(f"/people/P{number}" for number in range(20))
    assert town.vendor.most_at_once <= 2
    assert len(town.installation.mailboxes()) == 21


def test_refused_credentials_are_told_and_mended(town: Town) -> None:
    """`doctor` and `sources show` say what is the matter, and `sources retry` asks at once."""
    town.installation.start("worker")
    town.vendor.records["P1"], town.vendor.always = person(1), answering(401)
    town.hint("P1")
    wait_until(lambda: town.vendor.asked)
    said = wait_until(lambda: "people is not asked for records" in town.installation.run("doctor").stdout)
    doctor, shown = (town.installation.run(*words) for words in (("doctor",), ("sources", "show", "people")))
    assert doctor.stdout.count("is not asked for records") == 1
    assert "people: it is not asked for records: " in shown.stdout
    assert shown.returncode == 3
    town.vendor.always = None
    retried = town.installation.run("sources", "retry", "people")
    assert town.installation.run("sources", "show", "people").returncode == 0

    assert said
    assert retried.returncode == 0, retried.stderr
    wait_until(lambda: "given1.family@example.org" in town.installation.mailboxes())
    town.hint("P1", "terminated")
    wait_until(lambda: not town.installation.mailboxes()["given1.family@example.org"]["may_access_imap"])
