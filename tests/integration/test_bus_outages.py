"""What our consumer of a message bus outlives: brokers and databases that go away, and messages that break things."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from kombu import Connection
from structlog.testing import capture_logs

from tests.end_to_end.installation import wait_until
from tests.end_to_end.proxy import Proxy
from tests.integration.bus_place import Place, placed, told
from tests.integration.office import ON_POSTGRESQL
from worker.bus import Bus

on_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@pytest.fixture
def place(migrated_url: str, amqp_url: str, tmp_path: Path) -> Iterator[Place]:
    """A source on a bus that nobody consumes yet, whose messages may come back three times."""
    with placed(tmp_path, database_url=migrated_url, amqp_url=amqp_url, keys="delivery_limit = 3") as one:
        yield one


@pytest.fixture
def proxy(request: pytest.FixtureRequest) -> Iterator[Proxy]:
    """A proxy before the server that the test names by a fixture of its URL."""
    parts = urlsplit(request.getfixturevalue(request.param))
    assert parts.hostname
    with Proxy(parts.hostname, parts.port or {"postgresql+psycopg": 5432, "amqp": 5672}[parts.scheme]) as between:
        yield between


def through(url: str, proxy: Proxy) -> str:
    """Return a server's URL by way of a proxy."""
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    return parts._replace(netloc=f"{user}@127.0.0.1:{proxy.port}").geturl()


@on_sqlite
@pytest.mark.parametrize("proxy", ["amqp_url"], indirect=True)
def test_broker_is_waited_for_and_connected_to_again(
    migrated_url: str, amqp_url: str, tmp_path: Path, proxy: Proxy
) -> None:
    """A broker that is not there at the start, and one that goes away in between, are connected to when they come."""
    proxy.take_away()
    with (
        placed(tmp_path, database_url=migrated_url, amqp_url=amqp_url, through=through(amqp_url, proxy)) as place,
        Bus(place.deployment),
    ):
        assert not place.connected()
        proxy.bring_back()
        wait_until(place.connected)
        place.send(told(1))
        wait_until(lambda: len(place.rows()) == 1)
        proxy.take_away()
        wait_until(lambda: not place.connected())
        place.send(told(2), told(3))
        proxy.bring_back()

        wait_until(lambda: len(place.rows()) == 3)
        wait_until(place.connected)


@ON_POSTGRESQL
@pytest.mark.parametrize("proxy", ["postgres_url"], indirect=True)
def test_database_that_is_away_makes_no_dead_letters(
    migrated_url: str, amqp_url: str, tmp_path: Path, proxy: Proxy
) -> None:
    """Outages, with consumers stopped and started in them, cost no message a redelivery but those that were in hand."""
    far = through(migrated_url, proxy)
    with placed(tmp_path, database_url=far, amqp_url=amqp_url, keys="delivery_limit = 2\nprefetch = 5") as place:
        with place.consumed():
            proxy.take_away()
            place.send(*(told(number) for number in range(20)))
            wait_until(lambda: place.waiting() == 15)
            for _ in range(4):
                with Bus(place.deployment):
                    pass
            assert (place.waiting(), place.dead_count()) == (15, 0)
            proxy.bring_back()
            wait_until(lambda: len(place.rows()) == 20)

        assert {state for _, state in place.inbox()} == {"accepted"}
        assert place.waiting() == place.dead_count() == 0


def test_message_that_the_intake_fails_on_is_set_aside(place: Place) -> None:
    """What the database refuses while it takes other things is rejected after some tries; others are not held up."""
    place.refuse_inserts_of("evt-2")
    with place.consumed():
        place.send(*map(told, (1, 2, 3)))

        wait_until(place.dead_count)
        wait_until(lambda: len(place.rows()) == 3)
        assert place.inbox() == [("evt-1", "accepted"), (None, "rejected"), ("evt-3", "accepted")]
        assert place.rows()[1].reason == "the intake failed on it several times, for reasons that the log tells"


@on_sqlite
def test_message_that_kills_consumers_is_rejected_alone_with_the_reason(place: Place, amqp_url: str) -> None:
    """At its last delivery it is not tried again, or the broker would let it go and nothing would tell of it."""
    with place.consumed():
        pass
    place.send(told(1), headers={"x-delivery-count": 3})  # which the producer says, and not the broker
    for _ in range(2):
        die_with_the_oldest(amqp_url, place.source.queue_name)
    with place.consumed():
        wait_until(lambda: place.inbox() == [("evt-1", "accepted")])

    place.send(*map(told, (2, 3, 4)))
    for _ in range(3):
        die_with_the_oldest(amqp_url, place.source.queue_name)
    with place.consumed():
        wait_until(lambda: len(place.rows()) == 4)
        wait_until(place.dead_count)

    became = {(row.ce_id, row.state.value, row.reason) for row in place.rows()}
    assert became == {(f"evt-{number}", "accepted", None) for number in (1, 3, 4)} | {
        (None, "rejected", "it came back 3 times: whoever has it in hand dies of it or is killed")
    }
    assert place.dead_count() == 1


def die_with_the_oldest(amqp_url: str, queue: str) -> None:
    """Take a message and go away without a word of it."""
    with Connection(amqp_url) as connection, connection.channel() as channel:
        assert channel.basic_get(queue) is not None


@on_sqlite
def test_queue_of_another_kind_is_told_and_waited_for(place: Place) -> None:
    """A queue that exists with other properties is left alone, and the log repeats what the broker says of it."""
    with place.broker.channel() as channel:
        channel.queue_declare(place.source.queue_name, durable=True, auto_delete=False)
    with capture_logs() as logged, Bus(place.deployment):
        wait_until(lambda: "inequivalent arg" in str(logged))

    assert not place.connected()
