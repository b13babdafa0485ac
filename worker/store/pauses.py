"""Queries over pauses: what is not asked of the mail host for a while, by any worker. All calls alike: see ``gate``."""

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from worker.store.tables import PauseRow

_FIRST, _LONGEST = timedelta(minutes=15), timedelta(hours=6)
_HIGHEST_POWER = 16


class PauseKind(StrEnum):
    """What is paused."""

    CREATIONS = "creations"
    """Creations only: the plan's limit is reached."""


def pause(session: Session, kind: PauseKind, reason: str, now: datetime, at_least: timedelta | None) -> datetime:
    """Begin a pause, or a longer one, and return until when. ``at_least`` is what the host asked for."""
    row = session.get(PauseRow, kind, with_for_update=True)
    if row is None:
        row = PauseRow(kind=kind, since=now, until=now, pauses=0, reason=reason)
        session.add(row)
    if row.until <= now:  # several workers may meet the same refusal: it is one pause, not several
        row.until = now + max(min(_FIRST * 2**row.pauses, _LONGEST), at_least or timedelta(0))
        row.pauses, row.reason = min(row.pauses + 1, _HIGHEST_POWER), reason
    session.flush()
    return row.until


def last(session: Session, kind: PauseKind) -> datetime | None:
    """Return until when this is paused, or was if nothing of its kind succeeded since; None otherwise."""
    row = session.get(PauseRow, kind)
    return row.until if row is not None else None


def until(session: Session, kind: PauseKind, now: datetime) -> datetime | None:
    """Return until when this is paused; None if it is not."""
    end = last(session, kind)
    return end if end is not None and end > now else None


def end(session: Session, kind: PauseKind, now: datetime) -> None:
    """Forget a pause that is over because a call of its kind succeeded.

    One that still lasts stays: what succeeds meanwhile was sent before it began.
    """
    session.execute(delete(PauseRow).where(PauseRow.kind == kind, PauseRow.until <= now))


def all_of(session: Session) -> list[PauseRow]:
    """Return all pauses, also those that are over and wait for the first success."""
    return list(session.scalars(select(PauseRow).order_by(PauseRow.kind)))
