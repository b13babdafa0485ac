"""`mailroster bus` killed at the worst moments: while it commits several messages, and before it acknowledges them."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.end_to_end.installation import Installation, installed, wait_until
from tests.end_to_end.proxy import Proxy
from tests.integration.bus_place import Place, placed, told
from worker.bus.topology import declare
from worker.store.states import EventState
from worker.store.tables import EventRow

EVENTS = 20
_HELD_UP = "from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


@dataclass(frozen=True)
class Scene:
    """A source whose messages wait, the installation that is to consume them, and what it reaches the broker by."""

    place: Place
    installation: Installation
    proxy: Proxy
    database: str

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Return what a query finds."""
        with psycopg.connect(self.database) as connection:
            return connection.execute(query).fetchall()

    def is_held_up(self) -> bool:
        """The consumer waits for whoever holds the key of an event."""
        return bool(self.rows(f"select 1 {_HELD_UP}"))

    def forget_the_killed(self) -> None:
        """Have the database know that who is held up is dead, as it would by its own timeout, and the broker, too."""
        self.rows(f"select pg_terminate_backend(pid) {_HELD_UP}")
        wait_until(lambda: not self.is_held_up())
        wait_until(lambda: self.place.waiting() + self.place.dead_count() + len(self.accepted()) == EVENTS)

    def accepted(self) -> list[EventRow]:
        """Return the events of the inbox that were not rejected."""
        return [row for row in self.place.rows() if row.state is not EventState.REJECTED]

    @contextmanager
    def held_up(self, ce_id: str) -> Iterator[None]:
        """Have whoever inserts this event wait, as if another were inserting it."""
        with closing(psycopg.connect(self.database)) as connection:
            connection.execute(
                "insert into events (source, ce_source, ce_id, received_at, digest, document, state, failures)"
                " values ('payroll', 'urn:example:payroll', %s, now(), '', '{}', 'accepted', 0)",
                [ce_id],
            )
            yield


@pytest.fixture
def scene(tmp_path: Path, postgres_database_url: str, amqp_url: str) -> Iterator[Scene]:
    """Events that wait for a consumer; they may come back three times."""
    parts = urlsplit(amqp_url)
    there = tmp_path / "place"
    there.mkdir()
    with (
        Proxy(parts.hostname or "", parts.port or 5672) as proxy,
        installed(tmp_path, database_url=postgres_database_url, broker_url=_through(amqp_url, proxy)) as installation,
        placed(
            there, database_url=postgres_database_url, amqp_url=amqp_url, keys="delivery_limit = 3\nprefetch = 50"
        ) as place,
    ):
        (tmp_path / "sources.toml").write_text((there / "sources.toml").read_text())
        declare(place.broker, place.source)
        place.send(*map(told, range(EVENTS)))
        yield Scene(place, installation, proxy, postgres_database_url.replace("+psycopg", ""))


def _through(url: str, proxy: Proxy) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{proxy.port}").geturl()


def test_what_was_committed_and_not_acknowledged_comes_again_and_changes_nothing(scene: Scene) -> None:
    """All messages of the transaction come again, as duplicates; nothing of them is there twice."""
    with scene.held_up("evt-10"):
        killed = scene.installation.start("bus")
        wait_until(scene.is_held_up)
        scene.proxy.take_away()
        wait_until(lambda: scene.place.waiting() == EVENTS - len(scene.place.rows()))
        left = scene.place.waiting()
    wait_until(lambda: "not connected" in scene.installation.log_of(killed))
    killed.kill()
    killed.wait()
    twice = len(scene.place.rows()) - (EVENTS - left)
    assert twice > 1
    assert scene.place.waiting() == left

    scene.proxy.bring_back()
    again = scene.installation.start("bus")
    scene.place.send(told(EVENTS))  # when this is there, what was before it is settled
    wait_until(lambda: len(scene.place.rows()) == EVENTS + 1)
    again.terminate()

    assert again.wait(20) == 0
    assert scene.place.inbox() == [(f"evt-{number}", "accepted") for number in range(EVENTS + 1)]
    assert scene.rows("select sum(count) from source_tallies where kind = 'repeated'") == [(twice,)]
    assert scene.place.waiting() == scene.place.dead_count() == 0


def test_what_kills_its_consumer_each_time_becomes_a_dead_letter_alone(scene: Scene) -> None:
    """Whatever is in hand with it, before it and behind it, is accepted in the end; it is rejected, with the reason."""
    with scene.held_up("evt-10"):
        while not scene.place.dead_count():
            consumer = scene.installation.start("bus")
            wait_until(lambda: scene.is_held_up() or scene.place.dead_count())
            consumer.kill()
            consumer.wait()
            scene.forget_the_killed()
    scene.installation.start("bus")
    wait_until(lambda: len(scene.accepted()) == EVENTS - 1)

    assert [json.loads(letter.body)["id"] for letter in scene.place.dead()] == ["evt-10"]
    (refused,) = [row for row in scene.place.rows() if row.state is EventState.REJECTED]
    assert (refused.reason or "").startswith("it came back 3 times")
