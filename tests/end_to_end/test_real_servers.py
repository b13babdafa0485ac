"""Separate `serve` and `worker` processes on PostgreSQL and RabbitMQ (and Redis), as a real deployment runs them."""

import json
import signal
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from celery import Celery

from tests.end_to_end.installation import Installation, event, installed, wait_until
from tests.end_to_end.proxy import Proxy


@pytest.fixture
def installation(tmp_path: Path, postgres_database_url: str, amqp_url: str) -> Iterator[Installation]:
    """An installation on PostgreSQL and RabbitMQ with nothing running yet."""
    with installed(tmp_path, database_url=postgres_database_url, broker_url=amqp_url) as made:
        yield made


def join(installation: Installation, subject: str, given: str, family: str, **data: object) -> httpx.Response:
    """Deliver a joiner."""
    return installation.deliver("joined", subject, givenName=given, familyName=family, **data)


def all_settled(installation: Installation) -> bool:
    """Every job is done."""
    jobs = installation.jobs()
    return bool(jobs) and all(job["state"] == "done" for job in jobs)


def test_people_join_are_renamed_and_leave(installation: Installation) -> None:
    """Signed webhooks become mailboxes, identities and aliases through one server and two worker processes."""
    installation.start_serving()
    installation.start("worker")
    installation.start("worker")

    for number, (given, family) in enumerate([("Ada", "Lovelace"), ("Grace", "Hopper"), ("Łukasz", "Żak")]):
        assert join(installation, f"E{number}", given, family, department="Engineering").status_code == 202
    joined = {"ada.lovelace@example.org", "grace.hopper@example.org", "lukasz.zak@example.org"}
    wait_until(lambda: set(installation.mailboxes()) == joined)
    wait_until(lambda: set(installation.destinations("engineering")) == joined)
    installation.deliver("renamed", "E1", familyName="Murray")
    installation.deliver("left", "E0", immediate=True)

    wait_until(lambda: [each["address"] for each in installation.mailboxes()["grace.hopper@example.org"]["identities"]])
    wait_until(lambda: "ada.lovelace@example.org" not in installation.destinations("engineering"))
    wait_until(lambda: not installation.mailboxes()["ada.lovelace@example.org"]["may_access_imap"])
    wait_until(lambda: all_settled(installation))
    mailboxes = installation.mailboxes()
    assert set(mailboxes) == joined
    assert mailboxes["grace.hopper@example.org"]["name"] == "Grace Murray"
    assert mailboxes["grace.hopper@example.org"]["identities"][0]["address"] == "grace.murray@example.org"
    assert not mailboxes["ada.lovelace@example.org"]["may_send"]
    assert mailboxes["ada.lovelace@example.org"]["may_receive"]
    assert installation.destinations("everyone") == ["grace.hopper@example.org", "lukasz.zak@example.org"]


def test_scheduled_departure_happens_when_its_day_comes(installation: Installation) -> None:
    """A departure dated ahead blocks, then deletes, only when business time has passed its dates."""
    installation.start_serving()
    installation.start("worker")
    join(installation, "E1", "Ada", "Lovelace")
    wait_until(lambda: "ada.lovelace@example.org" in installation.mailboxes())
    last_day = (date.today() + timedelta(days=10)).isoformat()  # noqa: DTZ011 - any day in ten days or so will do
    installation.deliver("left", "E1", lastWorkingDay=last_day)

    wait_until(lambda: all_settled(installation))
    assert installation.mailboxes()["ada.lovelace@example.org"]["may_access_imap"]
    installation.move_clock("P12D")
    wait_until(lambda: not installation.mailboxes()["ada.lovelace@example.org"]["may_access_imap"])
    installation.move_clock("P41D")
    wait_until(lambda: all_settled(installation))
    assert installation.mailboxes()
    installation.move_clock("P43D")
    wait_until(lambda: not installation.mailboxes())


def test_a_killed_worker_is_replaced_and_nothing_is_done_twice(
    tmp_path: Path,
    postgres_database_url: str,
    amqp_url: str,
) -> None:
    """SIGKILL in the middle of jobs: another worker settles what was sent and finishes; each mailbox is made once."""
    with installed(tmp_path, database_url=postgres_database_url, broker_url=amqp_url, latency_s=0.5) as installation:
        installation.start_serving()
        first = installation.start("worker")
        for number in range(8):
            join(installation, f"E{number}", f"Given{number}", "Family", department="Engineering")
        wait_until(lambda: installation.calls("POST"))
        first.send_signal(signal.SIGKILL)
        first.wait()

        _let_leases_run_out(postgres_database_url)
        installation.move_clock("PT5M")  # beyond the deadline of any call the dead worker had sent
        installation.start("worker")

        wait_until(lambda: len(installation.mailboxes()) == 8)
        wait_until(lambda: all_settled(installation))
        creations = [call for call in installation.calls("POST") if call["path"].endswith("/mailboxes")]
        made = [call["body"]["local_part"] for call in creations if call["status"] == 200]
        assert len(installation.destinations("engineering")) == 8
        assert sorted(made) == sorted(set(made))


def test_events_are_accepted_and_kept_while_the_broker_is_away(
    tmp_path: Path,
    postgres_database_url: str,
    amqp_url: str,
) -> None:
    """With the broker gone events are still answered 202, the worker goes on by itself, and hears bells again later."""
    parts = urlsplit(amqp_url)
    assert parts.hostname
    with Proxy(parts.hostname, parts.port or 5672) as proxy:
        through = parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{proxy.port}").geturl()
        with installed(tmp_path, database_url=postgres_database_url, broker_url=through) as installation:
            installation.start_serving()
            installation.start("worker")
            join(installation, "E1", "Ada", "Lovelace")
            wait_until(lambda: "ada.lovelace@example.org" in installation.mailboxes())

            proxy.take_away()
            answers = [join(installation, f"E{number}", "Grace", f"Hopper{number}") for number in range(2, 5)]
            ready = httpx.get(f"{installation.url}/readyz")
            wait_until(lambda: len(installation.mailboxes()) == 4)
            proxy.bring_back()

            assert [answer.status_code for answer in answers] == [202, 202, 202]
            assert max(answer.elapsed.total_seconds() for answer in answers) < 10
            assert ready.status_code == 200
            assert ready.json()["status"] == "degraded"
            _produce(amqp_url, event("joined", "E5", givenName="Alan", familyName="Turing"))
            wait_until(lambda: len(installation.mailboxes()) == 5, deadline_s=90)


def test_term_finishes_what_runs_and_exits_cleanly(installation: Installation) -> None:
    """SIGTERM lets the jobs in hand finish, and no lane stays leased."""
    installation.start_serving()
    worker = installation.start("worker")
    for number in range(4):
        join(installation, f"E{number}", f"Given{number}", "Family")
    wait_until(lambda: bool(installation.calls("POST")))
    worker.send_signal(signal.SIGTERM)

    assert worker.wait(timeout=60) == 0, installation.logs()
    assert not [job for job in installation.jobs() if job["state"] == "running"]


def test_celery_command_works_too(installation: Installation) -> None:
    """`celery -A worker.app worker` is a worker like `mailroster worker`."""
    installation.start_serving()
    installation.start("-A", "worker.app", "worker", module="celery")
    installation.run("policy", "check")
    join(installation, "E1", "Ada", "Lovelace")

    wait_until(lambda: "ada.lovelace@example.org" in installation.mailboxes())


def test_producer_that_speaks_celery_submits_events(installation: Installation, amqp_url: str) -> None:
    """An event sent as the Celery task `mailroster.submit_event` is accepted like a webhook."""
    installation.start("worker")
    _produce(amqp_url, event("joined", "E1", givenName="Ada", familyName="Lovelace"))

    wait_until(lambda: "ada.lovelace@example.org" in installation.mailboxes())


def test_event_of_a_producer_waits_for_a_database_that_is_away(
    tmp_path: Path,
    postgres_database_url: str,
    amqp_url: str,
) -> None:
    """An event that comes as a Celery task while the database is away goes back to the broker until it is taken."""
    parts = urlsplit(postgres_database_url)
    assert parts.hostname
    with Proxy(parts.hostname, parts.port or 5432) as proxy:
        user = parts.netloc.rpartition("@")[0]
        through = parts._replace(netloc=f"{user}@127.0.0.1:{proxy.port}").geturl()
        with installed(tmp_path, database_url=through, broker_url=amqp_url) as installation:
            installation.start_serving()
            installation.start("worker")
            join(installation, "E1", "Grace", "Hopper")
            wait_until(lambda: "grace.hopper@example.org" in installation.mailboxes())

            proxy.take_away()
            _produce(amqp_url, event("joined", "E2", givenName="Ada", familyName="Lovelace"))
            wait_until(lambda: "it goes back" in installation.logs())
            proxy.bring_back()

            wait_until(lambda: "ada.lovelace@example.org" in installation.mailboxes())


def test_redis_rings_as_well(tmp_path: Path, postgres_database_url: str, redis_url: str) -> None:
    """The same processes run on Redis."""
    with installed(tmp_path, database_url=postgres_database_url, broker_url=redis_url) as installation:
        installation.start_serving()
        installation.start("worker")
        join(installation, "E1", "Ada", "Lovelace", department="Engineering")

        wait_until(lambda: installation.destinations("engineering") == ["ada.lovelace@example.org"])


def test_dry_run_writes_nothing(tmp_path: Path, postgres_database_url: str, amqp_url: str) -> None:
    """With MAILROSTER_DRY_RUN plans are shown on held jobs and no write reaches the mail host; without it they run."""
    urls = {"database_url": postgres_database_url, "broker_url": amqp_url}
    with installed(tmp_path, **urls, MAILROSTER_DRY_RUN="true") as installation:
        installation.start_serving()
        worker = installation.start("worker")
        join(installation, "E1", "Ada", "Lovelace")
        held = wait_until(lambda: [job for job in installation.jobs() if job["state"] == "held"])
        shown = json.loads(installation.run("jobs", "show", held[0]["id"], "--json").stdout)
        worker.send_signal(signal.SIGTERM)
        worker.wait()

        assert "create-mailbox" in json.dumps(shown["plan"])
        assert not [call for call in installation.calls() if call["method"] != "GET"]

        installation.settings["MAILROSTER_DRY_RUN"] = "false"
        installation.start("worker")

        wait_until(lambda: "ada.lovelace@example.org" in installation.mailboxes())


def test_processes_refuse_an_old_schema(tmp_path: Path, postgres_database_url: str, amqp_url: str) -> None:
    """`serve` and `worker` refuse to start on a schema that is not current, and name the mend."""
    with installed(tmp_path, database_url=postgres_database_url, broker_url=amqp_url) as installation:
        with psycopg.connect(postgres_database_url.replace("+psycopg", "")) as connection:
            connection.execute("update alembic_version set version_num = 'older'")
        refused = [installation.run(command) for command in ("serve", "worker")]

        assert [one.returncode for one in refused] == [1, 1]
        assert all("mailroster db upgrade" in one.stderr for one in refused)


def _produce(amqp_url: str, told: dict[str, object]) -> None:
    """Send an event as a producer does who has Celery and nothing of ours."""
    with Celery("producer", broker=amqp_url, set_as_current=False) as producer:
        producer.send_task("mailroster.submit_event", args=[told], queue="mailroster.events")


def _let_leases_run_out(database_url: str) -> None:
    """Move the leases back instead of waiting for them; they go by the database's clock."""
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        connection.execute("update jobs set lease_until = now() - interval '1 second' where state = 'running'")
