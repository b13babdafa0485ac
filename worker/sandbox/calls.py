"""What was asked of the stand-in: every call, in order of arrival, without its secrets."""

from dataclasses import dataclass
from datetime import datetime

from worker.sandbox.wire import Fields, Json, Unreadable, parse

REDACTED = "[redacted]"
SECRETS = {"password", "password_recovery_email"}


@dataclass(slots=True)
class Call:
    """One call. It is written down on arrival, so a call under way is there already, without a status."""

    at: datetime
    method: str
    path: str
    body: Json
    """Secrets redacted; None where none was sent, REDACTED where it could not be read."""
    status: int | None = None
    reason: str | None = None
    """Why it was refused, which the client is not told."""

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


def redacted_body(raw: bytes) -> Json:
    """Read a body for the list of calls. One that cannot be read might hold anything, so none of it is kept."""
    try:
        return _redacted(parse(raw))
    except Unreadable:
        return REDACTED


def _redacted(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: REDACTED if key in SECRETS else _redacted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_redacted(inner) for inner in value]
    return value
