"""The shared call budget: who may call the mail host now, and when the others may come back.

All threads, processes and machines on one database share it. Two things are in the way of a call: the limit, kept by
``slots``, and the gate, which ``gate`` closes for everybody when the host throttles or refuses the account. Both go by
the database's clock. A process takes the slots that are there, whatever its own settings; the process that started last
has fitted their number. While the limit is off calls are not counted, and turned on it begins from nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import assert_never

from sqlalchemy.orm import Session

from worker.store import gate, slots
from worker.store.database import database_now
from worker.store.gate import ClosedGate, Heard, Refusal
from worker.store.slots import Slot

_SHARES = 4
"""In how many parts of the window what is no revocation uses up the limit."""
_LEAST_SHARE = 8
"""Calls; what one or two joiners need with their lists is not put off."""
_MOMENT = timedelta(milliseconds=100)
"""When to come back where a slot or a probe was just lost to somebody else."""
_PROBE_TAKES = timedelta(seconds=2)
"""When to come back where a probe is under way; calls take less than a second (`migadu-behaviour.md` 2.11)."""


class NoCallNow(RuntimeError):
    """No call may be made now; ``wait`` says in how long it makes sense to ask again.

    NoCallNow
    ├── LimitReached    every slot is busy
    └── GateClosed      the mail host is left alone
    """

    def __init__(self, sentence: str, wait: timedelta) -> None:
        super().__init__(sentence)
        self.wait = max(wait, _MOMENT)


class LimitReached(NoCallNow):
    """The call limit is reached; ``wait`` ends when the next slot becomes free."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__("the call limit is reached", wait)


class GateClosed(NoCallNow):
    """The mail host throttles or refuses the account, so it is left alone, but for a probe from time to time."""

    def __init__(self, closed: ClosedGate, now: datetime) -> None:
        if closed.until > now:
            until = f"{closed.until:%H:%M:%S} UTC"
            super().__init__(f"the mail host is left alone until {until}: {closed.reason}", closed.until - now)
        else:
            super().__init__(f"the mail host is being probed: {closed.reason}", _PROBE_TAKES)
        self.closing = closed.closing


@dataclass(frozen=True, slots=True)
class CallLimit:
    """So many calls in each rolling window, of which some are kept for revocations."""

    calls: int
    window: timedelta
    reserve: int


class Room(Enum):
    """For whom there is room in the budget."""

    NOBODY = auto()
    REVOCATIONS = auto()
    EVERYBODY = auto()


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to make one call, once."""

    taken_at: datetime | None
    """None where it makes no difference: there is no limit, and it is no probe."""
    slot: Slot | None
    """None where there is no limit."""
    is_probe: bool
    """What comes of this call decides about the gate."""

    @property
    def probe_sent_at(self) -> datetime | None:
        """When it was taken, where it is a probe."""
        return self.taken_at if self.is_probe else None


@dataclass(frozen=True, slots=True)
class CallBudget:
    """The budget of a deployment. Every method works within the caller's transaction."""

    limit: CallLimit | None = None
    clock: Callable[[Session], datetime] = database_now

    def retry_account(self, session: Session) -> None:
        """Let an account that was refused be probed at once: whoever starts a worker may have brought a new key."""
        gate.probe_account_now(session, self.clock(session))

    def fit(self, session: Session) -> None:
        """Fit the slots to the limit, in a transaction of its own: it waits for calls that are being taken."""
        if self.limit is not None:
            slots.fit(session, calls=self.limit.calls, reserve=self.limit.reserve, clock=self.clock)

    def follow_clock(self, session: Session) -> None:
        """Mend what a database's clock that was set back would keep busy or closed for as long. To be done regularly.

        No call gets through that would be one too many. A clock that is set forward frees slots early, once.
        """
        now = self.clock(session)
        slots.come_back(session, now)
        gate.come_back(session, now)

    def room(self, session: Session) -> Room:
        """Return for whom there is room now, without taking any of it. Reads a few index entries, and locks nothing.

        What is no revocation leaves as many slots free as are kept, whichever these are, and takes no more than a
        quarter of the others in a quarter of the window. Else a backlog would take all at once, and whoever must be
        kept out when the reserve is used up would wait for most of a window.
        """
        closed = gate.closed(session)
        if closed is None and self.limit is None:
            return Room.EVERYBODY
        now = self.clock(session)
        if closed is not None and closed.shut_until(now):
            return Room.NOBODY
        if self.limit is None:
            return Room.EVERYBODY
        return self._room(session, now, self.limit)

    def take(self, session: Session, *, is_revocation: bool) -> Permit:
        """Take the right to make one call; send it only once that is committed. Raises LimitReached, GateClosed.

        Raising leaves everything as it was, so the caller may commit what else it did.
        """
        closed = gate.closed(session)
        if closed is None and self.limit is None:
            return Permit(None, None, is_probe=False)
        now = self.clock(session)
        if closed is None:
            return Permit(now, self._slot(session, now, is_revocation=is_revocation), is_probe=False)
        if closed.shut_until(now):
            raise GateClosed(closed, now)
        with session.begin_nested():  # a probe without a slot is none
            if not gate.begin_probe(session, now):
                raise GateClosed(closed, now)
            return Permit(now, self._slot(session, now, is_revocation=is_revocation), is_probe=True)

    def answered(self, session: Session, permit: Permit, heard: Heard | Refusal) -> datetime | None:
        """Note what came of a call. Returns until when the gate is closed by it.

        Only a probe opens the gate: what else is served was sent before it was closed.
        """
        if permit.slot is None and not permit.is_probe and not isinstance(heard, Refusal):
            return None
        now = self.clock(session)
        if permit.slot is not None and heard is not Heard.SILENCE:  # what may still arrive has its slot to the end
            slots.answered(session, permit.slot, now)
        match heard:
            case Refusal():
                return gate.close(session, heard, now, probe_sent_at=permit.probe_sent_at)
            case Heard.SERVED:
                if permit.probe_sent_at is not None:
                    gate.probe_served(session, permit.probe_sent_at)
            case Heard.NOTHING | Heard.SILENCE:
                if permit.probe_sent_at is not None:
                    gate.probe_unheard(session, permit.probe_sent_at, now)
            case _:
                assert_never(heard)
        return None

    def closed_for(self, session: Session) -> timedelta:
        """Return how long the gate will let nobody through."""
        now = self.clock(session)
        closed = gate.closed(session)
        return ((closed.shut_until(now) if closed else None) or now) - now

    def _room(self, session: Session, now: datetime, limit: CallLimit) -> Room:
        share = max(-(-(limit.calls - limit.reserve) // _SHARES), _LEAST_SHARE)
        lately_since = now - limit.window / _SHARES
        found = slots.free(
            session,
            free_since=now - limit.window,
            reserve=limit.reserve,
            lately_since=lately_since,
            share=share,
        )
        if (found.common > found.kept_busy and found.lately < share) or self._is_unfitted(session):
            return Room.EVERYBODY
        return Room.REVOCATIONS if found.common or found.kept else Room.NOBODY

    def _slot(self, session: Session, now: datetime, *, is_revocation: bool) -> Slot | None:
        """Take a slot, of those that are kept only for a revocation and where there is no other."""
        if self.limit is None:
            return None
        parts = (False, True) if is_revocation else (False,)
        found = self._free_slot(session, now, self.limit, parts)
        if found is None and self._is_unfitted(session):
            slots.make_first(session, calls=self.limit.calls, reserve=self.limit.reserve)
            found = self._free_slot(session, now, self.limit, parts)
        if found is None:
            raise LimitReached(self._wait(session, now, self.limit, parts))
        return found

    def _is_unfitted(self, session: Session) -> bool:
        """Tell whether slots were never made: not all are kept, so there is one that is not."""
        return slots.busy_until(session, kept=False) is None

    def _free_slot(self, session: Session, now: datetime, limit: CallLimit, parts: tuple[bool, ...]) -> Slot | None:
        taken = (slots.take(session, kept=kept, free_since=now - limit.window, now=now) for kept in parts)
        return next((slot for slot in taken if slot is not None), None)

    def _wait(self, session: Session, now: datetime, limit: CallLimit, parts: tuple[bool, ...]) -> timedelta:
        """Return in how long a slot will be free, if those under way are answered in a moment."""
        ends = (slots.busy_until(session, kept=kept) for kept in parts)
        return min((end for end in ends if end is not None and end < now), default=now) + limit.window - now
