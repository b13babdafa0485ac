"""Messages of a bus that wait and are taken together: in their order, and whatever is wrong with one harms no other."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from tests.end_to_end.installation import wait_until
from tests.integration.bus_place import Place, placed, told
from tests.integration.office import ON_POSTGRESQL
from worker.bus import Bus
from worker.bus.topology import declare


@pytest.fixture
def place(migrated_url: str, amqp_url: str, tmp_path: Path) -> Iterator[Place]:
    """A source on a bus whose queue is there, and which nobody consumes yet."""
    with placed(tmp_path, database_url=migrated_url, amqp_url=amqp_url) as one:
        declare(one.broker, one.source)
        yield one


def transactions(place: Place) -> int:
    """Return in how many transactions the inbox was written."""
    with place.deployment.database.read() as session:
        return session.scalar(text("select count(distinct xmin::text) from events")) or 0


@ON_POSTGRESQL
def test_what_waits_is_taken_in_few_transactions_and_in_its_order(place: Place) -> None:
    """Three hundred events that wait are in the inbox in the order in which they were published."""
    place.send(*map(told, range(300)))
    with Bus(place.deployment):
        wait_until(lambda: len(place.rows()) == 300)

    assert place.inbox() == [(f"evt-{number}", "accepted") for number in range(300)]
    assert place.waiting() == place.dead_count() == 0
    assert transactions(place) < 100


def test_what_is_wrong_with_some_of_them_harms_no_other(place: Place) -> None:
    """Among events that wait are a duplicate, one that cannot be read, and one that the intake fails on."""
    place.refuse_inserts_of("evt-12")
    place.send(*map(told, range(7)), told(4), b"{", *map(told, range(7, 15)), told(4, subject="E9"), b"[", told(15))
    with capture_logs() as logged, Bus(place.deployment):
        wait_until(lambda: len(place.rows()) == 19)

    accepted = [ce_id for ce_id, state in place.inbox() if state == "accepted"]
    assert accepted == [f"evt-{number}" for number in range(16) if number != 12]
    assert [row.reason for row in place.rows() if row.state == "rejected"] == [
        "the body is not valid JSON (line 1, column 2)",
        "the intake failed on it several times, for reasons that the log tells",
        f"another body came before under the same source and id, as event {accepted.index('evt-4') + 1}",
        "the body is not valid JSON (line 1, column 2)",
    ]
    letters = [letter.body for letter in place.dead()]
    assert letters[0] == b"{"
    assert [b"evt-12" in letter for letter in letters] == [False, True, False]
    assert [each["number"] > 1 for each in logged if each["event"] == "messages are taken one by one"] == [True]


@ON_POSTGRESQL
def test_large_ones_are_taken_in_several_transactions(place: Place) -> None:
    """However large messages are, no transaction tells the database more than about 1 MiB."""
    padding = {f"note{each}": "x" * 2_000 for each in range(30)}
    place.send(*(told(number, data={"givenName": "Ada"} | padding) for number in range(40)))
    with Bus(place.deployment):
        wait_until(lambda: len(place.rows()) == 40)

    assert place.inbox() == [(f"evt-{number}", "accepted") for number in range(40)]
    assert transactions(place) >= 4
