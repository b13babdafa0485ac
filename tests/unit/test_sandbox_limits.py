"""The sandbox's call limit and latency: how they are written, and what they do with time."""

import pytest

from worker.sandbox import parse_latency, parse_rate_limit
from worker.sandbox.latency import Latency
from worker.sandbox.limits import RollingWindow


@pytest.mark.parametrize(("text", "limit"), [("60/120", (60, 120.0)), ("3/0.5", (3, 0.5)), ("off", None)])
def test_sandbox_rate_limit_can_be_written(text: str, limit: tuple[int, float] | None) -> None:
    """CALLS/SECONDS or off (contracts.md 1, `mailroster sandbox`)."""
    assert parse_rate_limit(text) == limit


@pytest.mark.parametrize("text", ["", "60", "0/120", "60/0", "-1/2", "1/nan", "1/inf", "a/b", "60/120/3"])
def test_sandbox_bad_rate_limit_is_explained(text: str) -> None:
    """Anything else is a ValueError with one sentence (contracts.md 1, `mailroster sandbox`)."""
    with pytest.raises(ValueError, match="is no rate limit"):
        parse_rate_limit(text)


def test_sandbox_window_rolls_without_a_block() -> None:
    """Without a block a call passes as soon as the window has room again (migadu-behaviour.md 2.8)."""
    window = RollingWindow((2, 10.0), block_s=0)

    passed = [window.admit(now_s) for now_s in (0.0, 4.0, 5.0, 9.9, 10.0, 13.9, 14.0)]

    assert passed == [True, True, False, False, True, False, True]


def test_sandbox_block_holds_everything_back_and_is_not_prolonged() -> None:
    """Once the limit is exceeded nothing passes for the block, however often one tries (migadu-behaviour.md 2.8)."""
    window = RollingWindow((1, 10.0), block_s=30)

    passed = [window.admit(now_s) for now_s in (0.0, 5.0, 11.0, 34.9, 35.0)]

    assert passed == [True, False, False, False, True]


def test_sandbox_block_is_as_long_as_the_window_if_nobody_says() -> None:
    """The default block lasts one window from the call that was too many."""
    window = RollingWindow((1, 10.0))

    passed = [window.admit(now_s) for now_s in (0.0, 9.0, 18.9, 19.0)]

    assert passed == [True, False, False, True]


def test_sandbox_window_forgets_its_block() -> None:
    """After a reset calls pass at once."""
    window = RollingWindow((1, 10.0))
    assert [window.admit(0.0), window.admit(1.0)] == [True, False]

    window.clear()

    assert window.admit(2.0)


@pytest.mark.parametrize(("text", "seconds"), [("0", 0.0), ("0.6", 0.6), ("0.5-0.8", (0.5, 0.8)), ("1-1", (1.0, 1.0))])
def test_sandbox_latency_can_be_written(text: str, seconds: float | tuple[float, float]) -> None:
    """SECONDS or LOW-HIGH (contracts.md 1, `mailroster sandbox`)."""
    assert parse_latency(text) == seconds


@pytest.mark.parametrize("text", ["", "fast", "-1", "0.8-0.5", "1-", "nan", "inf", "1-2-3", "4000"])
def test_sandbox_bad_latency_is_explained(text: str) -> None:
    """Anything else is a ValueError with one sentence."""
    with pytest.raises(ValueError, match="is no latency"):
        parse_latency(text)


def test_sandbox_latency_is_drawn_evenly_and_the_same_each_time() -> None:
    """Draws lie between the bounds, differ, and begin the same in every sandbox and after each reset."""
    latency = Latency((0.5, 0.8))

    first = [latency.next_s() for _ in range(1000)]
    latency.clear()
    again = [latency.next_s() for _ in range(1000)]

    assert first == again
    assert 0.5 <= min(first) < 0.51
    assert 0.79 < max(first) <= 0.8
    assert 0.63 < sum(first) / 1000 < 0.67
