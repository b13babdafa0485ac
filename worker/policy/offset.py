"""An offset: how long after (or before) an instant something happens, in calendar days or in hours."""

import re
from dataclasses import dataclass
from datetime import timedelta

_WRITTEN = re.compile(r"^(\d{1,20})([dh])$")
_LONGEST = timedelta(days=36_500)


@dataclass(frozen=True, slots=True)
class Offset:
    """Calendar days of a zone, or hours; one of the two is zero."""

    days: int = 0
    hours: int = 0

    @property
    def length(self) -> timedelta:
        """The nominal length, a day as 24 hours: for comparing offsets and for windows, not for dates."""
        return timedelta(days=self.days, hours=self.hours)

    def __str__(self) -> str:
        return f"{self.hours}h" if self.hours else f"{self.days}d"


def parse_offset(text: object) -> Offset:
    """Read ``"30d"`` (calendar days) or ``"12h"`` (hours). Raises ValueError with a clear sentence."""
    if isinstance(text, Offset):
        return text
    written = _WRITTEN.match(text.strip()) if isinstance(text, str) else None
    if written is None:
        raise ValueError('must be calendar days such as "30d" or hours such as "12h"')
    number = int(written[1])
    if number > _LONGEST.days * (1 if written[2] == "d" else 24):
        raise ValueError(f"must not be longer than {_LONGEST.days} days")
    return Offset(days=number) if written[2] == "d" else Offset(hours=number)
