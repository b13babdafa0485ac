"""Deliveries to /hooks that arrive at the same time: they are committed together, and answered each for itself."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine, text

from tests.end_to_end.installation import wait_until
from tests.integration.office import ON_POSTGRESQL
from tests.integration.test_web_server import FOREIGN_SECRET, Office, joined, on_sqlite, served
from worker.store.states import EventState
from worker.store.tables import EventRow

AT_ONCE = 24


@pytest.fixture
def office(migrated_url: str, tmp_path: Path) -> Iterator[Office]:
    """A served deployment, on each engine."""
    with served(migrated_url, tmp_path) as one:
        yield one


def somebody_waits(office: Office) -> bool:
    """A transaction waits for another one."""
    with office.deployment.database.read() as session:
        waiting = text("select count(*) from pg_locks where not granted and locktype = 'transactionid'")
        return bool(session.scalar(waiting))


def test_each_of_many_at_once_has_its_own_answer(office: Office) -> None:
    """Good ones are accepted, known ones are duplicates, and what is forged, unreadable or invalid is told so."""
    office.deliver(joined(0))

    def deliver(number: int) -> httpx.Response:
        match number % 6:
            case 0:
                return office.deliver(joined(0))
            case 1:
                return office.deliver(joined(number), secret=FOREIGN_SECRET)
            case 2:
                return office.deliver(b"{")
            case 3:
                return office.deliver([joined(number), joined(1000) | {"type": "person.promoted"}])
            case _:
                return office.deliver(joined(number))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(deliver, range(6 * AT_ONCE)))

    assert Counter(each.status_code for each in answers[1::6]) == {401: AT_ONCE}
    assert Counter(each.status_code for each in (*answers[2::6], *answers[3::6])) == {400: 2 * AT_ONCE}
    assert {each.json()["events"][0]["duplicate"] for each in answers[0::6]} == {True}
    receipts = {number: answers[number].json()["events"][0] for number in range(6 * AT_ONCE) if number % 6 > 3}
    assert not any(each["duplicate"] for each in receipts.values())
    with office.deployment.database.read() as session:
        rows = {number: session.get(EventRow, int(each["id"])) for number, each in receipts.items()}
    assert {number: row and (row.ce_id, row.state) for number, row in rows.items()} == {
        number: (f"evt-{number}", EventState.ACCEPTED) for number in rows
    }


def test_a_long_delivery_is_accepted_beside_short_ones(office: Office) -> None:
    """Reading it keeps nobody else waiting; it gets a receipt for each of its events."""
    many = [joined(number, title="x" * 400) for number in range(100)]

    with ThreadPoolExecutor(2) as pool:
        long, short = pool.map(office.deliver, (many, joined(100)))

    assert (long.status_code, short.status_code) == (202, 202)
    assert len({receipt["id"] for receipt in long.json()["events"]}) == 100
    assert office.count("events") == 101


@ON_POSTGRESQL
def test_a_transaction_that_hangs_keeps_the_others_for_a_moment(office: Office, migrated_url: str) -> None:
    """Somebody else is about to insert the same event: its delivery waits for them, and those after it do not."""
    insert = (
        "insert into events (source, ce_source, ce_id, received_at, digest, document, state, failures)"
        " values ('hr', 'urn:example:hr', 'evt-1', now(), '', '{}', 'accepted', 0)"
    )
    engine = create_engine(migrated_url)
    with closing(engine.raw_connection()) as other, ThreadPoolExecutor(1) as pool:
        other.cursor().execute(insert)
        hanging = pool.submit(office.deliver, joined(1))
        wait_until(lambda: somebody_waits(office))

        answer = office.deliver(joined(2))

        assert answer.status_code == 202
        assert not hanging.done()
        other.rollback()
        assert hanging.result().json()["events"][0]["duplicate"] is False
    engine.dispose()


@on_sqlite
def test_all_of_them_are_told_of_a_database_that_does_not_answer(office: Office, tmp_path: Path) -> None:
    """Whoever waits is asked to come back, and nobody waits for ever."""
    with served("postgresql+psycopg://nobody@127.0.0.1:1/none", tmp_path) as gone, ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda number: gone.deliver(joined(number)), range(AT_ONCE)))

    assert {each.status_code for each in answers} == {503}
    assert gone.bell.applies == 0
