"""How long a server asks to be left alone."""

from email.utils import parsedate_to_datetime

LONGEST_RETRY_AFTER_S = 86_400.0


def retry_after_s(value: str | None, date: str | None) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for, at most a day; None if it does not say.

    A date is measured against the answer's own ``Date``: both are the server's clock, so ours need not agree with it.
    """
    if value is None:
        return None
    stated = _seconds(value.strip())
    if stated is None:
        stated = _seconds_between(date, value)
    return None if stated is None else min(max(stated, 0.0), LONGEST_RETRY_AFTER_S)


def _seconds(value: str) -> float | None:
    return float(value) if value.isascii() and value.isdigit() else None


def _seconds_between(begin: str | None, end: str) -> float | None:
    try:
        return (parsedate_to_datetime(end) - parsedate_to_datetime(begin or "")).total_seconds()
    except (TypeError, ValueError, OverflowError, IndexError):  # all of which the parser raises on nonsense
        return None
