"""What was asked of the stand-in: the latest calls, in order of arrival, without their secrets."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from worker.sandbox.wire import Fields, Json

REDACTED = "[redacted]"
SECRETS = {"password", "password_recovery_email"}

MOST_CALLS = 100_000
MOST_BYTES = 64 * 1024 * 1024
_DEEPEST = 8
"""Levels of a body that are kept; Migadu's have two."""


@dataclass(slots=True)
class Call:
    """One call. It is written down on arrival, so a call under way is there already, without a status."""

    at: datetime
    method: str
    path: str
    body: Json = None
    """Secrets redacted; None where none was sent, REDACTED where it could not be read."""
    size: int = 0
    status: int | None = None
    """None, too, if the connection was closed instead of an answer."""
    reason: str | None = None
    """Why it was refused, which the client is not told, or which fault it met."""

    def shown(self) -> Fields:
        """Return the call as control shows it; the time is ISO 8601, UTC."""
        return {
            "time": self.at.isoformat(),
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "body": self.body,
            "reason": self.reason,
        }


class Calls:
    """The latest calls: the last 100,000, or as many as came with 64 MB of bodies."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque()
        self._bytes = 0

    def __iter__(self) -> Iterator[Call]:
        return iter(self._calls)

    def arrived(self, call: Call) -> None:
        """Write a call down, before its body was read."""
        self._calls.append(call)
        self._forget()

    def brought(self, call: Call, body: Json, size: int) -> None:
        """Add the body of a call, whose secrets are left out."""
        call.body, call.size = redacted(body), size
        self._bytes += size
        self._forget()

    def clear(self) -> None:
        """Forget all calls so far."""
        self._calls.clear()
        self._bytes = 0

    def _forget(self) -> None:
        while len(self._calls) > MOST_CALLS or (self._bytes > MOST_BYTES and self._calls):
            self._bytes -= self._calls.popleft().size


def redacted(value: Json, deepest: int = _DEEPEST) -> Json:
    """Return a body without what is secret, or deeper than any call of Migadu's."""
    if not isinstance(value, dict | list):
        return value
    if deepest == 0:
        return REDACTED
    if isinstance(value, dict):
        return {key: REDACTED if key in SECRETS else redacted(inner, deepest - 1) for key, inner in value.items()}
    return [redacted(inner, deepest - 1) for inner in value]
