"""The only place that asks what time it is. Everyone else is handed a ``Clock``, or the instant itself.

Leases and the call budget go by the database's clock instead; this one tells business time, which tests may move.
"""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

_DURATION = re.compile(
    r"(?P<sign>[+-]?)P(?=.)(?:(?P<weeks>\d{1,6})W)?(?:(?P<days>\d{1,7})D)?"
    r"(?:T(?=.)(?:(?P<hours>\d{1,8})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,11}(?:\.\d{1,6})?)S)?)?",
    re.ASCII,
)


class ClockInvalid(ValueError):
    """The setting is neither a duration that shifts the time nor a file that holds one."""


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the present instant: aware, UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present instant: aware, UTC."""
        return datetime.now(UTC)


class ShiftedClock:
    """The machine's clock, moved by a fixed duration."""

    def __init__(self, shift: timedelta) -> None:
        self._shift = shift

    def now(self) -> datetime:
        """Return the moved instant: aware, UTC. Raises ClockInvalid where the calendar ends."""
        return _moved(self._shift)


class FileClock:
    """The machine's clock, moved by a duration that is read from a file at each use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: timedelta | None = None

    def now(self) -> datetime:
        """Return the moved instant: aware, UTC. Raises ClockInvalid where the file cannot be used."""
        return _moved(self._shift())

    def _shift(self) -> timedelta:
        try:
            text = self._path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ClockInvalid(f"the clock file {self._path} cannot be read: {error}") from error
        if not text and self._last is not None:
            return self._last  # whoever rewrites the file empties it first
        self._last = duration(text)
        return self._last


def clock_from(setting: str | None) -> Clock:
    """Return the clock that the setting describes: none is the system's, a duration shifts it, else it names a file.

    The file is not read before it is used.
    """
    if setting is None:
        return SystemClock()
    try:
        return ShiftedClock(duration(setting))
    except ClockInvalid:
        return FileClock(Path(setting))


def duration(text: str) -> timedelta:
    """Return an ISO 8601 duration such as P1D, -P1DT2H or PT30M.

    Raises ClockInvalid on anything else, years and months included: they have no fixed length.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ClockInvalid(
            f"{text.strip()[:40]!r} is not an ISO 8601 duration of weeks, days, hours, minutes or seconds"
        )
    parts = {unit: float(amount) for unit, amount in match.groupdict().items() if amount and unit != "sign"}
    try:
        length = timedelta(**parts)
    except OverflowError as error:
        raise ClockInvalid(f"{text.strip()} is longer than any calendar") from error
    return -length if match["sign"] == "-" else length


def _moved(shift: timedelta) -> datetime:
    try:
        return datetime.now(UTC) + shift
    except OverflowError as error:
        raise ClockInvalid(f"a shift of {shift.days} days leaves the calendar") from error
