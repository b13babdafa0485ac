"""Figures for the status and the checkup: how much waits, and how many people there are.

Whoever watches asks every few seconds, so each is read from an index alone, and none by going through all history.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from worker.store.spelled import is_in
from worker.store.states import OUTSTANDING, EventState
from worker.store.tables import EventRow, JobRow, PersonRow, RecordRow

MOST_COUNTED = 1000
"""Where only "none", "some" or "many" matters, nobody counts further than this."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One look at how much there is of what."""

    jobs: Mapping[str, int]
    """Outstanding jobs by state; what is over is not counted."""
    people: Mapping[str, int]
    """Everybody, by phase."""
    events_waiting: int
    """Accepted and not applied yet, also those to be tried again later; counted up to MOST_COUNTED."""
    events_parked: int
    """Could not be applied several times over; counted up to MOST_COUNTED."""
    records_unmatched: int
    """Belong to nobody yet; counted up to MOST_COUNTED."""


def read_figures(session: Session) -> Figures:
    """Look once."""
    return Figures(
        jobs=_outstanding_jobs(session),
        people=_people(session),
        events_waiting=_count(session, _events(EventState.ACCEPTED)),
        events_parked=events_parked(session),
        records_unmatched=records_unmatched(session),
    )


def events_parked(session: Session) -> int:
    """Return how many events are parked, counted up to MOST_COUNTED."""
    return _count(session, _events(EventState.PARKED))


def oldest_parked(session: Session, at_most: int) -> list[int]:
    """Return the ids of the first events that are parked."""
    return list(session.scalars(_events(EventState.PARKED).order_by(EventRow.id).limit(at_most)))


def records_unmatched(session: Session) -> int:
    """Return how many records belong to nobody yet, counted up to MOST_COUNTED."""
    return _count(session, select(RecordRow.person_id).where(RecordRow.person_id.is_(None)))


def _outstanding_jobs(session: Session) -> dict[str, int]:
    rows = session.execute(
        select(JobRow.state, func.count()).where(JobRow.state.in_(OUTSTANDING)).group_by(JobRow.state),
    )
    return {state.value: number for state, number in rows}


def _people(session: Session) -> dict[str, int]:
    rows = session.execute(select(PersonRow.phase, func.count()).group_by(PersonRow.phase))
    return {phase or "unknown": number for phase, number in rows}


def _events(state: EventState) -> Select[int]:
    return select(EventRow.id).where(is_in(EventRow.state, state))


def _count(session: Session, found: Select[int] | Select[int | None]) -> int:
    return session.scalar(select(func.count()).select_from(found.limit(MOST_COUNTED).subquery())) or 0
