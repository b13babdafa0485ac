"""Reading back: what became of a write whose answer is missing, told by what the host shows.

The rules are those of `design.md` 4: "absent" needs a look after the deadline of the call, because a call whose sender
gave up may still arrive; and what is there after a creation is ours only if its place had been seen free shortly before
and every field is as it was sent. Nothing is ever guessed, or repeated blindly.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from worker.migadu.calls import Verb
from worker.migadu.client import MigaduClient
from worker.migadu.echo import differing
from worker.migadu.errors import NotFound
from worker.migadu.places import Place
from worker.migadu.resources import T
from worker.migadu.writes import Fields, Password, Write
from worker.wire import CALL_DEADLINE

SEEN_FREE_WITHIN = timedelta(minutes=1)
"""A creation of unknown fate is ours only if its place was seen free so shortly before it was sent."""


class Fate(StrEnum):
    """What reading back says of a write."""

    APPLIED = "applied"
    NOT_APPLIED = "not-applied"
    """It was not done, and can no longer arrive: it may be sent again."""
    LOOK_AGAIN = "look-again"
    """It does not show yet, and may still arrive until its deadline."""
    SOMEBODY_ELSES = "somebody-elses"
    """Something is there, and it cannot be told that we made it."""


@dataclass(frozen=True, slots=True)
class Sending:
    """When a write was sent, and what had been seen before."""

    sent_at: datetime
    seen_free_at: datetime | None = None
    """When nothing was found in the place of a creation."""
    before: Fields | None = None
    """What an update found in the fields that it changes."""

    @property
    def arrives_until(self) -> datetime:
        """From then on the call cannot arrive at the host any more."""
        return self.sent_at + CALL_DEADLINE

    @property
    def saw_it_free(self) -> bool:
        """Whether the place was seen free so shortly before that nobody else had time to take it unseen."""
        return self.seen_free_at is not None and self.sent_at - self.seen_free_at <= SEEN_FREE_WITHIN


def read_back(client: MigaduClient, write: Write[T], sending: Sending, now: datetime) -> Fate:
    """Look where the object is if the write was applied, and tell its fate. Raises MigaduError where that fails."""
    return fate(write, _look(client, write.goes_to), sending, now)


def fate(write: Write[T], shown: T | None, sending: Sending, now: datetime) -> Fate:
    """Tell a write's fate by what its place shows now, None where nothing is there."""
    if write.verb is Verb.CREATE and shown is not None:
        ours = _shows(write, shown) and (_is_inside_ours(write) or sending.saw_it_free)
        return Fate.APPLIED if ours else Fate.SOMEBODY_ELSES
    if write.verb is Verb.DELETE:
        applied = shown is None
    else:
        applied = shown is not None and _shows(write, shown) and _can_be_seen(write, sending)
    if applied:
        return Fate.APPLIED
    return Fate.NOT_APPLIED if now >= sending.arrives_until else Fate.LOOK_AGAIN


def _look(client: MigaduClient, place: Place[T]) -> T | None:
    try:
        return client.show(place)
    except NotFound:
        return None


def _shows(write: Write[T], shown: T) -> bool:
    return not differing(write.fields, shown.writable)


def _can_be_seen(write: Write[T], sending: Sending) -> bool:
    """Tell whether seeing its fields proves an update.

    A password shows nowhere. It was set if what was sent with it shows and had not been so before; where nothing
    tells, setting one again does no harm.
    """
    if not isinstance(write.credential, Password):
        return True
    return sending.before is not None and bool(differing(write.fields, sending.before))


def _is_inside_ours(write: Write[T]) -> bool:
    """Tell whether a creation is inside a mailbox: what stands in one of ours was put there by us."""
    return bool(write.place.index.mailbox)
