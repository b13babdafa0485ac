"""What plans cost under the call limit, and which jobs go first."""

import pytest

from worker.planning import Urgency, cost_s


@pytest.mark.parametrize(
    ("calls", "seconds"), [(0, 0.0), (1, 0.0), (60, 0.0), (61, 120.0), (120, 120.0), (121, 240.0), (500, 960.0)]
)
def test_calls_take_as_long_as_the_rolling_window_makes_them(calls: int, seconds: float) -> None:
    """The first window is free; each further sixty calls wait for another 120 seconds."""
    assert cost_s(calls, (60, 120.0)) == seconds


def test_calls_without_a_limit_wait_for_nothing() -> None:
    """No limit, no cost in time."""
    assert cost_s(10_000, None) == 0.0


def test_revocations_are_the_most_urgent() -> None:
    """Jobs sort by urgency, and keeping somebody out comes before letting somebody in."""
    assert sorted(Urgency) == [Urgency.REVOCATION, Urgency.JOINER, Urgency.CHANGE, Urgency.DRIFT]
