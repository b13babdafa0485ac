"""The gate before the mail host on both engines: closed for everybody, probed by one, opened by what was served."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from threading import Barrier

import pytest

from tests.integration.counter import MINUTE, NOON, SECOND, WINDOW, Counter, throttled
from worker.store.budget import GateClosed, LimitReached, Permit, Room
from worker.store.database import Database
from worker.store.gate import PROBE_AGAIN, Closing, Heard, Refusal
from worker.store.slots import LONGEST_CALL

HALF_AN_HOUR = 30 * MINUTE
LIMITS = [None, 10]


@pytest.fixture(params=LIMITS, ids=["no limit", "limited"])
def counter(database: Database, request: pytest.FixtureRequest) -> Counter:
    """A budget with an open gate, once without a limit: the gate needs none."""
    return Counter(database, request.param)


def _closed(counter: Counter) -> GateClosed:
    """Ask for a call that is not let through, and return what one is told."""
    with pytest.raises(GateClosed) as refused:
        counter.take(is_revocation=True)
    return refused.value


def test_a_throttled_call_closes_the_gate_for_everybody(counter: Counter) -> None:
    """After one refusal nobody calls, revocations neither, and all are told until when and why."""
    until = counter.call(throttled())

    assert until == NOON + 2 * MINUTE
    assert counter.room() is Room.NOBODY
    told = _closed(counter)
    assert told.wait == 2 * MINUTE
    assert str(told) == "the mail host is left alone until 12:02:00 UTC: it answered 403"


def test_one_probe_goes_and_the_others_are_told_to_come_back_shortly(counter: Counter) -> None:
    """When the time is over, the first who asks may call, and nobody else before it is known what came of it."""
    counter.call(throttled())
    counter.wait(2 * MINUTE)
    assert counter.room() is Room.EVERYBODY
    probe = counter.take()

    assert probe.is_probe
    assert counter.room() is Room.NOBODY
    told = _closed(counter)
    assert told.wait <= 5 * SECOND
    assert "is being probed" in str(told)


def test_a_probe_that_is_served_opens_the_gate_for_everybody(counter: Counter) -> None:
    """One success is enough."""
    counter.call(throttled())
    counter.wait(2 * MINUTE)
    counter.call()

    assert counter.gate() is None
    assert not counter.take().is_probe
    assert not counter.take().is_probe


def test_pauses_grow_until_half_an_hour_and_begin_anew_after_a_success(counter: Counter) -> None:
    """Each probe that is throttled doubles the pause; once one was served, the next closing is short again."""
    pauses = []
    for _ in range(7):
        until = counter.call(throttled())
        assert until is not None
        pauses.append(until - counter.now)
        counter.now = until
    counter.call()
    again = counter.call(throttled())

    assert pauses == [2 * MINUTE, 4 * MINUTE, 8 * MINUTE, 16 * MINUTE, *[HALF_AN_HOUR] * 3]
    assert again == counter.now + 2 * MINUTE


@pytest.mark.parametrize(
    ("asked_for", "pauses"),
    [(7, [7, 14, 28]), (3600, [3600, 3600, 3600]), (0, [1, 2, 4])],
    ids=["seconds", "longer than ours", "none"],
)
def test_the_host_says_how_long_it_wants_to_be_left_alone(counter: Counter, asked_for: int, pauses: list[int]) -> None:
    """Retry-After is the first pause, and never undercut; if it does not help, pauses grow from it."""
    found = []
    for _ in pauses:
        until = counter.call(throttled(timedelta(seconds=asked_for)))
        assert until is not None
        found.append((until - counter.now).total_seconds())
        counter.now = until

    assert found == pauses


def test_many_refusals_at_once_are_one_closing(counter: Counter) -> None:
    """All that were under way are refused, some later; the pause does not grow, and lasts as long as the host asks."""
    permits = [counter.take() for _ in range(5)]
    for permit in permits[:4]:
        counter.answer(permit, throttled())
        counter.wait(SECOND)
    closed = counter.gate()
    assert closed is not None
    assert closed.until == NOON + 2 * MINUTE

    counter.answer(permits[4], throttled(asked_for=10 * MINUTE))
    closed = counter.gate()
    assert closed is not None
    assert closed.until == counter.now + 10 * MINUTE


def test_a_late_refusal_is_no_new_closing(counter: Counter) -> None:
    """A call sent before the closing and refused after the pause does not make the next pause longer."""
    early, late = counter.take(), counter.take()
    counter.answer(early, throttled(asked_for=SECOND))
    counter.wait(5 * SECOND)
    counter.answer(late, throttled())

    assert counter.take().is_probe


def test_a_success_of_what_was_sent_before_opens_nothing(counter: Counter) -> None:
    """Calls under way when the gate was closed say nothing about the time after, however late they succeed."""
    before = counter.take()
    counter.call(throttled())
    counter.wait(2 * MINUTE)
    counter.answer(before)
    assert counter.gate() is not None

    counter.take()
    counter.answer(before)
    assert counter.gate() is not None


def test_an_old_probe_s_success_does_not_open_what_was_closed_since(counter: Counter) -> None:
    """A probe that was given up, while the next was refused, does not open the gate when it is served after all."""
    counter.call(throttled())
    counter.wait(2 * MINUTE)
    old = counter.take()
    counter.wait(LONGEST_CALL)
    counter.call(throttled())
    counter.answer(old)

    assert counter.gate() is not None
    assert _closed(counter).wait == 4 * MINUTE


def test_a_dead_prober_s_place_is_taken_by_another(counter: Counter) -> None:
    """A probe that nobody ever hears of again is given up after the longest call."""
    counter.call(throttled())
    counter.wait(2 * MINUTE)
    counter.take()
    counter.wait(LONGEST_CALL - SECOND)
    _closed(counter)
    counter.wait(SECOND)

    assert counter.take().is_probe


@pytest.mark.parametrize("after", [SECOND, WINDOW], ids=["closed", "probed"])
def test_a_clock_that_is_set_back_does_not_keep_the_gate_closed(counter: Counter, after: timedelta) -> None:
    """After a day's correction a closing lasts as long as it was meant to from then on, and its probe is forgotten."""
    counter.call(throttled())
    counter.wait(after)
    with suppress(GateClosed):
        counter.take()
    counter.wait(-24 * 60 * MINUTE)
    with counter.database.write() as session:
        counter.budget.follow_clock(session)

    assert counter.room() is Room.NOBODY
    counter.wait(WINDOW)
    counter.call()
    assert counter.gate() is None


def test_a_probe_that_comes_to_nothing_lets_another_go_shortly(counter: Counter) -> None:
    """A dropped connection says nothing: the gate stays closed, its pause does not grow, and the next probe is soon."""
    counter.call(throttled())
    counter.wait(2 * MINUTE)
    counter.call(Heard.NOTHING)
    _closed(counter)
    counter.wait(PROBE_AGAIN)

    assert counter.call() is None
    assert counter.gate() is None


def test_of_many_threads_one_becomes_the_probe(counter: Counter) -> None:
    """Sixteen threads that ask at the same moment send one call between them, again and again."""
    together = Barrier(16)

    def ask(_: int) -> Permit | None:
        together.wait(timeout=10)
        try:
            return counter.take()
        except GateClosed:
            return None

    counter.call(throttled())
    with ThreadPoolExecutor(16) as pool:
        for _ in range(5):
            counter.now += HALF_AN_HOUR
            (probe,) = [permit for permit in pool.map(ask, range(16)) if permit is not None]
            counter.answer(probe, throttled())


def test_many_threads_close_the_gate_once(counter: Counter) -> None:
    """Ten calls that are refused at the same moment close the gate for one first pause, with an error for nobody."""
    permits = [counter.take() for _ in range(10)]
    with ThreadPoolExecutor(10) as pool:
        untils = list(pool.map(lambda permit: counter.answer(permit, throttled()), permits))

    assert set(untils) == {NOON + 2 * MINUTE}


def test_a_probe_needs_a_slot(database: Database) -> None:
    """Where the limit is reached nobody becomes the probe, and the first who has a slot does."""
    counter = Counter(database, 1)
    counter.call(throttled(asked_for=SECOND))
    counter.wait(SECOND)
    with pytest.raises(LimitReached):
        counter.take()
    counter.wait(WINDOW)

    assert counter.take().is_probe


def test_whoever_loses_the_probe_keeps_no_slot(database: Database) -> None:
    """Nobody who is turned away at the gate has taken a slot."""
    counter = Counter(database, 2)
    counter.call(throttled())
    counter.wait(2 * MINUTE)
    counter.take()
    _closed(counter)
    counter.wait(LONGEST_CALL)

    assert counter.take().is_probe


def test_a_refused_account_is_probed_in_the_same_way(counter: Counter) -> None:
    """It begins with a minute; where the account is served again the gate opens."""
    refused = Refusal(Closing.ACCOUNT, "it answered 401")
    assert counter.call(refused) == NOON + MINUTE
    counter.wait(MINUTE)
    assert counter.call(refused) == counter.now + 2 * MINUTE
    counter.wait(2 * MINUTE)

    assert counter.call(throttled()) == counter.now + 2 * MINUTE  # another reason, so the first pause of that
    closed = counter.gate()
    assert closed is not None
    assert (closed.closing, closed.since) == (Closing.THROTTLED, NOON)
    counter.wait(2 * MINUTE)
    counter.call()
    assert counter.gate() is None


def test_a_worker_that_starts_tries_a_refused_account_at_once(counter: Counter) -> None:
    """A new key comes with a new worker, which need not wait; a host that throttles is left alone all the same."""
    counter.call(Refusal(Closing.ACCOUNT, "it answered 401"))
    counter.fit(20)
    assert counter.take().is_probe

    counter.now += HALF_AN_HOUR
    counter.call(throttled())
    counter.fit(20)
    assert counter.room() is Room.NOBODY
