"""Forgetting: removing everything personal of one person from every table, so that only keys and times are left."""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, cast, delete, false, or_, select, tuple_, update
from sqlalchemy.orm import Session

from worker.planning.step import Operation
from worker.store import deliveries, erased, hints, quarantines
from worker.store.states import EVENT_MOVES, EventState, StepState, move
from worker.store.tables import (
    AbsenceRow,
    AddressRow,
    AttemptRow,
    AuditRow,
    DriftRow,
    EventRow,
    JobRow,
    MembershipRow,
    MergeRow,
    PersonRow,
    RecordRow,
    StepRow,
)

ERASED = "this person was erased"
PHASE = "erased"
_GONE = "(erased)"
_SETTLED = (StepState.CONFIRMED, StepState.REFUSED, StepState.SUPERSEDED)
_FORWARDINGS = (Operation.CREATE_FORWARDING, Operation.DELETE_FORWARDING)
_NAMELESS = "refused"
"""The source under which refused bodies are kept whose sender gave no usable name of one."""


def lock_records(session: Session, person_id: int) -> None:
    """Lock a person's records, before the person, as everywhere."""
    mine = select(RecordRow).where(RecordRow.person_id == person_id)
    session.scalars(mine.order_by(RecordRow.source, RecordRow.subject).with_for_update()).all()


def forget_person(session: Session, person: PersonRow, until: datetime, now: datetime) -> None:
    """Erase a person: irreversible. The caller holds the locks of linking, of the records, the person and the job.

    What stays: that there was somebody, types, times and ids of events, which calls were made when and how they ended,
    and keyed hashes.
    """
    subjects = _forget_records(session, person, until)
    _forget_events(session, person.id, subjects)
    hints.forget(session, subjects)
    quarantines.forget(session, person.id, _held_by(session, person.id))
    _forget_addresses(session, person.id, until, now)
    _forget_jobs(session, person.id)
    session.execute(delete(MembershipRow).where(MembershipRow.person_id == person.id))
    _forget_acts(session, person.id)
    session.execute(delete(DriftRow).where(DriftRow.person_id == person.id))
    _forget_merges(session, person.id, now)
    person.name, person.phase, person.erased_at = "", PHASE, now
    person.employee_number = person.work_email = person.wanted_hash = person.next_step = None
    person.manager_source = person.manager_subject = person.takeover_address = None
    person.next_change_at = person.line_due_at = person.irreversible_at = None
    session.flush()


def forget_event(session: Session, row: EventRow) -> None:
    """Keep of an event its type, times and ids. Whatever comes under its key again is taken for a repetition."""
    if row.subject is not None:
        deliveries.forget_event(session, row.source, row.subject, row.id)
    row.document, row.digest, row.subject = {}, "", None


def forget_elsewhere(session: Session, person_id: int) -> None:
    """Take a person's addresses and names out of what was written down of others: lists, forwardings, texts.

    A text is an autoreply that told whom to write to, or the name on a mailbox that was theirs until people were told
    apart. Reads through all calls and jobs, because nothing says where an address once stood; so it is done ahead, in a
    transaction of its own that nobody waits for. Idempotent.
    """
    held, names = _held_by(session, person_id), _names_of(session, person_id)
    if not (told := [*held, *names]):
        return
    theirs = re.compile(rf"(?<![\w.+-])(?:{'|'.join(map(re.escape, told))})(?!\w)")
    mentioned = or_(_mentions(StepRow.before, told), _mentions(StepRow.after, told))
    forwarded = and_(StepRow.operation.in_(_FORWARDINGS), StepRow.target.in_(held))
    for step in session.scalars(select(StepRow).where(StepRow.state.in_(_SETTLED), or_(mentioned, forwarded))):
        step.before, step.after, step.hash = _without(step.before, theirs), _without(step.after, theirs), ""
        if step.operation in _FORWARDINGS and step.target in held:
            step.target = erased.hashed(session, erased.of_address(step.target))
    for job in session.scalars(select(JobRow).where(or_(_mentions(JobRow.plan, told), _mentions(JobRow.reason, held)))):
        if job.plan and (plan := [_without(step, theirs) for step in job.plan]) != job.plan:
            job.plan, job.plan_hash = plan, None
        if job.reason and any(each in job.reason for each in held):
            job.reason = _GONE
    found = or_(*(_mentions(column, told) for column in (DriftRow.wanted, DriftRow.found, DriftRow.written)))
    session.execute(delete(DriftRow).where(or_(found, DriftRow.address.in_(held), DriftRow.mailbox.in_(held))))
    session.execute(update(AttemptRow).where(_mentions(AttemptRow.excerpt, held)).values(excerpt=None))
    session.flush()


def _held_by(session: Session, person_id: int) -> list[str]:
    return [*session.scalars(select(AddressRow.address).where(AddressRow.person_id == person_id).distinct())]


def _names_of(session: Session, person_id: int) -> list[str]:
    """Return the names that a person has, and had on a mailbox of theirs."""
    mine = select(StepRow).join(JobRow, JobRow.id == StepRow.job_id).where(JobRow.person_id == person_id)
    written = [fields.get("name") for step in session.scalars(mine) for fields in (step.before, step.after)]
    names = {session.get_one(PersonRow, person_id).name, *written}
    return sorted(name for name in names if isinstance(name, str) and name and name != _GONE)


def _forget_records(session: Session, person: PersonRow, until: datetime) -> list[tuple[str, str]]:
    rows = session.scalars(select(RecordRow).where(RecordRow.person_id == person.id)).all()
    subjects = [(row.source, row.subject) for row in rows]
    for source, subject in {*subjects, ("operator", str(person.id))}:
        erased.remember(session, erased.of_record(source, subject), until)
    for number in {person.employee_number, *(row.employee_number for row in rows)} - {None}:
        erased.remember(session, erased.of_number(str(number)), until)
    session.execute(delete(RecordRow).where(RecordRow.person_id == person.id))
    session.execute(delete(AbsenceRow).where(tuple_(AbsenceRow.source, AbsenceRow.subject).in_(subjects)))
    return subjects


def _forget_events(session: Session, person_id: int, subjects: Sequence[tuple[str, str]]) -> None:
    """Those that wait to be applied are left to whoever applies them, who finds that the person was erased."""
    deliveries.forget_subjects(session, subjects)
    kept_apart = [(_NAMELESS, subject) for _, subject in subjects]
    mine = or_(EventRow.person_id == person_id, tuple_(EventRow.source, EventRow.subject).in_([*subjects, *kept_apart]))
    for row in session.scalars(select(EventRow).where(mine, EventRow.state != EventState.ACCEPTED)):
        if row.state in (EventState.PARKED, EventState.DISMISSED):
            row.state, row.reason = move(EVENT_MOVES, row.state, EventState.APPLIED), ERASED
        forget_event(session, row)


def _forget_addresses(session: Session, person_id: int, until: datetime, now: datetime) -> None:
    for row in session.scalars(select(AddressRow).where(AddressRow.person_id == person_id)).all():
        received_mail = row.job_id is not None
        released = (row.held_to or now) if received_mail else None
        erased.remember(session, erased.of_address(row.address), until, released)
    session.execute(delete(AddressRow).where(AddressRow.person_id == person_id))


def _forget_jobs(session: Session, person_id: int) -> None:
    jobs = select(JobRow.id).where(JobRow.person_id == person_id)
    for step in session.scalars(select(StepRow).where(StepRow.job_id.in_(jobs))):
        # Not one word for all: brakes count the different targets of the last hours.
        step.target = erased.hashed(session, erased.of_address(step.target))
        step.before, step.after, step.hash, step.mailbox, step.reason = {}, {}, "", None, None
    session.execute(update(AttemptRow).where(AttemptRow.job_id.in_(jobs)).values(excerpt=None))
    for job in session.scalars(select(JobRow).where(JobRow.person_id == person_id)):
        job.plan = job.plan_hash = job.braked_hash = job.approved_hash = job.reason = None


def _forget_acts(session: Session, person_id: int) -> None:
    """Keep of what operators did about a person that they did it, also where it is written down of another."""
    parted = and_(AuditRow.act == "people.split", AuditRow.target.in_(_parted_from(session, person_id)))
    for act in session.scalars(select(AuditRow).where(or_(AuditRow.target == f"person {person_id}", parted))):
        if act.target == f"person {person_id}" or act.detail.get("other") == person_id:
            act.detail = {name: value for name, value in act.detail.items() if isinstance(value, int)}


def _parted_from(session: Session, person_id: int) -> list[str]:
    return [
        f"person {each}" for each in session.scalars(select(MergeRow.person_id).where(MergeRow.other_id == person_id))
    ]


def _forget_merges(session: Session, person_id: int, now: datetime) -> None:
    """What operators decided about whose records are whose names them, and there is nothing left to take back."""
    for row in session.scalars(
        select(MergeRow).where(or_(MergeRow.person_id == person_id, MergeRow.other_id == person_id))
    ):
        row.former, row.undone_at = {"moved": [], "addresses": [], "added": []}, row.undone_at or now


def _mentions(column: Any, told: Iterable[str]) -> ColumnElement[bool]:
    # As JSON has it: a letter beyond ASCII is written as its number. Of plain text the addresses alone are asked for.
    return or_(false(), *(cast(column, Text).contains(json.dumps(each)[1:-1], autoescape=True) for each in told))


def _without(document: Any, theirs: re.Pattern[str]) -> Any:
    if isinstance(document, dict):
        return {name: _without(value, theirs) for name, value in document.items()}
    if isinstance(document, list):
        return [_without(value, theirs) for value in document]
    return theirs.sub(_GONE, document) if isinstance(document, str) else document
