"""What domains held a moment ago, as their lists showed it: kept by a process, for many joiners at once.

A mailbox is made only where its address was seen free within a minute. For a few joiners a call each shows that; for
many, two lists do.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from worker.mail import Address

FRESH_INDEX = timedelta(seconds=50)
"""A domain read so recently shows an address to be free as well as a call of its own would."""
SEVERAL = 2
"""So many others that wait for a mailbox make two lists cheaper than a call for each."""


@dataclass(frozen=True, slots=True)
class Index:
    """Every address that a domain held."""

    read_at: datetime
    """When reading began."""
    addresses: frozenset[Address]


@dataclass(slots=True)
class Indexes:
    """The latest index of each domain. Threads share it; one at a time reads, and the others wait for what it reads."""

    _latest: dict[str, Index] = field(default_factory=dict)
    _reading: Lock = field(default_factory=Lock)

    def fresh(self, domain: str, now: datetime) -> Index | None:
        """Return the latest index of a domain, if it is fresh."""
        latest = self._latest.get(domain)
        return None if latest is None or is_stale(latest.read_at, now) else latest

    def note(self, domain: str, index: Index) -> None:
        """Keep what was read anyway."""
        self._latest[domain] = index

    def refreshed(self, domain: str, clock: Callable[[], datetime], read: Callable[[str], frozenset[Address]]) -> Index:
        """Return a fresh index of a domain, read now if need be. Raises what reading raises."""
        with self._reading:
            now = clock()  # others may have read while we waited
            found = self.fresh(domain, now) or Index(now, read(domain))
            self.note(domain, found)
            return found


def is_stale(read_at: datetime | None, now: datetime) -> bool:
    """Tell whether a domain was read too long ago to show what is free now."""
    return read_at is None or read_at < now - FRESH_INDEX
