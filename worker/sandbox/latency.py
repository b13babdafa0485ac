"""How long calls wait before they are applied."""

import random
from typing import TypeAlias

Seconds: TypeAlias = float | tuple[float, float]
"""Always the same, or drawn evenly between two bounds."""

LONGEST_S = 3600.0


def parse_latency(text: str) -> Seconds:
    """Read ``0.6`` or ``0.5-0.8``, in seconds. Raises ValueError with a sentence that says what is expected."""
    low, dash, high = text.partition("-")
    try:
        bounds = float(low), float(high if dash else low)
    except ValueError as error:
        raise ValueError(f"{text!r} is no latency: expected SECONDS or LOW-HIGH, as in 0.5-0.8") from error
    if not 0 <= bounds[0] <= bounds[1] <= LONGEST_S:
        raise ValueError(f"{text!r} is no latency: expected seconds from 0 to {LONGEST_S:.0f}, the lower first")
    return bounds if dash else bounds[0]


class Latency:
    """How long each call waits: every sandbox draws the same sequence, so that runs can be repeated."""

    def __init__(self, seconds: Seconds) -> None:
        self._bounds = seconds if isinstance(seconds, tuple) else (seconds, seconds)
        self.clear()

    def next_s(self) -> float:
        """Return what the next call waits."""
        low, high = self._bounds
        return low if low == high else self._random.uniform(low, high)

    def clear(self) -> None:
        """Begin the sequence again."""
        self._random = random.Random(0)  # noqa: S311 - nobody must be unable to guess it, quite the contrary
