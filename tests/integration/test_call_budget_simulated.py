"""The call budget under thousands of simulated calls: never too many in a window, and nearly all that is allowed."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.callers import Callers, Story, most_in_a_window, windows_beyond_the_limit
from worker.store.budget import Room
from worker.store.database import Database

MIGADU = Story(calls=60, reserve=10, window_ms=120_000, callers=4)
MINUTE_MS = 60_000

stories = st.builds(
    Story,
    calls=st.integers(1, 12),
    reserve=st.just(0),
    window_ms=st.integers(500, 20_000),
    callers=st.integers(1, 6),
    revokers=st.integers(0, 3),
    latency_ms=st.tuples(st.integers(0, 500), st.integers(500, 29_000)),
    dying=st.sampled_from([0.0, 0.05, 0.3]),
    dropped=st.sampled_from([0.0, 0.2]),
    throttled_ms=st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 200_000)), max_size=2),
    asks_for_ms=st.none() | st.integers(0, 60_000),
    changes=st.lists(st.tuples(st.integers(0, 120_000), st.integers(1, 12), st.just(0)), max_size=4),
    lasts_ms=st.just(200_000),
    most_calls=st.just(60),
)
changes_in_a_row = st.builds(
    Story,
    calls=st.integers(4, 8),
    reserve=st.just(0),
    window_ms=st.integers(5000, 20_000),
    callers=st.just(8),
    latency_ms=st.sampled_from([(0, 0), (0, 1000), (0, 29_000)]),
    changes=st.lists(st.tuples(st.integers(0, 15_000), st.integers(1, 8), st.just(0)), min_size=1, max_size=4),
    lasts_ms=st.just(80_000),
    most_calls=st.just(60),
)
SEARCH = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def _simulated(database: Database, story: Story, seed: int = 1) -> Callers:
    """Run a story, and forget it."""
    with database.write() as session:
        try:
            return Callers(session, story, seed).run()
        finally:
            session.rollback()


@given(story=stories | changes_in_a_row, seed=st.integers(0, 1_000_000), data=st.data())
@SEARCH
def test_no_window_ever_holds_more_than_the_limit(database: Database, story: Story, seed: int, data) -> None:
    """Whatever the latencies, deaths, throttles and changes of the limit, no call is one too many in its window."""
    story = replace(
        story,
        reserve=data.draw(st.integers(0, story.calls - 1)),
        changes=[(at, calls, data.draw(st.integers(0, calls - 1))) for at, calls, _ in story.changes],
    )
    done = _simulated(database, story, seed)

    assert windows_beyond_the_limit(done.made, story.window_ms) == []


def test_thousands_of_calls_keep_the_limit_and_use_it(database: Database) -> None:
    """At 1000 calls in 20 s with latencies up to 5 s the host gets never more, and nine tenths of what it allows."""
    story = replace(MIGADU, calls=1000, reserve=0, window_ms=20_000, callers=150, latency_ms=(50, 5000))
    done = _simulated(database, replace(story, most_calls=2000))
    arrived = [call.arrived_ms for call in done.made]

    assert len(arrived) == 2000
    assert most_in_a_window(arrived, story.window_ms) <= 1000
    assert len(arrived) >= 0.9 * _allowed(story, done.now_ms)


def test_the_usual_limit_is_used(database: Database) -> None:
    """Under Migadu's limit four callers make more than nine tenths of the calls that the rule allows in 20 minutes."""
    story = replace(MIGADU, lasts_ms=20 * MINUTE_MS, reserve=0)
    done = _simulated(database, story)
    arrived = [call.arrived_ms for call in done.made]

    assert most_in_a_window(arrived, story.window_ms) <= 60
    assert len(arrived) >= 0.9 * _allowed(story, done.now_ms)


def test_revocations_find_the_reserve_however_many_others_call(database: Database) -> None:
    """While many others press, there is room for a revocation at any moment, and the others never use it."""
    story = replace(MIGADU, callers=20, lasts_ms=10 * MINUTE_MS, dying=0.02)
    done = _simulated(database, story)

    assert len(done.made) > 200
    assert set(done.room) == {Room.REVOCATIONS}
    assert most_in_a_window([call.arrived_ms for call in done.made], story.window_ms) <= 50


def test_a_host_that_throttles_is_probed_and_served_again(database: Database) -> None:
    """Through ten minutes of throttling few calls are made, one at a time, and afterwards all go on."""
    begin, end = 5 * MINUTE_MS, 15 * MINUTE_MS
    story = replace(MIGADU, throttled_ms=[(begin, end)], lasts_ms=40 * MINUTE_MS, dropped=0.05)
    done = _simulated(database, story)
    while_throttled = [call for call in done.made if begin + 1000 < call.arrived_ms < end]
    after = [call for call in done.made if call.arrived_ms >= end + 16 * MINUTE_MS]

    assert 1 <= len(while_throttled) <= 6
    assert len(after) > 100
    assert most_in_a_window([call.arrived_ms for call in done.made], story.window_ms) <= 60


def _allowed(story: Story, until_ms: int) -> float:
    """Return how many calls the rule allows: each slot is busy for a call and a window."""
    mean_ms = sum(story.latency_ms) / 2
    return story.calls * until_ms / (story.window_ms + mean_ms)
