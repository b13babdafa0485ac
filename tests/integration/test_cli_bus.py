"""`mailroster bus` and the bus inside `up`, as processes, from the command line alone."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.installation import wait_until
from tests.integration.bus_place import Place, placed, told
from tests.integration.shell import Shell


@pytest.fixture
def place(_migrated_sqlite_url: str, amqp_url: str, tmp_path: Path) -> Iterator[Place]:
    """A source on a bus, with no consumer yet."""
    with placed(tmp_path, database_url=_migrated_sqlite_url, amqp_url=amqp_url) as one:
        yield one


def shell_at(place: Place, **variables: str) -> Shell:
    """Return a shell on the database, the broker and the sources file of a place."""
    settings = place.deployment.settings
    given = {
        "MAILROSTER_DATABASE_URL": settings.database_url.get_secret_value(),
        "MAILROSTER_BROKER_URL": settings.broker_url.get_secret_value(),
        "MAILROSTER_LISTEN": "127.0.0.1:0",
    }
    return Shell(settings.sources.parent, given | variables)


def test_bus_takes_events_until_a_signal_ends_it(place: Place) -> None:
    """It says what it consumes, `doctor` sees it, and SIGTERM ends it at once, with 0; then `doctor` misses it."""
    shell = shell_at(place)
    with shell.staying("bus", until="consuming") as bus:
        wait_until(place.connected)
        place.send(told())
        wait_until(place.rows)
        well = shell.run("doctor", "--json").document["checks"]
        code = bus.end()
    ill = shell.run("doctor")

    assert bus.out == f"consuming  payroll from exchange {place.source.exchange}\n"
    assert code == 0
    assert [re.sub(r"since .*", "", check["said"]) for check in well if check["check"] == "source payroll"] == [
        "1 connected, "
    ]
    assert f"nobody consumes queue {place.source.queue_name}" in ill.out
    assert "Lovelace" not in Path(shell.directory / "bus.err").read_text()


def test_up_takes_events_and_serves_whatever_becomes_of_the_broker(place: Place) -> None:
    """Inside `up` events of a bus are applied; with a broker of its own that never answers the rest goes on."""
    with (place.deployment.settings.sources).open("a") as sources:
        sources.write('creates = true\n[sources.lost]\nkind = "amqp"\nexchange = "lost"\nurl_env = "LOST"\n')
    shell = shell_at(place, LOST="amqp://guest:guest@127.0.0.1:9//")
    with shell.staying("up", "--sandbox", "--sandbox-port", "0", until="listening") as up:
        wait_until(place.connected)
        place.send(told())
        wait_until(lambda: place.inbox() == [("evt-1", "applied")])
        code = up.end()

    assert f"consuming  payroll from exchange {place.source.exchange}, lost from exchange lost" in up.out
    assert code == 0


@pytest.mark.parametrize("broker", ["memory://", "redis://127.0.0.1:6379/15"])
def test_broker_that_is_no_bus_is_refused_by_name(place: Place, broker: str) -> None:
    """A source without a URL of its own cannot be heard where the deployment's broker is not RabbitMQ."""
    ran = shell_at(place, MAILROSTER_BROKER_URL=broker).run("bus")

    assert ran.code == 1
    assert ran.err.splitlines()[-1] == (
        "mailroster: source payroll: events of a bus come from RabbitMQ, and the broker of this deployment is "
        f"{broker}: give the source a url_env or url_file, or set MAILROSTER_BROKER_URL to amqp://..."
    )


def test_bus_without_a_source_says_so(place: Place) -> None:
    """There is nothing to consume: exit code 1 and one sentence."""
    place.deployment.settings.sources.write_text("")
    ran = shell_at(place).run("bus")

    assert (ran.code, len(ran.err.splitlines())) == (1, 1)
    assert "no source of the kind amqp" in ran.err


def test_event_of_a_celery_producer_is_no_event_of_a_bus(place: Place) -> None:
    """What a Celery producer would send to its own queue is refused here like anything else that is no event."""
    shell = shell_at(place)
    with shell.staying("bus", until="consuming"):
        wait_until(place.connected)
        body = [[told()], {}, {"callbacks": None}]
        place.send(body, headers={"task": "mailroster.submit_event", "id": "1"}, content_type="application/json")

        wait_until(place.dead_count)
        assert json.loads(place.dead()[0].body) == body
