"""The schedule: what will happen to whom and when, put together from everybody for whom something changes by itself."""

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from worker.policy import Change, Policy, timeline
from worker.policy.instants import zone_of
from worker.store import people
from worker.store.tables import PersonRow
from worker.store.views import person_view

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Coming:
    """One change that will come to one person."""

    change: Change
    person_id: int
    name: str
    address: str | None
    zone: ZoneInfo
    """The person's own, else the organisation's."""


def coming(
    session: Session, policy: Policy, precedence: Mapping[str, int], now: datetime, until: datetime
) -> Iterator[Coming]:
    """Yield every change up to an instant, soonest first; those that are due and not made yet come first of all.

    People are read page by page in the order of their next change, and a change is told as soon as nobody can have an
    earlier one: so only those of the people under way are in memory, however many there are.
    """
    waiting: list[tuple[datetime, int, int, Coming]] = []
    for row, next_at in _upcoming(session, until):
        while waiting and waiting[0][0] < next_at:
            yield heapq.heappop(waiting)[-1]
        for number, each in enumerate(coming_to(session, row, policy, precedence, now, until)):
            heapq.heappush(waiting, (each.change.at, row.id, number, each))
    while waiting:
        yield heapq.heappop(waiting)[-1]


def coming_to(
    session: Session,
    row: PersonRow,
    policy: Policy,
    precedence: Mapping[str, int],
    now: datetime,
    until: datetime | None = None,
) -> Iterator[Coming]:
    """Yield the changes of one person since they were last evaluated: what is due and not made yet, and what comes."""
    view = person_view(session, row.id, precedence)
    zone = zone_of(view.profile.facts, policy.organisation.timezone)
    for change in timeline(view, policy, min(row.evaluated_at or now, now), until):
        yield Coming(change, row.id, row.name, view.address, zone)


def _upcoming(session: Session, until: datetime) -> Iterator[tuple[PersonRow, datetime]]:
    after = None
    while page := people.upcoming(session, until, after=after, limit=_PAGE):
        for row in page:
            assert row.next_change_at is not None
            after = row.next_change_at, row.id
            yield row, row.next_change_at
        session.expunge_all()
