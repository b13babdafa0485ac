"""Queries over pauses of sources: while one lasts, nobody asks that source for records."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from worker.store.tables import HintPauseRow

_FIRST_OF_REFUSALS, _FIRST, _LONGEST = timedelta(minutes=15), timedelta(minutes=1), timedelta(hours=6)
_HIGHEST_POWER = 16


def pause(
    session: Session,
    source: str,
    reason: str,
    now: datetime,
    *,
    is_refusal: bool,
    at_least: timedelta = timedelta(0),
) -> tuple[datetime, bool]:
    """Begin a pause, or a longer one. Returns until when, and whether it is the first since the source last answered.

    Several workers may meet the same refusal: it is one pause, not several. Locks the source's row.
    """
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    new = {"source": source, "since": now, "until": now, "pauses": 0, "is_refusal": is_refusal, "reason": reason}
    inserting = dialect.insert(HintPauseRow).values(new).on_conflict_do_nothing().returning(HintPauseRow.source)
    is_first = session.scalar(inserting) is not None
    row = session.get_one(HintPauseRow, source, with_for_update=True, populate_existing=True)
    if row.until <= now:
        first = _FIRST_OF_REFUSALS if is_refusal else _FIRST
        row.until = now + max(min(first * 2**row.pauses, _LONGEST), min(at_least, _LONGEST))
        row.pauses = min(row.pauses + 1, _HIGHEST_POWER)
    row.is_refusal, row.reason = is_refusal, reason
    session.flush()
    return row.until, is_first


def end(session: Session, source: str, now: datetime) -> None:
    """Forget a pause that is over because the source answered. One that still lasts stays."""
    session.execute(delete(HintPauseRow).where(HintPauseRow.source == source, HintPauseRow.until <= now))


def end_now(session: Session, *, source: str | None = None) -> None:
    """Forget the pauses of one source or of all, because somebody may have mended what was wrong."""
    session.execute(delete(HintPauseRow).where(HintPauseRow.source == source if source else HintPauseRow.source != ""))


def refusals(session: Session) -> list[HintPauseRow]:
    """Return the pauses that a person must end, by mending our credentials."""
    return [row for row in all_of(session) if row.is_refusal]


def refusal_of(session: Session, source: str) -> str | None:
    """Return why a source refuses our credentials, if it did when it was asked last."""
    row = session.get(HintPauseRow, source)
    return row.reason if row is not None and row.is_refusal else None


def all_of(session: Session) -> list[HintPauseRow]:
    """Return all pauses, also those that are over and wait for the first answer."""
    return list(session.scalars(select(HintPauseRow).order_by(HintPauseRow.source)))
