"""How fast the suite may ask a host that counts: below the limit that Migadu sets."""

import time
from collections import deque
from collections.abc import Callable

CALLS, WINDOW_S = 55, 125
"""Migadu was seen to block above 60 calls in 120 s (migadu-behaviour.md 2.8); its clock and the way there vary."""


class Pace:
    """Lets the calls of one caller pass, and holds back each that would be too many in any window."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._passed: deque[float] = deque(maxlen=CALLS)

    def __call__(self) -> None:
        """Return when the next call may be made."""
        if len(self._passed) == CALLS:
            self._sleep(max(0.0, self._passed[0] + WINDOW_S - self._clock()))
        self._passed.append(self._clock())
