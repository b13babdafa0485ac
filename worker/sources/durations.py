"""Lengths of time as the sources file writes them: ``"30s"``, ``"5m"``, ``"12h"`` or ``"3d"``."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import PlainValidator

_WRITTEN = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_LONGEST = timedelta(days=3650)


def parse_duration(written: object) -> timedelta:
    """Read a length of time longer than zero. Raises ValueError with a clear sentence."""
    if isinstance(written, timedelta):
        return written
    parts = _WRITTEN.fullmatch(written.strip()) if isinstance(written, str) else None
    length = int(parts[1]) * _UNITS[parts[2]] if parts else timedelta()
    if not timedelta() < length <= _LONGEST:
        raise ValueError('must be a length of time such as "30s", "5m", "12h" or "3d"')
    return length


def written_duration(length: timedelta) -> str:
    """Return a length of time as one would write it, in the largest unit that fits; less than a second is left out."""
    seconds = int(length.total_seconds())
    unit = next((unit for unit in reversed(_UNITS) if length >= _UNITS[unit] and not length % _UNITS[unit]), "s")
    return f"{int(seconds / _UNITS[unit].total_seconds())}{unit}"


Duration = Annotated[timedelta, PlainValidator(parse_duration)]
