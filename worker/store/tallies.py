"""Queries over what sources did that left no row in the inbox: counts per source, kind and minute."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import and_, case, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased

from worker.store.tables import SourceTallyRow


class TallyKind(StrEnum):
    """What is counted."""

    REFUSED = "refused"
    """A delivery that does not prove that its source sent it: 401."""
    REPEATED = "repeated"
    """An event that had come before, or one that was refused before."""
    NO_EVENT = "no-event"
    """An authenticated delivery that was read as no event: it tells who changed, or its map passes it over."""
    TURNED_AWAY = "turned-away"
    """A delivery that was not read at all: too large, too slow, or not said to be JSON. Anybody may have sent it."""
    HEARD = "heard"
    """A delivery by the source itself, good or not; no event that we brought by a roster, a replay or an answer."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How often something happened within one minute."""

    source: str
    kind: TallyKind
    count: int
    first_at: datetime
    last_at: datetime
    said: str | None = None
    apart: datetime | None = None
    """The key of a row of its own within the minute: of refusals behind a good delivery."""

    @property
    def minute(self) -> datetime:
        """The minute it belongs to, or where it is counted apart."""
        return self.apart or minute_of(self.first_at)


@dataclass(frozen=True, slots=True)
class Tallied:
    """What was counted of one kind."""

    day: int = 0
    week: int = 0
    last_at: datetime | None = None


def minute_of(at: datetime) -> datetime:
    """Return when the minute of an instant began."""
    return at.replace(second=0, microsecond=0)


def add(session: Session, tallies: Iterable[Tally]) -> None:
    """Add counts to those of their minutes. Several processes may do so at once: the order of the locks is fixed."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    for each in sorted(tallies, key=lambda one: (one.source, one.kind, one.minute)):
        statement = dialect.insert(SourceTallyRow).values(
            source=each.source,
            kind=each.kind.value,
            minute=each.minute,
            count=each.count,
            first_at=each.first_at,
            last_at=each.last_at,
            said=each.said,
        )
        told = statement.excluded
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["source", "kind", "minute"],
                set_={"count": SourceTallyRow.count + told.count, "last_at": told.last_at, "said": told.said},
            )
        )


def forget(session: Session, before: datetime) -> None:
    """Drop the counts of minutes before an instant, but for when each source was heard last."""
    row, other = SourceTallyRow, aliased(SourceTallyRow)
    newest = select(func.max(other.minute)).where(other.source == row.source, other.kind == TallyKind.HEARD)
    is_needed = and_(row.kind == TallyKind.HEARD, row.minute == newest.scalar_subquery())
    old = delete(row).where(row.minute < before, ~is_needed)
    session.execute(old.execution_options(synchronize_session=False))


def counted(session: Session, source: str, *, day: datetime, week: datetime) -> dict[TallyKind, Tallied]:
    """Return what was counted of a source, kind by kind, since a day and since a week ago."""
    row, within = SourceTallyRow, case((SourceTallyRow.minute > day, SourceTallyRow.count), else_=0)
    found = session.execute(
        select(row.kind, func.sum(within), func.sum(row.count), func.max(row.last_at))
        .where(row.source == source, row.minute > week, row.kind.in_(TallyKind))  # a newer process may count others
        .group_by(row.kind)
    )
    told = {TallyKind(kind): Tallied(int(day), int(week), last_at) for kind, day, week, last_at in found}
    return {kind: told.get(kind, Tallied()) for kind in TallyKind}


def numbers_since(session: Session, source: str, since: datetime) -> dict[TallyKind, int]:
    """Return how often each kind was counted since an instant, from its minute on."""
    row = SourceTallyRow
    mine = (row.source == source, row.minute >= minute_of(since), row.kind.in_(TallyKind))
    found = session.execute(select(row.kind, func.sum(row.count)).where(*mine).group_by(row.kind))
    return dict.fromkeys(TallyKind, 0) | {TallyKind(kind): int(number) for kind, number in found}


def refused_since(session: Session, source: str, since: datetime) -> int:
    """Return how many deliveries were refused since an instant, rows that began before it left out."""
    row = SourceTallyRow
    mine = (row.source == source, row.kind == TallyKind.REFUSED, row.minute >= minute_of(since))
    return session.scalar(select(func.coalesce(func.sum(row.count), 0)).where(*mine, row.first_at > since)) or 0


def last_said(session: Session, source: str, kind: TallyKind) -> tuple[datetime, str | None] | None:
    """Return when something of a kind was counted last, and why; None if it never was."""
    row = SourceTallyRow
    mine = select(row.last_at, row.said).where(row.source == source, row.kind == kind)
    found = session.execute(mine.order_by(row.minute.desc()).limit(1)).one_or_none()
    return None if found is None else (found[0], found[1])
