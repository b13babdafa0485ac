"""Queries over quarantines: objects at the mail host that keep failing, while the rest of their jobs goes on.

A job's rows are written by whoever holds its lane, or by an operator who holds its row.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.orm import Session

from worker.mail import Address, counted
from worker.planning.order import CLOSINGS, HostObject
from worker.planning.step import Operation, Step
from worker.store.tables import JobRow, QuarantineRow

FAILURES = 3
"""So many in a row, each read back as not applied, before an object is left alone."""


def count_failure(
    session: Session, job_id: int, step: Step, pause: Callable[[int], timedelta], now: datetime
) -> datetime | None:
    """Count that the host answered a write with 500. Returns until when the object is left alone, None if it is not.

    To be kept out is asked for anew: what failed before for another reason does not count against it.
    """
    row = session.scalars(select(QuarantineRow).where(_is(job_id, HostObject.of(step)))).one_or_none()
    if row is None or _is_new_closing(row, step):
        if row is None:
            row = QuarantineRow(job_id=job_id, **_columns(HostObject.of(step)))
            session.add(row)
        row.failures, row.since = 0, now
    row.operation, row.failures = step.operation, row.failures + 1
    row.until = now + pause(row.failures) if row.failures >= FAILURES else None
    session.flush()
    return row.until


def of_job(session: Session, job_id: int) -> list[QuarantineRow]:
    """Return what fails in a job, also what is not left alone yet."""
    return list(
        session.scalars(select(QuarantineRow).where(QuarantineRow.job_id == job_id).order_by(QuarantineRow.id)),
    )


def failing(session: Session, job_id: int) -> frozenset[HostObject]:
    """Return the objects that fail in a job, however often."""
    return frozenset(map(object_of, of_job(session, job_id)))


def is_left_alone(rows: Sequence[QuarantineRow], step: Step, now: datetime) -> bool:
    """Tell whether a step is not to be made now."""
    mine = next((row for row in rows if object_of(row).is_of(step)), None)
    return mine is not None and mine.until is not None and mine.until > now and not _is_new_closing(mine, step)


def object_of(row: QuarantineRow) -> HostObject:
    """Return the object that fails."""
    return HostObject(row.noun, Address(row.target), Address(row.mailbox) if row.mailbox else None)


def why_left_alone(row: QuarantineRow) -> str:
    """Say what is left alone, until when, and why."""
    return f"{object_of(row)} is left alone until {row.until:%Y-%m-%d %H:%M} UTC: {what_failed(row)}"


def what_failed(row: QuarantineRow) -> str:
    """Say what fails, how often in a row and since when."""
    times = counted(row.failures, "time")
    return f"the mail host answered 500 to {row.operation} {times} since {row.since:%Y-%m-%d %H:%M} UTC"


def end(session: Session, job_id: int, step: Step) -> None:
    """Forget the failures of an object that was written, or is gone as it should be."""
    session.execute(delete(QuarantineRow).where(_is(job_id, HostObject.of(step))))


def keep_only(session: Session, job_id: int, steps: Collection[Step]) -> list[QuarantineRow]:
    """Forget the failures of objects of which nothing is wanted any more. Returns those of the others."""
    wanted, kept = {HostObject.of(step) for step in steps}, []
    for row in of_job(session, job_id):
        if object_of(row) in wanted:
            kept.append(row)
        else:
            session.delete(row)
    return kept


def end_of_job(session: Session, job_id: int) -> None:
    """Forget the failures of a job that is over."""
    session.execute(delete(QuarantineRow).where(QuarantineRow.job_id == job_id))


def try_now(session: Session, job_id: int, now: datetime) -> None:
    """Let the objects that a job leaves alone be tried now."""
    session.execute(
        update(QuarantineRow).where(QuarantineRow.job_id == job_id, QuarantineRow.until > now).values(until=now)
    )


def forget(session: Session, person_id: int, addresses: Collection[str]) -> None:
    """Forget what was counted in a person's jobs, and of objects that have or name one of these addresses."""
    theirs = select(JobRow.id).where(JobRow.person_id == person_id)
    named = or_(QuarantineRow.target.in_(addresses), QuarantineRow.mailbox.in_(addresses))
    session.execute(delete(QuarantineRow).where(or_(QuarantineRow.job_id.in_(theirs), named)))


def left_alone(session: Session, *, at_most: int) -> list[QuarantineRow]:
    """Return the objects that have failed so often that they are left alone, the oldest first."""
    shown = select(QuarantineRow).where(QuarantineRow.until.is_not(None)).order_by(QuarantineRow.id)
    return list(session.scalars(shown.limit(at_most)))


def _is_new_closing(row: QuarantineRow, step: Step) -> bool:
    return step.operation in CLOSINGS and Operation(row.operation) not in CLOSINGS


def _is(job_id: int, found: HostObject) -> ColumnElement[bool]:
    columns = _columns(found)
    return and_(
        QuarantineRow.job_id == job_id, *(getattr(QuarantineRow, name) == value for name, value in columns.items())
    )


def _columns(found: HostObject) -> dict[str, str]:
    return {"noun": found.noun, "target": found.target, "mailbox": found.mailbox or ""}
