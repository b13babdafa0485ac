"""Reading the times of an event: instants, dates and zones, with the same promises as ``reading``."""

import re
import zoneinfo
from datetime import UTC, date, datetime
from functools import cache

from worker.events.reading import Refused, line, text_of

# A sentinel such as 9999-12-31 would overflow as soon as a stage is added to it.
_YEARS = range(1900, 2200)

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?P<zone>[Zz]|[+-]\d\d:\d\d)?", re.ASCII)


def instant(value: object) -> datetime:
    """Read an RFC 3339 instant with its zone, not before 1970, and return it in UTC, exact to the microsecond."""
    text = text_of(value)
    form = _INSTANT.fullmatch(text)
    if form is None:
        raise Refused("an RFC 3339 instant such as 2026-11-20T09:00:00Z is expected")
    if form["zone"] is None:
        raise Refused("the instant lacks its zone (Z or +01:00)")
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused("no such instant exists") from None
    if moment < datetime.fromtimestamp(0, UTC):
        raise Refused("must not be before 1970")
    return moment


def iso_date(value: object) -> str | None:
    """Read a calendar date from 1900 to 2199 and return it as ``YYYY-MM-DD``."""
    text = line(value)
    if text is None:
        return None
    if not _DATE.fullmatch(text):
        raise Refused("a date as YYYY-MM-DD is expected")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Refused("no such date exists") from None
    _within_years(day)
    return text


def instant_text(value: object) -> str | None:
    """Read an instant up to 2199 that is kept as a fact: ISO text in UTC."""
    if line(value) is None:
        return None
    moment = instant(value)
    _within_years(moment)
    return utc_text(moment)


def utc_text(moment: datetime) -> str:
    """Write an instant as RFC 3339 in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def zone_name(value: object) -> str | None:
    """Read the name of a time zone of the IANA database."""
    text = line(value)
    if text is not None and text not in _zones():
        raise Refused("the name of a time zone such as Europe/Berlin is expected")
    return text


def _within_years(day: date) -> None:
    if day.year not in _YEARS:
        raise Refused(f"must lie between {_YEARS.start} and {_YEARS.stop - 1}; leave it out if it is not known")


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())
