"""When something happened, as senders write it: ISO 8601, or seconds or milliseconds since 1970."""

import re
from datetime import UTC, datetime

_EPOCH = re.compile(r"\d{9,14}(?:\.\d{1,9})?", re.ASCII)
_MILLISECONDS = 100_000_000_000  # as seconds this is the year 5138, as milliseconds it is 1973
_LONGEST = 40
_FIRST = datetime.fromtimestamp(0, UTC)


def instant_of(written: object) -> datetime | None:
    """Return the instant in UTC, None where it is none, or before 1970. Text without an offset is taken as UTC."""
    instant = None
    if isinstance(written, str):
        text = written.strip()[:_LONGEST]
        instant = _of_seconds(float(text)) if _EPOCH.fullmatch(text) else _of_text(text)
    elif isinstance(written, int | float) and not isinstance(written, bool):
        instant = _of_seconds(written)
    return instant if instant is not None and instant >= _FIRST else None


def _of_seconds(number: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(number / 1000 if abs(number) >= _MILLISECONDS else number, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _of_text(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text.upper())
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
