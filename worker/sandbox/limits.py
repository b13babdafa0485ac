"""The call limit that stands before the host, as Migadu's proxy keeps it (`migadu-behaviour.md` 2.8)."""

from collections import deque
from typing import TypeAlias

RateLimit: TypeAlias = tuple[int, float]
"""How many calls in how many seconds."""


def parse_rate_limit(text: str) -> RateLimit | None:
    """Read ``60/120`` (calls per seconds) or ``off``. Raises ValueError with a sentence that says what is expected."""
    if text.strip().lower() == "off":
        return None
    calls, _, seconds = text.partition("/")
    try:
        limit = int(calls), float(seconds)
    except ValueError as error:
        raise ValueError(f"{text!r} is no rate limit: expected CALLS/SECONDS, as in 60/120, or off") from error
    if limit[0] < 1 or not 0 < limit[1] < float("inf"):
        raise ValueError(f"{text!r} is no rate limit: both numbers must be above 0")
    return limit


class RollingWindow:
    """So many calls within any stretch of so many seconds; one more, and nothing passes for ``block_s`` seconds.

    Calls that are turned away do not count and do not prolong the block. How long Migadu blocks is not known; where
    nobody says, it is as long as the window.
    """

    def __init__(self, limit: RateLimit | None, block_s: float | None = None) -> None:
        self._limit = limit
        self._block_s = block_s if block_s is not None else limit[1] if limit else 0.0
        self._admitted_s: deque[float] = deque()
        self._blocked_until_s = 0.0

    def admit(self, now_s: float) -> bool:
        """Count a call at this moment (monotonic seconds) and tell whether it may pass."""
        if self._limit is None:
            return True
        if now_s < self._blocked_until_s:
            return False
        calls, seconds = self._limit
        while self._admitted_s and self._admitted_s[0] <= now_s - seconds:
            self._admitted_s.popleft()
        if len(self._admitted_s) >= calls:
            self._blocked_until_s = now_s + self._block_s
            return False
        self._admitted_s.append(now_s)
        return True

    def clear(self) -> None:
        """Forget all calls so far, and the block."""
        self._admitted_s.clear()
        self._blocked_until_s = 0.0
