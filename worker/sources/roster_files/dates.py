"""Dates in the formats that the operator declares, and in no other."""

from collections.abc import Sequence
from datetime import date, datetime

ISO = ("%Y-%m-%d",)
_WORDS = (("%Y", "2026"), ("%m", "11"), ("%d", "23"), ("%y", "26"), ("%B", "November"), ("%b", "Nov"), ("%-", "%"))


class NoDate(ValueError):
    """The text is no date, or two; the message repeats nothing of it."""


def iso_text(text: str, formats: Sequence[str]) -> str:
    """Return a date as ``YYYY-MM-DD``. Raises NoDate where no format fits, or two that give different days."""
    days = {day for form in formats if (day := _read(text, form)) is not None}
    if len(days) > 1:
        raise NoDate("the date is ambiguous: it fits two of `date_formats` and gives two different days")
    if not days:
        likes = " or ".join(map(_like, formats))
        why = "" if tuple(formats) != ISO else "; other formats are declared in `date_formats`"
        raise NoDate(f"a date such as {likes} is expected{why}")
    return days.pop().isoformat()


def _read(text: str, form: str) -> date | None:
    try:
        return datetime.strptime(text, form).date()  # noqa: DTZ007 - a calendar date has no zone
    except (ValueError, OverflowError):
        return None


def _like(form: str) -> str:
    for directive, example in _WORDS:
        form = form.replace(directive, example)
    return form
