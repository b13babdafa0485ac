"""The inbox as operators see it: lists of events by state, and the way back or out of those that were parked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from worker.store.spelled import is_in
from worker.store.states import EVENT_MOVES, EventState, move
from worker.store.tables import EventRow


def page(session: Session, states: Sequence[EventState], *, after: int, limit: int) -> list[EventRow]:
    """Return events in the order of their ids, from behind ``after``; without ``states`` those in any."""
    rows = select(EventRow).where(EventRow.id > after).order_by(EventRow.id).limit(limit)
    if not states:
        return list(session.scalars(rows))
    # A query for each, because each state has an index of its own.
    found = [row for state in {*states} for row in session.scalars(rows.where(is_in(EventRow.state, state)))]
    return sorted(found, key=lambda row: row.id)[:limit]


@dataclass(frozen=True, slots=True)
class Heard:
    """Which events of the inbox are meant."""

    state: EventState
    source: str | None = None
    since: datetime | None = None
    """Received then or later."""


def subjects(session: Session, heard: Heard, *, behind: int, limit: int) -> list[tuple[int, str, str]]:
    """Return the next events behind an id as (id, source, subject). Left out are those of erased people."""
    mine = [EventRow.id > behind, is_in(EventRow.state, heard.state), EventRow.subject.is_not(None)]
    if heard.source is not None:
        mine.append(EventRow.source == heard.source)
    if heard.since is not None:
        mine.append(EventRow.received_at >= heard.since)
    rows = session.execute(
        select(EventRow.id, EventRow.source, EventRow.subject).where(*mine).order_by(EventRow.id).limit(limit)
    )
    return [(event_id, source, subject or "") for event_id, source, subject in rows]


def lock(session: Session, event_id: int) -> EventRow | None:
    """Return one event, locked until the transaction ends; None if there is none."""
    return session.get(EventRow, event_id, with_for_update=True, populate_existing=True)


def try_again(row: EventRow) -> None:
    """Have an event applied now, its failures forgotten. Raises IllegalMove for one that was applied or rejected."""
    if row.state is not EventState.ACCEPTED:
        row.state = move(EVENT_MOVES, row.state, EventState.ACCEPTED)
    row.failures, row.retry_at = 0, None


def dismiss(row: EventRow, reason: str) -> None:
    """Give a parked event up. Raises IllegalMove for any other."""
    row.state, row.reason = move(EVENT_MOVES, row.state, EventState.DISMISSED), reason


def retry_parked(session: Session, *, behind: int, limit: int) -> list[int]:
    """Have the first parked events behind an id applied again, their failures forgotten. Returns their ids, ascending.

    Rows that another transaction holds are passed over.
    """
    parked = select(EventRow).where(is_in(EventRow.state, EventState.PARKED), EventRow.id > behind)
    rows = session.scalars(parked.order_by(EventRow.id).limit(limit).with_for_update(skip_locked=True)).all()
    for row in rows:
        try_again(row)
    session.flush()
    return [row.id for row in rows]
