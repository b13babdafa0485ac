"""What was asked of the stand-in: the latest calls, in order of arrival, without their secrets."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from worker.sandbox.wire import Fields, Json, dump, parse

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
    body: bytes = b""
    """As JSON, secrets redacted; nothing where none was sent, REDACTED where it could not be read."""
    is_kept: bool = False
    """Whether it is among the latest ones."""
    status: int | None = None
    """None, too, if the connection was closed instead of an answer."""
    reason: str | None = None
    """Why it was refused, which the client is not told, or which fault it met."""

    @property
    def size(self) -> int:
        """How many bytes of it are the client's."""
        return len(self.method) + len(self.path) + len(self.body)

    def shown(self) -> Fields:
        """Return the call as control shows it; the time is ISO 8601, UTC."""
        return {
            "time": self.at.isoformat(),
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "body": parse(self.body),
            "reason": self.reason,
        }


class Calls:
    """The latest calls: the last 100,000, or fewer where their paths and bodies together would be over 64 MB."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque()
        self._bytes = 0
        self.dropped = 0
        """How many older ones there were since the beginning, or since the list was cleared."""

    def __iter__(self) -> Iterator[Call]:
        return iter(self._calls)

    def arrived(self, call: Call) -> None:
        """Write a call down, before its body was read."""
        self._calls.append(call)
        call.is_kept = True
        self._bytes += call.size
        self._forget()

    def brought(self, call: Call, body: Json) -> None:
        """Add the body of a call, whose secrets are left out. A call that was forgotten meanwhile stays forgotten."""
        if body is None or not call.is_kept:
            return
        call.body = dump(redacted(body))
        self._bytes += len(call.body)
        self._forget()

    def clear(self) -> None:
        """Forget all calls so far."""
        while self._calls:
            self._drop()
        self.dropped = 0

    def _forget(self) -> None:
        while len(self._calls) > MOST_CALLS or (self._bytes > MOST_BYTES and self._calls):
            self._drop()

    def _drop(self) -> None:
        call = self._calls.popleft()
        call.is_kept = False
        self._bytes -= call.size
        self.dropped += 1


def redacted(value: Json, deepest: int = _DEEPEST) -> Json:
    """Return a body without what is secret, or deeper than any call of Migadu's."""
    if not isinstance(value, dict | list):
        return value
    if deepest == 0:
        return REDACTED
    if isinstance(value, dict):
        return {key: REDACTED if key in SECRETS else redacted(inner, deepest - 1) for key, inner in value.items()}
    return [redacted(inner, deepest - 1) for inner in value]
