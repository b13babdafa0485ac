"""A database server that crashes in the midst of the work: what it forgot is found again by the processes that run."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psycopg
import pytest

from tests.end_to_end.installation import Installation, event, installed, wait_until
from tests.end_to_end.own_postgres import OwnPostgres, own_postgres
from tests.end_to_end.rabbit import Node
from tests.servers import free_port
from worker.store import schema

BEFORE, MEANWHILE, LEAVERS = 8, 34, 6
_QUIET_S = 3.0
"""Nobody is at work who has made no call for so long: a call takes a fraction of it, and writing down what came of it
is given up before."""
_SETTLED_WITHIN_S = 180.0
_IN_THE_MIDST_S = 30.0
_TRIES = 3
_REMEMBERED = """
    select pg_current_wal_insert_lsn() - '0/0',
           pg_current_wal_flush_lsn() - '0/0',
           (select count(*) from events),
           (select count(*) from steps where sent_at is not null),
           (select count(*) from events where state = 'applied'),
           (select coalesce(sum(fence), 0)::int from jobs),
           (select count(*) from steps where state = 'confirmed'),
           (select count(*) from steps where state = 'sent')
"""


@dataclass(frozen=True, slots=True)
class Memory:
    """How much a database remembers, in numbers that only grow while nothing is forgotten, but for the last one."""

    written: int
    """Up to where its log goes."""
    on_disk: int
    """Up to where the disk has it."""
    accepted: int
    sent: int
    applied: int
    claimed: int
    confirmed: int
    under_way: int

    def without(self, other: "Memory") -> Counter[str]:
        """Return how much of it another lacks."""
        return Counter({name: getattr(self, name) for name in _GROWING}) - Counter(asdict(other))


_GROWING = ("accepted", "sent", "applied", "claimed", "confirmed")


@pytest.fixture
def postgres() -> Iterator[OwnPostgres]:
    """A PostgreSQL of this test's own, with its files on a disk."""
    with own_postgres() as running:
        schema.upgrade(running.url)
        yield running


@pytest.fixture
def installation(tmp_path: Path, postgres: OwnPostgres, own_rabbit: Node) -> Iterator[Installation]:
    """An HTTP server and two workers on it, and a mail host that takes its time."""
    with installed(
        tmp_path, database_url=postgres.url, broker_url=own_rabbit.url, latency_s=0.2, upgrade=False
    ) as made:
        made.start_serving()
        made.start("worker")
        made.start("worker")
        yield made


def test_a_database_that_forgets_what_it_had_not_told_the_disk_is_told_again(
    postgres: OwnPostgres, installation: Installation
) -> None:
    """It crashes under calls and comes back, four times. All that was accepted is done in the end, nothing twice."""
    sender = Sender(installation)
    for number in range(BEFORE):
        sender.send(_joiner(number))
    _settle(postgres, installation)
    assert set(installation.mailboxes()) == {_address(number) for number in range(BEFORE)}
    told = [_joiner(number) for number in range(BEFORE, BEFORE + MEANWHILE)]
    for number in range(LEAVERS):
        told.insert(4 * number, event("left", f"E{number}", immediate=True))
    sending = Thread(target=lambda: [sender.send(each) for each in told])
    sending.start()
    lost = [
        *_crashes(postgres, postgres.crash, once="confirmed"),
        *_crashes(postgres, postgres.kill, once="claimed"),
        *_crashes(postgres, postgres.crash, once="applied"),
        _crash(postgres, postgres.kill, lambda former, now: now.sent > former.sent),
    ]
    sending.join()
    assert not any(each["accepted"] or each["sent"] for each in lost), f"what was promised is forgotten: {lost}"
    _settle(postgres, installation)

    assert set(sender.refused) <= {503}
    assert [process.poll() for process in installation.processes] == [None] * 3
    everybody = {_address(number) for number in range(BEFORE + MEANWHILE)}
    left = {_address(number) for number in range(LEAVERS)}
    mailboxes = installation.mailboxes()
    assert set(mailboxes) == everybody
    assert {address for address, each in mailboxes.items() if not each["may_access_imap"]} == left
    assert {address for address, each in mailboxes.items() if not each["may_send"]} == left
    for group in ("everyone", "engineering"):
        assert installation.destinations(group) == sorted(everybody - left)
    assert _posts(installation) == {200: Counter(everybody)}
    assert _states(postgres, "events") == {"applied": len(sender.accepted)}
    assert set(_states(postgres, "jobs")) == {"done"}
    assert set(_states(postgres, "steps")) <= {"confirmed", "superseded"}


class Sender:
    """Sends each event again until it is accepted, as sources do, and then never again."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self.accepted: list[dict[str, object]] = []
        self.refused: Counter[int] = Counter()

    def send(self, told: dict[str, object]) -> None:
        """Send one event, and return once it is accepted."""
        while (status := self._installation.deliver_body(json.dumps(told).encode()).status_code) != 202:
            self.refused[status] += 1
            Event().wait(0.1)
        self.accepted.append(told)
        Event().wait(0.1)


def _joiner(number: int) -> dict[str, object]:
    return event("joined", f"E{number}", givenName=f"Given{number}", familyName="Family", department="Engineering")


def _address(number: int) -> str:
    return f"given{number}.family@example.org"


def _crashes(postgres: OwnPostgres, ends: Callable[[], None], *, once: str) -> Iterator[Counter[str]]:
    """Have it crash when the disk does not know yet of something that it remembers; return what is lost, each time.

    Once more where another's commit took it along to the disk in the last moment.
    """

    def is_at_risk(former: Memory, now: Memory) -> bool:
        return getattr(now, once) > getattr(former, once) and now.on_disk <= former.written

    for _ in range(_TRIES):
        lost = _crash(postgres, ends, is_at_risk)
        yield lost
        if lost[once]:
            return
    raise AssertionError(f"nothing that was {once} is ever forgotten, so this shows nothing")


def _crash(postgres: OwnPostgres, ends: Callable[[], None], now: Callable[[Memory, Memory], bool]) -> Counter[str]:
    """Have it crash at such a moment while calls are under way, and come back; return what it remembers no more."""
    with _connected(postgres.port) as connection:
        before, end = _remembered(connection), time.monotonic() + _IN_THE_MIDST_S
        while True:
            former, before = before, _remembered(connection)
            if before.under_way and now(former, before):
                break
            assert time.monotonic() < end, "nothing happens any more"
        ends()
    hidden = free_port()
    postgres.start(hidden)
    with _connected(hidden) as connection:
        after = _remembered(connection)
    postgres.stop()
    postgres.start()
    return before.without(after)


def _settle(postgres: OwnPostgres, installation: Installation) -> None:
    """Wait until nothing is left to be done; what nobody is at work on is not waited for."""
    calls, since, moved_s = 0, time.monotonic(), 0

    def at_rest() -> bool:
        """Nothing is left to be done."""
        nonlocal calls, since, moved_s
        if len(installation.calls()) != calls:
            calls, since = len(installation.calls()), time.monotonic()
        if _rests(postgres, moved_s):
            return True
        assert not {"held", "parked"} & {*_states(postgres, "jobs")}, "something needs a person"
        if time.monotonic() - since > _QUIET_S:
            since, moved_s = time.monotonic(), moved_s + 35
            installation.move_clock(f"PT{moved_s}S")  # beyond the deadline of whatever was not answered
            with _connected(postgres.port) as connection:
                connection.execute("update jobs set lease_until = now() - interval '1 second' where state = 'running'")
        return False

    try:
        wait_until(at_rest, _SETTLED_WITHIN_S)
    except AssertionError as error:
        raise AssertionError(f"{_unfinished(postgres)}\n{installation.logs()}") from error


def _rests(postgres: OwnPostgres, moved_s: int) -> bool:
    """Ask in one statement, for what is done between two of them would be seen half."""
    due = f"least(next_change_at, line_due_at) <= now() + interval '{moved_s} seconds'"
    with _connected(postgres.port) as connection:
        row = connection.execute(
            f"select exists (select from people where {due}) or exists (select from jobs where state <> 'done')"
            " or exists (select from events where state <> 'applied') or not exists (select from jobs)"
        ).fetchone()
    return row == (False,)


def _states(postgres: OwnPostgres, table: str) -> dict[str, int]:
    with _connected(postgres.port) as connection:
        return dict(connection.execute(f"select state, count(*)::int from {table} group by state").fetchall())


def _unfinished(postgres: OwnPostgres) -> list[Any]:
    with _connected(postgres.port) as connection:
        return connection.execute(
            "select subject_kind, subject_key, state, run_at, reason from jobs where state <> 'done'"
        ).fetchall()


def _remembered(connection: psycopg.Connection[Any]) -> Memory:
    return Memory(*connection.execute(_REMEMBERED).fetchone() or ())


def _posts(installation: Installation) -> dict[int, Counter[str]]:
    """Return how often the host was asked for each mailbox, by its answer."""
    asked: dict[int, Counter[str]] = {}
    for call in installation.calls("POST"):
        if call["path"].endswith("/mailboxes"):
            asked.setdefault(call["status"], Counter())[f"{call['body']['local_part']}@example.org"] += 1
    return asked


def _connected(port: int) -> psycopg.Connection[Any]:
    return psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres", autocommit=True)
