"""Queries over what each source told us lately, read from the inbox by the index of (source, instant of receipt).

Intake writes nothing for it. Counts reach back a week, and over the newest MOST_COUNTED events of it at most.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from worker.store import snapshots, tallies
from worker.store.states import EventState
from worker.store.tables import EventRow
from worker.store.tallies import Tallied, TallyKind

MOST_COUNTED = 100_000
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
NEWEST = 20
"""So many of the newest events tell how a source does now."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What came of one source within a time."""

    accepted: int = 0
    """Events in the inbox that were not refused, applied or not."""
    repeated: int = 0
    """Events that had come before."""
    rejected: int = 0
    parked: int = 0
    refused: int = 0
    """Deliveries that were not signed by the source."""
    without_event: int = 0
    """Deliveries that only told who changed, or were passed over."""
    turned_away: int = 0
    """Deliveries that were not read, because they were too large, too slow, or not said to be JSON."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The latest thing that went wrong."""

    at: datetime
    kind: str
    """``rejected``, ``parked``, ``refused`` or ``turned-away``."""
    said: str | None


@dataclass(frozen=True, slots=True)
class Heard:
    """One look at a source."""

    last_at: datetime | None
    """When a delivery by the source itself came last, good or not; None: never."""
    day: Counts
    week: Counts
    failures: Mapping[str, Failure]
    """The latest of each kind, of the last week."""
    refused_in_a_row: int
    """Deliveries refused since the last one by the source itself, a week back at most."""
    last_hour: Mapping[TallyKind, int]
    """What was counted within the last hour."""
    newest: int
    """How many of the newest events are looked at: NEWEST, or fewer where there are no more."""
    newest_rejected: int
    """How many of these were refused."""
    lag: timedelta | None
    """How long after they happened these reached us: their median."""
    waiting_since: datetime | None
    """When the oldest event came that is not applied yet; of those of the last week."""

    @property
    def failure(self) -> Failure | None:
        """The latest of the last week."""
        return max(self.failures.values(), key=lambda each: each.at, default=None)


@dataclass(frozen=True, slots=True)
class _State:
    """The events of one state."""

    day: int = 0
    week: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None


def look(session: Session, source: str, now: datetime, *, brought: Collection[str] = ()) -> Heard:
    """Look once at one source.

    ``brought`` are the CloudEvents sources of events that are no delivery by it, for one that delivers by itself.
    """
    states = _states(session, source, now)
    counted = tallies.counted(session, source, day=now - DAY, week=now - WEEK)
    if brought:
        last_at = _last_delivery_at(session, source, brought, counted[TallyKind.NO_EVENT].last_at)
    else:
        last_at = _last_sign_at(session, source, counted)
    refused = _refused_in_a_row(session, source, last_at, now) if counted[TallyKind.REFUSED].week else 0
    newest = _newest(session, source, now)
    return Heard(
        last_at=last_at,
        day=_counts({state: told.day for state, told in states.items()}, {k: v.day for k, v in counted.items()}),
        week=_counts({state: told.week for state, told in states.items()}, {k: v.week for k, v in counted.items()}),
        failures={each.kind: each for each in _failures(session, source, states, now)},
        refused_in_a_row=refused,
        last_hour=tallies.numbers_since(session, source, now - HOUR),
        newest=len(newest),
        newest_rejected=sum(each.state is EventState.REJECTED for each in newest),
        lag=_lag(newest),
        waiting_since=states[EventState.ACCEPTED].first_at,
    )


def was_heard(session: Session, source: str) -> bool:
    """Tell whether a source ever told us something."""
    return _last_event_at(session, source) is not None


def _states(session: Session, source: str, now: datetime) -> dict[EventState, _State]:
    newest = (
        select(EventRow.state, EventRow.received_at)
        .where(EventRow.source == source, EventRow.received_at > now - WEEK)
        .order_by(EventRow.received_at.desc())
        .limit(MOST_COUNTED)
        .subquery()
    )
    at = newest.c.received_at
    found = session.execute(
        select(
            newest.c.state,
            func.sum(case((at > now - DAY, 1), else_=0)),
            func.count(),
            func.min(at, type_=at.type),
            func.max(at, type_=at.type),
        ).group_by(newest.c.state)
    )
    told = {state: _State(int(day), int(week), first, last) for state, day, week, first, last in found}
    return {state: told.get(state, _State()) for state in EventState}


def _counts(events: Mapping[EventState, int], counted: Mapping[TallyKind, int]) -> Counts:
    return Counts(
        accepted=sum(events.values()) - events[EventState.REJECTED],
        repeated=counted[TallyKind.REPEATED],
        rejected=events[EventState.REJECTED],
        parked=events[EventState.PARKED],
        refused=counted[TallyKind.REFUSED],
        without_event=counted[TallyKind.NO_EVENT],
        turned_away=counted[TallyKind.TURNED_AWAY],
    )


def _last_event_at(session: Session, source: str) -> datetime | None:
    mine = select(EventRow.received_at).where(EventRow.source == source)
    return session.scalar(mine.order_by(EventRow.received_at.desc()).limit(1))


def _last_sign_at(session: Session, source: str, counted: Mapping[TallyKind, Tallied]) -> datetime | None:
    signs = (
        _last_event_at(session, source),
        counted[TallyKind.REPEATED].last_at,
        counted[TallyKind.NO_EVENT].last_at,
        snapshots.last_taken(session, source),  # a roster in which nothing changed leaves no event
    )
    return max((at for at in signs if at), default=None)


def _last_delivery_at(
    session: Session, source: str, brought: Collection[str], without_event_at: datetime | None
) -> datetime | None:
    if (heard := tallies.last_said(session, source, TallyKind.HEARD)) is not None:
        return heard[0]
    # Of what came before deliveries were counted, or a moment ago, the inbox knows.
    is_its_own = or_(EventRow.ce_source.is_(None), EventRow.ce_source.not_in(brought))
    mine = select(EventRow.received_at).where(EventRow.source == source, EventRow.reads_anew.is_(None), is_its_own)
    event_at = session.scalar(mine.order_by(EventRow.received_at.desc()).limit(1))
    return max((at for at in (event_at, without_event_at) if at), default=None)


def _refused_in_a_row(session: Session, source: str, last_at: datetime | None, now: datetime) -> int:
    return tallies.refused_since(session, source, max(last_at or now - WEEK, now - WEEK))


def _failures(session: Session, source: str, states: Mapping[EventState, _State], now: datetime) -> list[Failure]:
    found = [
        Failure(at, state.value, _reason(session, source, state, at))
        for state in (EventState.REJECTED, EventState.PARKED)
        if (at := states[state].last_at) is not None
    ]
    return found + [
        Failure(last[0], kind.value, last[1])
        for kind in (TallyKind.REFUSED, TallyKind.TURNED_AWAY)
        if (last := tallies.last_said(session, source, kind)) is not None and last[0] > now - WEEK
    ]


def _reason(session: Session, source: str, state: EventState, at: datetime) -> str | None:
    mine = (EventRow.source == source, EventRow.received_at == at, EventRow.state == state)
    return session.scalar(select(EventRow.reason).where(*mine).order_by(EventRow.id.desc()).limit(1))


@dataclass(frozen=True, slots=True)
class _Event:
    """One of the newest events."""

    received_at: datetime
    time: datetime | None
    state: EventState


def _newest(session: Session, source: str, now: datetime) -> list[_Event]:
    mine = (EventRow.source == source, EventRow.received_at > now - WEEK)
    newest = select(EventRow.received_at, EventRow.time, EventRow.state).where(*mine)
    return [_Event(*each) for each in session.execute(newest.order_by(EventRow.received_at.desc()).limit(NEWEST))]


def _lag(newest: list[_Event]) -> timedelta | None:
    late_s = [(each.received_at - each.time).total_seconds() for each in newest if each.time is not None]
    return timedelta(seconds=max(median(late_s), 0)) if late_s else None
