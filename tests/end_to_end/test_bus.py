"""`mailroster bus` while everything around it dies: its broker, its database, and it itself, in 10,000 messages."""

import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import amqp
import psycopg
import pytest

from tests.end_to_end.installation import Installation, installed, wait_until
from tests.end_to_end.rabbit import Node, Producer, own_node

EVENTS, LOT = 10_000, 100
SOURCES = '[sources.payroll]\nkind = "amqp"\nexchange = "hr.events"\ncreates = false\n'
POISON = [b"{%d", b"\xff%d", b"[%d]", b'"text %d"', b'{"specversion": "1.0", "sequence": %d}']
QUEUE = "mailroster.payroll"
WAITING = "select 1 from events where state = 'accepted' limit 1"
PATIENCE_S = 240.0
"""On a machine with nothing else to do it takes half a minute until all is accepted."""
_AHEAD = 1_500


@pytest.fixture
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A RabbitMQ of the test's own."""
    with own_node(tmp_path_factory.mktemp("rabbit")) as running:
        yield running


def event(number: int, **more: object) -> bytes:
    """Return an event as it is published."""
    told = {
        "specversion": "1.0",
        "id": f"evt-{number:05}",
        "source": "urn:example:payroll",
        "type": "person.updated",
        "subject": f"E{number}",
        "time": "2026-11-20T09:00:00Z",
        "data": {"title": "Engineer"},
    }
    return json.dumps(told | more).encode()


def bodies() -> Iterator[bytes]:
    """Yield all events, each once, and among them repetitions, other bodies under known ids, and what is no event."""
    for number in range(EVENTS):
        yield event(number)
        if number % 100 == 50:
            yield event(number - 30)
        if number % 2000 == 1000:
            yield event(number - 500, subject="E999999")
        if number % 500 == 499:
            yield POISON[number // 500 % len(POISON)] % number


def message(body: bytes) -> amqp.Message:
    """Return a message that the broker keeps on disk."""
    return amqp.Message(body, delivery_mode=2, content_type="application/json")


def test_nothing_is_lost_and_nothing_doubled_whatever_dies(
    tmp_path: Path, postgres_database_url: str, node: Node
) -> None:
    """The consumer is killed, the broker is killed, the database goes away; every event is in the inbox, once.

    And a worker that lives through the latter two applies each of them once.
    """
    with installed(tmp_path, database_url=postgres_database_url, broker_url=node.url) as installation:
        (tmp_path / "sources.toml").write_text(SOURCES)
        _note_what_is_applied(postgres_database_url)
        worker, consumers = installation.start("worker"), [installation.start("bus")]
        wait_until(lambda: _rows(postgres_database_url, "select 1 from workers where id like 'bus:%'"))

        def kill_the_consumer() -> None:
            consumers[-1].send_signal(signal.SIGKILL)
            consumers.append(installation.start("bus"))

        def kill_the_broker() -> None:
            node.kill()
            node.start()

        publishing = Publishing(node)
        publishing.start()
        for accepted, deed in {
            2_000: kill_the_consumer,
            4_000: kill_the_broker,
            7_000: lambda: _take_away_for_a_while(postgres_database_url),
        }.items():
            wait_until(lambda wanted=accepted: publishing.seen(_accepted(postgres_database_url)) >= wanted, PATIENCE_S)
            deed()
        wait_until(lambda: publishing.seen(_accepted(postgres_database_url)) == EVENTS, PATIENCE_S)
        wait_until(lambda: not _messages(node, QUEUE))
        wait_until(lambda: not _rows(postgres_database_url, WAITING), 2 * PATIENCE_S)

        _assert_all_is_there(installation, postgres_database_url, node)
        assert publishing.lots_resent
        for process in (consumers[-1], worker):
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


class Publishing(threading.Thread):
    """Publishes everything, but never far ahead of what was accepted: so whatever dies, dies in the middle."""

    def __init__(self, node: Node) -> None:
        super().__init__(name="publishing", daemon=True)
        self._producer = Producer(node, "hr.events", lost=self._lost)
        self._accepted = self.lots_resent = 0

    def seen(self, accepted: int) -> int:
        """Note how many events were accepted, and return it."""
        self._accepted = accepted
        return accepted

    def run(self) -> None:
        """Publish, lot by lot."""
        everything = list(bodies())
        for at in range(0, len(everything), LOT):
            while at - self._accepted > _AHEAD:
                time.sleep(0.05)
            self._producer.publish([message(body) for body in everything[at : at + LOT]])
        self._producer.close()

    def _lost(self) -> None:
        self.lots_resent += 1


def _assert_all_is_there(installation: Installation, database_url: str, node: Node) -> None:
    said = Counter(bodies())
    poison = {body for body in said if not body.startswith(b'{"specversion": "1.0", "id"')}
    accepted = _rows(database_url, "select ce_id from events where state <> 'rejected' order by ce_id")
    rejected = _rows(database_url, "select reason from events where state = 'rejected'")
    dead = _dead_letters(node)

    assert [ce_id for (ce_id,) in accepted] == [f"evt-{number:05}" for number in range(EVENTS)]
    assert len([reason for (reason,) in rejected if "another body came before" in reason]) == 5
    assert len(rejected) == len(poison) + 5
    assert all(reason for (reason,) in rejected)
    assert set(dead) == poison
    assert "999999" not in installation.logs()
    applied = "select count(*), count(distinct id) from applied"
    assert _rows(database_url, applied) == [(EVENTS, EVENTS)]
    assert _rows(database_url, "select count(*) from records") == [(EVENTS,)]


def _note_what_is_applied(database_url: str) -> None:
    """Have the database write down each time that an event becomes applied."""
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        connection.execute("create table applied (id bigint)")
        connection.execute(
            "create function note() returns trigger language plpgsql as "
            "$$begin insert into applied values (new.id); return null; end$$"
        )
        connection.execute(
            "create trigger applied after update on events for each row when (new.state = 'applied') "
            "execute function note()"
        )


def _take_away_for_a_while(database_url: str) -> None:
    """Have the server cut all connections of a database and refuse new ones, for some seconds."""
    server, name = database_url.replace("+psycopg", "").rsplit("/", 1)
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'alter database "{name}" allow_connections false')
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
        time.sleep(4)
        connection.execute(f'alter database "{name}" allow_connections true')


def _accepted(database_url: str) -> int:
    time.sleep(0.2)  # counting takes from the consumer what it needs
    return int(_rows(database_url, "select count(*) from events where state <> 'rejected'")[0][0])


def _rows(database_url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        return connection.execute(query).fetchall()


def _messages(node: Node, queue: str) -> int:
    with node.connect() as connection, connection.channel() as channel:
        return int(channel.queue_declare(queue, passive=True).message_count)


def _dead_letters(node: Node) -> list[bytes]:
    bodies = []
    with node.connect() as connection, connection.channel() as channel:
        while (letter := channel.basic_get(f"{QUEUE}.dead")) is not None:
            body = letter.body
            bodies.append(body if isinstance(body, bytes) else body.encode())
    return bodies
