"""Undo: an operator's statement that restores the former facts, so that the next evaluation agrees with it.

What was heard stays. A job that came of events is undone by what held without them, folded anew from the stored events;
one that came of a date by taking the departure back, or the joining. From there everything goes its usual way: people
are evaluated, jobs are made, brakes count.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.events import EventInvalid, EventType, event_document, parse_event
from worker.events.canonical import Event
from worker.execution.verbs import NoSuchEvent, NoSuchJob, NotAllowedNow
from worker.intake import Intake
from worker.intake.accept import insert_of_operator
from worker.planning.step import Operation
from worker.roster import WITHDRAWN, EmploymentKind, NoWayBack, Person, Restoring, profile, spoken, way_back
from worker.roster.employment import Employment
from worker.store import addresses, audit, events, jobs, people, undos
from worker.store.database import Session
from worker.store.refolding import folded, told_of
from worker.store.states import EventState
from worker.store.subjects import SubjectKind
from worker.store.tables import EventRow, JobRow

_MOMENT = timedelta(microseconds=1)
_A_DAY = timedelta(days=1)
_NEW_ADDRESS = frozenset({"givenName", "familyName", "middleName", "nickName", "displayName", "workEmail"})
_EMPLOYMENT = frozenset(
    {EventType.JOINED, EventType.JOINING_CANCELLED, EventType.LEFT, EventType.LEAVING_CANCELLED, EventType.PURGED}
)
_SUSPENSION = frozenset({EventType.SUSPENDED, EventType.RESUMED})
_WITHOUT_JOB: Mapping[EventState, str] = {
    EventState.ACCEPTED: "nothing came of it yet",
    EventState.APPLIED: "no job came of it, so there is nothing to undo",
    EventState.REJECTED: "it was never applied, so there is nothing to undo",
    EventState.PARKED: "it was never applied; `mailroster events dismiss` gives it up",
    EventState.DISMISSED: "it was never applied; `mailroster events retry` has it applied after all",
}


@dataclass(frozen=True, slots=True)
class Undone:
    """What an operator's undoing said."""

    person_id: int
    causes: tuple[int, ...]
    """The events that no longer count; empty where a date was the cause."""
    events: tuple[int, ...]
    """The operator's statements, in the order in which they count."""
    types: tuple[EventType, ...]
    """What these are."""


def undo(intake: Intake, job_id: int, actor: str) -> Undone:
    """Restore what held before a job, by statements that are newer than all. One transaction, and the bell after it.

    Refused, and nothing changed, where there is nothing to undo: what was taken for good, a job about a domain or of
    many people, one that was undone already, one after which somebody said something newer of the same. Raises
    NoSuchJob, NotAllowedNow.
    """
    now = intake.clock.now()
    with intake.database.write() as session:
        seen = jobs.get(session, job_id)
        if seen is None:
            raise NoSuchJob(f"there is no job {job_id}")
        person_id = _whose(session, seen)
        if people.lock(session, person_id).erased_at is not None:  # before the job's row, as everywhere
            raise NotAllowedNow(f"person {person_id} was erased: there is nothing left to undo")
        job = jobs.get(session, job_id, lock=True)
        assert job is not None, "no job is ever deleted"
        undone = _undo(session, intake, job, person_id, now)
        listed = ", ".join(map(str, undone.events))
        audit.record(session, actor, "job.undo", f"job {job_id}", {"events": listed}, now)
    for _ in undone.events:
        intake.bell.ring_apply()
    return undone


def undo_event(intake: Intake, event_id: int, actor: str) -> Undone:
    """Undo the job that came of an event, with whatever else that job came of. As ``undo``; raises NoSuchEvent too."""
    with intake.database.read() as session:
        row = events.get(session, event_id)
        if row is None:
            raise NoSuchEvent(f"there is no event {event_id}")
        job = job_of_event(session, row)
        if job is None:
            raise NotAllowedNow(f"event {event_id} is {row.state.value}: {_WITHOUT_JOB[row.state]}")
    return undo(intake, job.id, actor)


def job_of_event(session: Session, row: EventRow) -> JobRow | None:
    """Return the job that came of an event, a person's own before one of a shared address; None where none did."""
    if row.state is not EventState.APPLIED or row.person_id is None or row.applied_at is None:
        return None
    own = jobs.first_behind_event(session, row.person_id, row.id)
    if own is not None and row.id in _causes(session, own, row.person_id):
        return own
    return jobs.newest_by_event(session, row.id, since=row.applied_at)


def _whose(session: Session, job: JobRow) -> int:
    """Return whose statements a job came of. Raises NotAllowedNow where it came of nobody's, or of many people's."""
    if job.subject_kind == SubjectKind.PERSON and job.person_id is not None:
        return job.person_id
    if job.subject_kind == SubjectKind.DOMAIN:
        raise NotAllowedNow(f"job {job.id} only read the domain {job.subject_key}: there is nothing to undo")
    told = events.get(session, job.event_id) if job.event_id is not None else None
    if told is None or told.person_id is None:
        raise NotAllowedNow(f"job {job.id} writes a shared address: undo the job of the person that it came of")
    own = jobs.of_person_and_event(session, told.person_id, told.id)
    if own is not None:
        raise NotAllowedNow(f"job {job.id} writes a shared address: undo job {own.id}, the person's own")
    return told.person_id  # whoever moved between groups has no other job


def _undo(session: Session, intake: Intake, job: JobRow, person_id: int, now: datetime) -> Undone:
    if (by := undos.undone_by(session, job.id)) is not None:
        raise NotAllowedNow(f"job {job.id} is undone already, by event {by}")
    if (taker := undos.taken_since(session, job)) is not None:
        raise NotAllowedNow(f"the mailbox was deleted by job {taker}: what was in it cannot be given back")
    rows = told_of(session, person_id)
    causes = _causes(session, job, person_id)
    known = folded(person_id, rows)
    restoring = _after_a_date(session, intake, job, known)
    if causes:
        restoring = _restoring(intake, rows, known, causes)
    if not restoring:
        raise NotAllowedNow(f"job {job.id} changed nothing that is still so: there is nothing to undo")
    receipts = _state(session, job.id, person_id, restoring, rows, now)
    if any(_NEW_ADDRESS & each.names for each in restoring):
        given = {row.id for row in addresses.of_person(session, person_id) if row.held_from >= job.created_at}
        addresses.withdraw(session, person_id, given, now)
        people.want_anew(session, [person_id])
    undos.note(session, job.id, receipts[0], now)
    return Undone(person_id, tuple(causes), tuple(receipts), tuple(each.type for each in restoring))


def _causes(session: Session, job: JobRow, person_id: int) -> list[int]:
    """Return the events that a job came of: those heard while it was outstanding, the newest of them its own."""
    if job.event_id is None:
        return []
    if job.person_id is None:
        return [job.event_id]
    behind = jobs.newest_event_before(session, job)
    heard = [
        row.id
        for row in events.of_person(session, person_id)
        if behind < row.id < job.event_id and row.applied_at is not None and row.applied_at >= job.created_at
    ]
    return sorted({*heard, job.event_id})


def _after_a_date(session: Session, intake: Intake, job: JobRow, known: Person) -> tuple[Restoring, ...]:
    """Return what takes back what a date brought. Raises NotAllowedNow where none did."""
    if job.event_id is not None:
        return ()
    employment = profile(known, intake.precedence).employment
    brought = undos.newly_done(session, [job])[job.id]
    if employment is not None and employment.kind is EmploymentKind.LEFT and brought & undos.DEPARTURE:
        return (Restoring(EventType.LEAVING_CANCELLED),)
    if employment is not None and _was_announced(employment) and Operation.CREATE_MAILBOX in brought:
        return (Restoring(EventType.JOINING_CANCELLED),)
    raise NotAllowedNow(
        f"job {job.id} came of the policy or the mail host and not of anything said of a person: undo it there"
    )


def _was_announced(employment: Employment) -> bool:
    """Tell whether somebody joined on a day that was to come when it was said, wherever the day begins."""
    if employment.kind is not EmploymentKind.JOINED or employment.hire_date is None:
        return False
    return employment.hire_date >= employment.known_since.date() - _A_DAY


def _restoring(
    intake: Intake, rows: Sequence[EventRow], known: Person, causes: Collection[int]
) -> tuple[Restoring, ...]:
    before = folded(int(known.key), rows, without=causes)
    if (newer := _newer(intake, rows, known, before, causes)) is not None:
        raise NotAllowedNow(
            f"event {newer.id} ({newer.type} by {newer.source}) says something newer of the same: undo that first"
        )
    try:
        return way_back(known, before, intake.precedence)
    except NoWayBack as error:
        raise NotAllowedNow(str(error)) from error


def _newer(
    intake: Intake, rows: Sequence[EventRow], known: Person, before: Person, causes: Collection[int]
) -> EventRow | None:
    """Return the newest other event that took the place of what one of the causes said; None if none did."""
    told = {row.id: parse_event(row.document, now=row.received_at) for row in rows}
    since = [told[each] for each in causes if each in told]
    spoken_now, spoken_before = spoken(known, intake.precedence), spoken(before, intake.precedence)
    superseded = {
        name
        for event in since
        for name in event.facts.keys() - {WITHDRAWN}
        if spoken_now.get(name) == spoken_before.get(name)
    }
    later = [
        row
        for row in rows
        if row.id not in causes
        for event in since
        if (told[row.id].time, row.id) > (event.time, max(causes)) and _same(told[row.id], event, superseded)
    ]
    return max(later, key=lambda row: (told[row.id].time, row.id), default=None)


def _same(newer: Event, event: Event, superseded: Collection[str]) -> bool:
    """Tell whether two events speak of the same thing."""
    if any(newer.type in kind and event.type in kind for kind in (_EMPLOYMENT, _SUSPENSION)):
        return True
    return bool(superseded & newer.facts.keys() & event.facts.keys())


def _state(
    session: Session,
    job_id: int,
    person_id: int,
    restoring: Sequence[Restoring],
    rows: Sequence[EventRow],
    now: datetime,
) -> list[int]:
    """Put the statements into the inbox, each newer than everything that was said. Raises NotAllowedNow."""
    newest = max((parse_event(row.document, now=row.received_at).time for row in rows), default=now)
    begin = max(now, newest + _MOMENT)
    documents = [
        event_document(
            Event(
                id=f"undo-{job_id}-{number}",
                source="urn:mailroster:operator",
                type=each.type,
                subject=str(person_id),
                time=begin + number * _MOMENT,
                facts=each.told,
                immediate=each.immediate,
            )
        )
        for number, each in enumerate(restoring)
    ]
    try:
        return [receipt.id for receipt in insert_of_operator(session, documents, now)]
    except EventInvalid as error:
        raise NotAllowedNow(f"what held before job {job_id} cannot be stated: {error}") from error
