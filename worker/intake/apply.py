"""Apply: one short transaction that folds one event into its person, or looks again at one person who is due.

Locks are taken in a fixed order (event, record, person, addresses, jobs): two workers never wait for each other.
"""

from datetime import datetime, timedelta

import structlog

from worker.events import parse_event
from worker.intake.context import OPERATOR, Intake
from worker.intake.evaluate import evaluate
from worker.roster import Ambiguous, Linked, NewPerson, Record, Unmatched, fold, link
from worker.store import events, people
from worker.store.database import DatabaseBusy, Session
from worker.store.people import stated_text
from worker.store.policies import active_policy
from worker.store.tables import EventRow

_log = structlog.get_logger(__name__)

MOST_FAILURES = 5
"""After so many failed applications an event is parked."""
_PAUSE_AFTER_FAILURE = timedelta(seconds=30)
_MOMENT = timedelta(seconds=1)
_PAUSE_OF_A_PERSON = timedelta(hours=1)


class _Failed(Exception):
    def __init__(self, event_id: int | None, person_id: int | None) -> None:
        self.event_id, self.person_id = event_id, person_id


def apply_next(intake: Intake) -> bool:
    """Apply the oldest accepted event, else evaluate one person who is due. Returns whether there was something.

    An event that cannot be applied counts its failures and is parked after five; it never stops the others.
    """
    now = intake.clock.now()
    try:
        with intake.database.write() as session:
            jobs = _apply_one(session, intake, now)
    except _Failed as failed:
        _record_failure(intake, failed, now)
        return True
    if jobs is None:
        return False
    for _ in range(jobs):
        intake.bell.ring_run()
    return True


def _apply_one(session: Session, intake: Intake, now: datetime) -> int | None:
    if (row := events.claim_accepted(session, now)) is not None:
        event_id = row.id  # a failed flush takes the row's attributes away
        try:
            return _apply_event(session, intake, row, now)
        except Exception as error:
            raise _Failed(event_id, None) from error
    policy = active_policy(session)
    person = people.claim_due(session, now, policy[0]) if policy else None
    if person is None:
        return None
    person_id = person.id
    try:
        return evaluate(session, intake, person_id, None)
    except Exception as error:
        raise _Failed(None, person_id) from error


def _record_failure(intake: Intake, failed: _Failed, now: datetime) -> None:
    error = failed.__cause__
    with intake.database.write() as session:
        if isinstance(error, DatabaseBusy):
            _log.info("the database was busy; trying again", error=type(error).__name__)
            _try_again(session, failed, now)
        elif failed.person_id is not None:
            _log.error("person could not be evaluated", person=failed.person_id, exc_info=error)
            _leave_alone(session, failed.person_id, now)
        elif failed.event_id is not None and (row := events.get(session, failed.event_id)) is not None:
            final = row.failures + 1 >= MOST_FAILURES
            _log.warning("event could not be applied", event_id=row.id, final=final, exc_info=error)
            pause = _PAUSE_AFTER_FAILURE * 2**row.failures
            reason = f"could not be applied: {type(error).__name__}"
            events.count_failure(session, row.id, reason=reason, retry_at=None if final else now + pause)


def _try_again(session: Session, failed: _Failed, now: datetime) -> None:
    """Come back a moment later, with nothing counted: the next try finds what the other worker made."""
    if failed.event_id is not None and (row := events.get(session, failed.event_id)) is not None:
        row.retry_at = now + _MOMENT
    if failed.person_id is not None:
        people.lock(session, failed.person_id).next_change_at = now + _MOMENT


def _leave_alone(session: Session, person_id: int, now: datetime) -> None:
    """Let others go first: also where another policy made this person due, which by itself would stay so."""
    person, policy = people.lock(session, person_id), active_policy(session)
    person.next_change_at = now + _PAUSE_OF_A_PERSON
    person.policy_hash = policy[0] if policy else ""


def _apply_event(session: Session, intake: Intake, row: EventRow, now: datetime) -> int:
    event = parse_event(row.document, now=row.received_at)
    known = people.load_record(session, row.source, event.subject)
    if known is None or known[1] is None:
        people.lock_linking(session)
        known = people.load_record(session, row.source, event.subject)
    record, person_id = known or (Record(row.source, event.subject), None)
    record = fold(record, event, row.received_at)
    why = None
    if person_id is None:
        person_id, why = _link(session, intake, record, now)
    people.save_record(session, record, person_id=person_id, now=now, why_unmatched=why)
    events.set_applied(row, person_id, now, why)
    if person_id is None:
        return 0
    events.attach(session, record.source, record.subject, person_id)
    return evaluate(session, intake, person_id, row.id) + _link_waiting(session, intake, person_id, now)


def _link(session: Session, intake: Intake, record: Record, now: datetime) -> tuple[int | None, str | None]:
    if record.source == OPERATOR:
        return int(record.subject), None
    number, work_email = stated_text(record, "employeeNumber"), stated_text(record, "workEmail")
    by_email = people.holding_work_email(session, work_email) if work_email else []
    found = link(
        record,
        by_employee_number=people.holding_employee_number(session, number) if number else [],
        by_work_email=by_email,
        numbered=people.with_employee_number(session, by_email),
        creates=record.source in intake.creators,
    )
    match found:
        case Linked(person_key):
            return int(person_key), None
        case NewPerson():
            return people.create(session, now).id, None
        case Unmatched(why):
            return None, why
        case Ambiguous(_, why):
            return None, why


def _link_waiting(session: Session, intake: Intake, person_id: int, now: datetime) -> int:
    """Link records that came before the person they belong to was known."""
    person = people.lock(session, person_id)
    linked = 0
    for record in people.waiting_for(session, person.employee_number, person.work_email):
        owner, why = _link(session, intake, record, now)
        people.save_record(session, record, person_id=owner, now=now, why_unmatched=why)
        if owner is not None:
            events.attach(session, record.source, record.subject, owner)
        linked += owner == person_id
    return evaluate(session, intake, person_id, None) if linked else 0
