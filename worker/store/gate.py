"""The gate before the mail host: open, or closed for everybody, because the host throttles or refuses the account.

Closed, it lets nobody through for a while, and after that a single call, the probe. A probe that is served opens it,
one that is refused closes it for twice as long, and where one comes to nothing another may go. It is a row that exists
while the gate is closed: nobody writes it in good times, and everybody reads it without a lock.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto

from sqlalchemy import delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from worker.store.slots import LONGEST_CALL
from worker.store.tables import GateRow

PROBE_AGAIN = timedelta(seconds=5)
"""How long after a probe that came to nothing the next one may go; one that is never heard of again has its longest."""

_ID = 1
_SHORTEST = timedelta(seconds=1)
_LONGEST = timedelta(minutes=30)
_HIGHEST_POWER = 16


class Closing(StrEnum):
    """Why the gate is closed."""

    THROTTLED = "throttled"
    """The host's proxy refuses calls, or the host asks to be left alone (429)."""
    ACCOUNT = "account"
    """The credentials or the account are refused."""


_FIRST: dict[Closing, timedelta] = {
    Closing.THROTTLED: timedelta(minutes=2),  # the host's own window (`migadu-behaviour.md` 2.8)
    Closing.ACCOUNT: timedelta(minutes=1),
}


class Heard(Enum):
    """What else a call can come to, seen from the gate."""

    SERVED = auto()
    """The host itself answered, and to our account."""
    NOTHING = auto()
    """Neither served nor refused: an answer of something before the host."""
    SILENCE = auto()
    """No answer, so that the call may still be on its way to the host."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that closes the gate. ``asked_for`` is how long the host asks to be left alone, where it does."""

    closing: Closing
    reason: str
    asked_for: timedelta | None = None


@dataclass(frozen=True, slots=True)
class ClosedGate:
    """A gate that is closed: until when, why, and until when a probe is under way that nobody may accompany."""

    closing: Closing
    reason: str
    since: datetime
    until: datetime
    probe_until: datetime | None

    def shut_until(self, now: datetime) -> datetime | None:
        """Return until when nobody may go at all; None where a probe may go now."""
        if self.until > now:
            return self.until
        return self.probe_until if self.probe_until is not None and self.probe_until > now else None

    def is_probed(self, now: datetime) -> bool:
        """Tell whether a probe is under way."""
        return self.until <= now and self.shut_until(now) is not None


_CLOSED = select(GateRow.kind, GateRow.reason, GateRow.since, GateRow.until, GateRow.probe_until)


def closed(session: Session) -> ClosedGate | None:
    """Return the gate as it is closed; None where it is open. Locks nothing."""
    row = session.execute(_CLOSED).one_or_none()
    return None if row is None else ClosedGate(Closing(row.kind), row.reason, row.since, row.until, row.probe_until)


def begin_probe(session: Session, now: datetime) -> bool:
    """Become the probe. False where another is under way, or the gate was opened or closed anew meanwhile."""
    mine = session.scalar(
        update(GateRow)
        .where(GateRow.until <= now, or_(GateRow.probe_until.is_(None), GateRow.probe_until <= now))
        .values(probe_until=now + LONGEST_CALL)
        .returning(GateRow.id)
        .execution_options(synchronize_session=False),
    )
    return mine is not None


def probe_served(session: Session, sent_at: datetime) -> None:
    """Open the gate, unless it was closed anew after this probe was sent."""
    session.execute(
        delete(GateRow).where(GateRow.closed_at < sent_at).execution_options(synchronize_session=False),
    )


def probe_unheard(session: Session, sent_at: datetime, now: datetime) -> None:
    """Let another probe go shortly: this one was neither served nor refused."""
    session.execute(
        update(GateRow)
        .where(GateRow.closed_at < sent_at)
        .values(probe_until=now + PROBE_AGAIN)
        .execution_options(synchronize_session=False),
    )


def close(session: Session, refusal: Refusal, now: datetime, *, probe_sent_at: datetime | None) -> datetime:
    """Close the gate, or keep it closed, and return until when. ``probe_sent_at`` is None for what was no probe.

    Many calls under way may meet the same refusal: that is one closing. A probe's is the next one, twice as long.
    """
    while not _closed_first(session, refusal, now):
        row = session.scalars(
            select(GateRow).with_for_update().execution_options(populate_existing=True),
        ).one_or_none()
        if row is not None:
            return _close_again(session, row, refusal, now, probe_sent_at)
        # Between the two statements it was opened.
    return now + _pause(refusal, closings=1)


def probe_account_now(session: Session, now: datetime) -> None:
    """Let a refused account be probed now."""
    session.execute(
        update(GateRow)
        .where(GateRow.kind == Closing.ACCOUNT, GateRow.until > now)
        .values(until=now)
        .execution_options(synchronize_session=False),
    )


def come_back(session: Session, now: datetime) -> None:
    """Let a closing that is said to have been in the future, because the clock was set back, be one that begins now."""
    ahead = select(GateRow).where(or_(GateRow.closed_at > now, GateRow.probe_until > now + LONGEST_CALL))
    row = session.scalars(ahead.with_for_update().execution_options(populate_existing=True)).one_or_none()
    if row is None:
        return
    if row.closed_at > now:
        row.until, row.since, row.closed_at = now + (row.until - row.closed_at), now, now
    row.probe_until = None
    session.flush()


def _closed_first(session: Session, refusal: Refusal, now: datetime) -> bool:
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    row = {
        "id": _ID,
        "kind": refusal.closing,
        "reason": refusal.reason,
        "since": now,
        "closed_at": now,
        "until": now + _pause(refusal, closings=1),
        "closings": 1,
    }
    made = dialect.insert(GateRow).values(row).on_conflict_do_nothing().returning(GateRow.id)
    return session.scalar(made) is not None


def _close_again(
    session: Session, row: GateRow, refusal: Refusal, now: datetime, probe_sent_at: datetime | None
) -> datetime:
    if probe_sent_at is None or probe_sent_at <= row.closed_at:
        row.until = max(row.until, now + (refusal.asked_for or timedelta(0)))
    else:
        row.closings = row.closings + 1 if row.kind == refusal.closing else 1
        row.kind, row.reason, row.closed_at = refusal.closing, refusal.reason, now
        row.until, row.probe_until = now + _pause(refusal, row.closings), None
    session.flush()
    return row.until


def _pause(refusal: Refusal, closings: int) -> timedelta:
    """Return how long this closing lasts: what the host asks for or the usual, doubled each time, never less."""
    asked_for = refusal.asked_for
    first = _FIRST[refusal.closing] if asked_for is None else max(asked_for, _SHORTEST)
    grown: timedelta = min(first * 2 ** min(closings - 1, _HIGHEST_POWER), _LONGEST)
    return grown if asked_for is None else max(grown, asked_for)
