"""From dates and offsets to instants: midnights and calendar days of a person's zone, as aware UTC datetimes."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from worker.events.canonical import FactValue
from worker.policy.offset import Offset

# Rosters write 0001-01-01 and 9999-12-31 for "always" and "never"; inside these bounds no arithmetic overflows.
_EARLIEST = date(1900, 1, 1)
_LATEST = date(9000, 1, 1)


def is_zone(name: object) -> bool:
    """Tell whether this names a time zone that we can compute with."""
    return _zone(name) is not None


def zone_of(facts: Mapping[str, FactValue], otherwise: str) -> ZoneInfo:
    """Return the zone that the fact ``timezone`` names; where it names none, the organisation's."""
    return _zone(facts.get("timezone")) or ZoneInfo(otherwise)


def midnight(on: date, zone: ZoneInfo) -> datetime:
    """Return the instant at which a date begins in a zone; where 00:00 does not exist, the first instant after it."""
    return _instant(datetime.combine(min(max(on, _EARLIEST), _LATEST), time()), zone)


def day_after(on: date) -> date:
    """Return the next date; the last date there is stays as it is."""
    return min(on, _LATEST) + timedelta(days=1)


def later(instant: datetime, offset: Offset, zone: ZoneInfo) -> datetime:
    """Return an instant moved on by calendar days of a zone (same time on the clock), or by hours."""
    if not offset.days:
        return bounded(instant) + timedelta(hours=offset.hours)
    local = bounded(instant).astimezone(zone).replace(tzinfo=None)
    return _instant(local + timedelta(days=offset.days), zone)


def days_before(on: date, offset: Offset, zone: ZoneInfo) -> datetime:
    """Return the midnight that lies so many calendar days before a date, or an instant so many hours before it."""
    if not offset.days:
        return midnight(on, zone) - timedelta(hours=offset.hours)
    return midnight(max(on, _EARLIEST + timedelta(days=offset.days)) - timedelta(days=offset.days), zone)


def bounded(instant: datetime) -> datetime:
    """Return an instant in UTC, kept within the years in which no arithmetic overflows."""
    lowest = datetime.combine(_EARLIEST, time(), UTC)
    highest = datetime.combine(_LATEST, time(), UTC)
    return min(max(instant, lowest), highest).astimezone(UTC)


def _instant(local: datetime, zone: ZoneInfo) -> datetime:
    # fold=0 reads a time on the clock that does not exist with the offset before the gap, which moves it forward,
    # and of a time that exists twice it takes the first (PEP 495).
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def _zone(name: object) -> ZoneInfo | None:
    if not isinstance(name, str) or not name:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, malformed, or the name of a folder of zones
        return None
