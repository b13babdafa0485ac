"""What was undone, and until when a job can be: told from columns alone, for lists of any length."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from worker.events import EventType
from worker.planning.step import Operation
from worker.store.states import EventState, StepState
from worker.store.subjects import LISTS
from worker.store.tables import EventRow, JobRow, PersonRow, StepRow, UndoRow

IRREVERSIBLE = (Operation.DELETE_MAILBOX, Operation.RELEASE_ADDRESS)
"""What takes something that nobody can give back."""
DEPARTURE = frozenset({Operation.BLOCK_MAILBOX, Operation.SET_AUTOREPLY, Operation.CREATE_FORWARDING})
"""What the date of a departure brings, as long as it can be undone."""
_DEPARTING = ("leaving", "left")
_EMPLOYMENT = (EventType.JOINED, EventType.JOINING_CANCELLED, EventType.LEFT, EventType.LEAVING_CANCELLED)


@dataclass(frozen=True, slots=True)
class WayBack:
    """Whether a job can be undone, as far as it tells itself; newer statements may still stand in the way."""

    is_open: bool
    until: datetime | None
    """From then on it cannot be undone; None where no such instant is known."""
    undone_by: int | None
    """The event by which an operator undid it."""


class _Road(NamedTuple):
    """How a person stands."""

    ends_at: datetime | None
    phase: str


def ways_back(session: Session, rows: Sequence[JobRow]) -> Mapping[int, WayBack]:
    """Return the way back of each of these jobs, by its id."""
    undone, by_list = _undone(session, [row.id for row in rows]), _undone_by_list(session, rows)
    people = sorted({row.person_id for row in rows if row.person_id is not None})
    taken, roads, news = _last_taking(session, people), _roads(session, people), newly_done(session, rows)
    return {
        row.id: _way_back_of_list(row, undone.get(row.id), by_list)
        if row.person_id is None
        else _way_back(row, undone.get(row.id), taken.get(row.person_id, 0), roads[row.person_id], news.get(row.id))
        for row in rows
    }


def undone_by(session: Session, job_id: int) -> int | None:
    """Return the event by which an operator undid a job; None if nobody did."""
    return _undone(session, [job_id]).get(job_id)


def taken_since(session: Session, row: JobRow) -> int | None:
    """Return the job that took for good what this one's person had: this one, or one after it. None if none did."""
    last = _last_taking(session, [row.person_id] if row.person_id is not None else []).get(row.person_id or 0)
    return last if last is not None and last >= row.id else None


def newly_done(session: Session, rows: Sequence[JobRow]) -> Mapping[int, frozenset[str]]:
    """Return of each job that no event asked for what it did, or would do, as the first since employment was stated.

    What an earlier job had done since then was not brought by a date: it is a repair.
    """
    due = [row for row in rows if row.event_id is None and row.person_id is not None]
    before = _first_doing(session, sorted({row.person_id for row in due if row.person_id is not None}))
    doing = {row.id: {step["operation"] for step in row.plan or ()} for row in due}
    for job_id, operation in session.execute(
        select(StepRow.job_id, StepRow.operation).where(StepRow.job_id.in_(list(doing)))
    ):
        doing[job_id].add(operation)
    return {
        row.id: frozenset(each for each in doing[row.id] if before.get((row.person_id, each), row.id) >= row.id)
        for row in due
    }


def note(session: Session, job_id: int, event_id: int, now: datetime) -> None:
    """Note that a job was undone by an operator's statement."""
    session.add(UndoRow(job_id=job_id, event_id=event_id, at=now))
    session.flush()


def _way_back(
    row: JobRow, undone: int | None, taken_by: int, road: _Road, newly_done: Collection[str] | None
) -> WayBack:
    told = newly_done is None or _came_of_a_date(newly_done, road)
    is_open = undone is None and taken_by < row.id and told
    return WayBack(is_open, road.ends_at if is_open else None, undone)


def _came_of_a_date(newly_done: Collection[str], road: _Road) -> bool:
    """Tell whether a job that nothing said asked for was due: any other came of the policy or the mail host."""
    if road.phase in _DEPARTING:
        return not DEPARTURE.isdisjoint(newly_done)
    return Operation.CREATE_MAILBOX in newly_done and road.phase != "cancelled"


def _way_back_of_list(row: JobRow, undone: int | None, by_list: Collection[int]) -> WayBack:
    """What somebody moves between can be had back at any time; a deletion of their mailbox takes nothing of that."""
    return WayBack(is_open=undone is None and row.event_id in by_list, until=None, undone_by=undone)


def _undone_by_list(session: Session, rows: Sequence[JobRow]) -> frozenset[int]:
    """Return of what people told behind jobs of lists whatever gave its person no job of their own.

    That is undone by the job of the list, and anything else by the person's own.
    """
    of_lists = [row.event_id for row in rows if row.subject_kind in LISTS and row.event_id is not None]
    if not of_lists:
        return frozenset()
    own = exists().where(JobRow.person_id == EventRow.person_id, JobRow.event_id == EventRow.id)
    told = select(EventRow.id).join(PersonRow, PersonRow.id == EventRow.person_id)
    return frozenset(session.scalars(told.where(EventRow.id.in_(of_lists), PersonRow.erased_at.is_(None), ~own)))


def _undone(session: Session, job_ids: Sequence[int]) -> dict[int, int]:
    rows = session.execute(select(UndoRow.job_id, UndoRow.event_id).where(UndoRow.job_id.in_(job_ids)))
    return {job_id: event_id for job_id, event_id in rows}  # noqa: C416 - a Row is no tuple[int, int] to mypy


def _last_taking(session: Session, person_ids: Sequence[int]) -> dict[int, int]:
    """Return of each person the last job that took something for good; of who was erased, the last there is."""
    rows = session.execute(
        select(JobRow.person_id, func.max(JobRow.id))
        .join(StepRow, StepRow.job_id == JobRow.id)
        .where(
            JobRow.person_id.in_(person_ids),
            StepRow.operation.in_(IRREVERSIBLE),
            StepRow.state == StepState.CONFIRMED,
        )
        .group_by(JobRow.person_id),
    )
    erased = session.execute(
        select(JobRow.person_id, func.max(JobRow.id))
        .join(PersonRow, PersonRow.id == JobRow.person_id)
        .where(JobRow.person_id.in_(person_ids), PersonRow.erased_at.is_not(None))
        .group_by(JobRow.person_id),
    )
    return {person_id: job_id for person_id, job_id in (*rows, *erased) if person_id is not None}


def _first_doing(session: Session, person_ids: Sequence[int]) -> Mapping[tuple[int | None, str], int]:
    """Return by whom and what the first job that did it since the last word on whether somebody works here."""
    stated = (
        select(EventRow.person_id, func.max(EventRow.received_at).label("at"))
        .where(
            EventRow.person_id.in_(person_ids),
            EventRow.type.in_(_EMPLOYMENT),
            EventRow.state == EventState.APPLIED,
        )
        .group_by(EventRow.person_id)
        .subquery()
    )
    rows = session.execute(
        select(JobRow.person_id, StepRow.operation, func.min(JobRow.id))
        .join(StepRow, StepRow.job_id == JobRow.id)
        .join(stated, stated.c.person_id == JobRow.person_id)
        .where(StepRow.state == StepState.CONFIRMED, StepRow.settled_at >= stated.c.at)
        .group_by(JobRow.person_id, StepRow.operation)
    )
    return {(person_id, operation): job_id for person_id, operation, job_id in rows}


def _roads(session: Session, person_ids: Sequence[int]) -> dict[int, _Road]:
    columns = select(PersonRow.id, PersonRow.irreversible_at, PersonRow.phase)
    rows = session.execute(columns.where(PersonRow.id.in_(person_ids)))
    return {person_id: _Road(ends_at, phase) for person_id, ends_at, phase in rows}
