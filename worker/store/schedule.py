"""The schedule: what will happen to whom and when, put together from everybody for whom something changes by itself."""

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from worker.policy import Change, PersonView, Policy, timeline
from worker.policy.instants import zone_of
from worker.store import people
from worker.store.tables import PersonRow
from worker.store.views import person_view, person_views

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
    for row, view in _upcoming(session, precedence, until):
        assert row.next_change_at is not None
        while waiting and waiting[0][0] < row.next_change_at:
            yield heapq.heappop(waiting)[-1]
        for number, each in enumerate(_of(row, view, policy, now, until)):
            heapq.heappush(waiting, (each.change.at, row.id, number, each))
    while waiting:
        yield heapq.heappop(waiting)[-1]


def coming_to(
    session: Session, row: PersonRow, policy: Policy, precedence: Mapping[str, int], now: datetime
) -> Iterator[Coming]:
    """Yield the changes of one person since they were last evaluated: what is due and not made yet, and what comes."""
    return _of(row, person_view(session, row.id, precedence), policy, now, None)


def _of(row: PersonRow, view: PersonView, policy: Policy, now: datetime, until: datetime | None) -> Iterator[Coming]:
    zone = zone_of(view.profile.facts, policy.organisation.timezone)
    for change in timeline(view, policy, min(row.evaluated_at or now, now), until):
        yield Coming(change, row.id, row.name, view.address, zone)


def _upcoming(
    session: Session, precedence: Mapping[str, int], until: datetime
) -> Iterator[tuple[PersonRow, PersonView]]:
    after = None
    while page := people.upcoming(session, until, after=after, limit=_PAGE):
        views = person_views(session, [row.id for row in page], precedence)
        yield from ((row, views[row.id]) for row in page)
        assert page[-1].next_change_at is not None
        after = page[-1].next_change_at, page[-1].id
        session.expunge_all()
