"""The slots of the call budget: a row for each call that the limit allows in a window, their number is the bound.

Who takes a slot has it until the call is answered, and it is free again one window later. So the calls that went
through one slot are a window apart, and N slots let no more than N arrive in any window, whatever the latency and
whoever counts. Takers pass over what others hold and wait for nobody; there is no counter, and no row that all write.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, func, insert, not_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from worker.store.tables import SlotRow

LONGEST_CALL = timedelta(seconds=45)
"""A slot whose holder died is busy for so long: beyond any call's deadline.

A process that is stopped for longer between taking and sending, and sends nevertheless, exceeds the limit by its call.
"""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot that was taken. ``taking`` tells this call from those that had the slot before and after."""

    id: int
    taking: int


def take(session: Session, *, kept: bool, free_since: datetime, now: datetime) -> Slot | None:
    """Take the slot that has been free for longest, or None. ``kept`` says from which part.

    One statement. The CTE is a fence, as in ``leases.claim``; a slot that another transaction holds at this moment is
    passed over, because it is as good as taken. SQLite's writers exclude each other, so it needs no row locks.
    """
    free = (
        select(SlotRow.id)
        .where(_is_free(free_since, kept=kept))
        .order_by(SlotRow.busy_until)
        .limit(1)
        .with_for_update(skip_locked=True)
        .cte("free")
    )
    taken = session.execute(
        update(SlotRow)
        .where(SlotRow.id == select(free.c.id).scalar_subquery())
        .values(busy_until=now + LONGEST_CALL, takings=SlotRow.takings + 1)
        .returning(SlotRow.id, SlotRow.takings)
        .execution_options(synchronize_session=False),
    ).one_or_none()
    return None if taken is None else Slot(*taken)


def answered(session: Session, slot: Slot, now: datetime) -> None:
    """Note that the slot's call was answered. Does nothing where the slot has meanwhile been given to another call."""
    session.execute(
        update(SlotRow)
        .where(SlotRow.id == slot.id, SlotRow.takings == slot.taking)
        .values(busy_until=now)
        .execution_options(synchronize_session=False),
    )


@dataclass(frozen=True, slots=True)
class Free:
    """How many slots are free, each number counted as far as it matters."""

    common: int
    """Up to one more than are kept."""
    kept: int
    kept_busy: int
    lately: int
    """How many of those for everybody were taken or answered lately, up to the share that was asked about."""


def free(session: Session, *, free_since: datetime, reserve: int, lately_since: datetime, share: int) -> Free:
    """Return how many slots are free, and of those for everybody how many were used lately. Takes none."""
    kept = select(func.count().filter(SlotRow.busy_until <= free_since), func.count()).where(SlotRow.kept)
    free_kept, all_kept = session.execute(kept).one()
    common = select(SlotRow.id).where(_is_free(free_since, kept=False)).limit(reserve + 1)
    lately = select(SlotRow.id).where(not_(SlotRow.kept), SlotRow.busy_until > lately_since)
    lately = lately.order_by(SlotRow.busy_until.desc()).limit(share)  # in the order of the index, so that it is read
    counted = (select(func.count()).select_from(each.subquery()).scalar_subquery() for each in (common, lately))
    found = session.execute(select(*counted)).one()
    return Free(found[0], free_kept, all_kept - free_kept, found[1])


def busy_until(session: Session, *, kept: bool) -> datetime | None:
    """Return until when the slot was or is busy that is free first; None where there is none."""
    part = SlotRow.kept if kept else not_(SlotRow.kept)
    return session.scalar(select(func.min(SlotRow.busy_until)).where(part))


def make_first(session: Session, *, calls: int, reserve: int) -> None:
    """Make the first slots that there ever are, free at once. Whoever else does so at this moment makes the same.

    It takes no lock, because whoever finds that there are none has tried to take one and so holds a lock already that
    a stronger one would wait for.
    """
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    rows = [{"id": id_, "kept": id_ <= reserve, "busy_until": _LONG_AGO, "takings": 0} for id_ in range(1, calls + 1)]
    session.execute(dialect.insert(SlotRow).on_conflict_do_nothing(), rows)


def fit(session: Session, *, calls: int, reserve: int, clock: Callable[[Session], datetime]) -> None:
    """Make as many slots as the limit has calls, of which ``reserve`` are kept. Idempotent; one at a time.

    After a change, or several in a row, no call gets through that would be one too many in its window for the limit
    of then: where slots go, the busiest remain, and calls under way count at their longest; slots that are added to
    others are busy for one window, for they may stand for some that went a moment ago. The first ever are free at once.
    """
    if _counted(session) == (calls, reserve):
        return
    _lock(session)
    there, _ = _counted(session)
    if there == 0:
        make_first(session, calls=calls, reserve=reserve)
    elif there > calls:
        _remove_all_but(session, calls)
    elif there < calls:
        # The clock is asked behind the lock: until now others may have taken slots.
        _add(session, calls - there, busy_until=clock(session) + LONGEST_CALL)
    _keep(session, reserve)


def come_back(session: Session, now: datetime) -> None:
    """Let no slot be busy for longer than any call: one that seems to be was taken before the clock was set back."""
    longest = now + LONGEST_CALL
    session.execute(
        update(SlotRow)
        .where(SlotRow.busy_until > longest)
        .values(busy_until=longest)
        .execution_options(synchronize_session=False),
    )


def _is_free(free_since: datetime, *, kept: bool) -> ColumnElement[bool]:
    return and_(SlotRow.kept if kept else not_(SlotRow.kept), SlotRow.busy_until <= free_since)


def _counted(session: Session) -> tuple[int, int]:
    kept = func.count().filter(SlotRow.kept)
    found = session.execute(select(func.count(), kept).select_from(SlotRow)).one()
    return found[0], found[1]


def _lock(session: Session) -> None:
    # Takers wait for the moment that it takes. SQLite's writing transactions exclude each other anyway.
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("lock table call_slots in share row exclusive mode"))


def _remove_all_but(session: Session, number: int) -> None:
    busiest = select(SlotRow.id).order_by(SlotRow.busy_until.desc(), SlotRow.id).limit(number)
    session.execute(delete(SlotRow).where(SlotRow.id.not_in(busiest)).execution_options(synchronize_session=False))
    # What is under way keeps its slot busy at its longest: an early answer would free it before those that went.
    session.execute(update(SlotRow).values(takings=SlotRow.takings + 1).execution_options(synchronize_session=False))


def _add(session: Session, number: int, *, busy_until: datetime) -> None:
    last = session.scalars(select(func.max(SlotRow.id))).one()
    rows = [{"id": last + n, "kept": False, "busy_until": busy_until, "takings": 0} for n in range(1, number + 1)]
    session.execute(insert(SlotRow), rows)


def _keep(session: Session, reserve: int) -> None:
    """Keep the slots that are free first."""
    first = select(SlotRow.id).order_by(SlotRow.busy_until, SlotRow.id).limit(reserve)
    session.execute(
        update(SlotRow).values(kept=SlotRow.id.in_(first)).execution_options(synchronize_session=False),
    )
