"""Apply: one short transaction that folds one event into its person, or looks again at one person who is due.

Locks are taken in a fixed order: event, linking, record, person, records that wait, lines, addresses, who waits for
them, jobs. So two workers never wait for each other:

- Events are claimed past those that others hold.
- Who may change whose a record is takes the lock of linking before the first record, and there is one such lock.
  Only its holder touches records that belong to nobody, several records or several people.
- Everybody else holds one record, which belongs to somebody, then one person: none of them waits for another record
  or person while it holds one, so whoever holds linking gets what it waits for.
- Whoever finds that a person stands otherwise in line, or is given an address that a record waits for, only notes it;
  those below are marked and the record is linked later, by a transaction that holds linking and takes the people it
  marks in the order of their ids.
- A statement over many people, which asks for all to be evaluated, may still meet who has two of them: the database
  ends one of both, and that one is tried again.
- A person is evaluated once in a transaction, which takes the shared addresses' jobs in the order of the addresses.
"""

from datetime import datetime, timedelta

import structlog

from worker.events import Event, parse_event
from worker.intake.context import Intake
from worker.intake.erased import is_of_the_erased
from worker.intake.evaluate import evaluate
from worker.intake.linking import decide_again, find_person, link_waiting, may_link, same_number
from worker.intake.telling import tell_next
from worker.roster import Record, fold
from worker.store import events, lines, people
from worker.store.database import DatabaseBusy, Session
from worker.store.forgetting import ERASED, forget_event
from worker.store.jobs import wake_behind_inbox
from worker.store.policies import active_policy
from worker.store.refolding import folded
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


class _FailedToTell(Exception):
    """Those whom a change of a person concerns could not be told of it."""


def apply_next(intake: Intake) -> bool:
    """Apply the oldest accepted event, else evaluate one person who is due. Returns whether there was something.

    An event that cannot be applied counts its failures and is parked after five; it never stops the others.
    """
    now = intake.clock.now()
    try:
        with intake.database.write(durable=False) as session:
            jobs = _apply_one(session, intake, now)
            woken = wake_behind_inbox(session, now) if jobs is None else 0
    except _Failed as failed:
        _record_failure(intake, failed, now)
        return True
    except _FailedToTell as failed:
        _tell_later(intake, failed, now)
        return True
    for _ in range(woken if jobs is None else jobs):
        intake.bell.ring_run()
    return jobs is not None


def _apply_one(session: Session, intake: Intake, now: datetime) -> int | None:
    if (row := events.claim_accepted(session, now)) is not None:
        event_id = row.id  # a failed flush takes the row's attributes away
        try:
            return _apply_event(session, intake, row, now)
        except Exception as error:
            raise _Failed(event_id, None) from error
    try:
        if tell_next(session, intake, now):
            return 0
    except Exception as error:
        raise _FailedToTell from error
    policy = active_policy(session)
    person = people.claim_due(session, now, policy[0]) if policy else None
    if person is None:
        return None
    person_id = person.id
    try:
        return evaluate(session, intake, person, None)
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


def _tell_later(intake: Intake, failed: _FailedToTell, now: datetime) -> None:
    is_busy = isinstance(failed.__cause__, DatabaseBusy)
    if not is_busy:
        _log.error("those whom a change concerns could not be told of it", exc_info=failed.__cause__)
    with intake.database.write() as session:
        if (person_id := lines.due(session, now)) is not None:
            lines.postpone(session, person_id, now + (_MOMENT if is_busy else _PAUSE_OF_A_PERSON))


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
    linking = may_link(session, row.source, event)
    if linking:
        people.lock_linking(session)
    known = people.load_record(session, row.source, event.subject)
    if known is None and not linking:  # it was erased while we came here
        people.lock_linking(session)
        linking = True
    if is_of_the_erased(session, intake, row.source, event, is_known=known is not None):
        forget_event(session, row)
        events.set_applied(row, None, now, ERASED)
        return 0
    record, person_id = known or (Record(row.source, event.subject), None)
    record = _told(session, row, record, event)
    person_id, why = place(session, intake, record, person_id, linking=linking, now=now)
    if person_id is None:
        events.set_applied(row, None, now, _reasons(*event.warnings, why))
        return 0
    events.set_applied(row, person_id, now, _reasons(*event.warnings, _same_number(session, row.id, person_id)))
    return evaluate(session, intake, people.lock(session, person_id), row.id)


def place(
    session: Session, intake: Intake, record: Record, person_id: int | None, *, linking: bool, now: datetime
) -> tuple[int | None, str | None]:
    """Keep a record, and return whose it is from now on, or why that cannot be said; ``person_id``: whose it was.

    ``linking``: its caller holds the lock of linking, without which nothing changes hands.
    """
    why = None
    if person_id is None:
        person_id, why = find_person(session, intake, record, now)
    elif linking:
        person_id = decide_again(session, record, person_id, now)
    people.save_record(session, record, person_id=person_id, now=now, why_unmatched=why)
    if person_id is not None:
        events.attach(session, record.source, record.subject, person_id)
        if linking:
            link_waiting(session, intake, person_id, now)
    return person_id, why


def _told(session: Session, row: EventRow, record: Record, event: Event) -> Record:
    """Return the record once it has heard of an event; one that a delivery is read as anew takes the former's place."""
    if row.reads_anew is None:
        return fold(record, event, row.received_at)
    told = events.applied_of_subject(session, row.source, event.subject, beside=row.id)
    (anew,) = folded(0, told).records
    return anew


def _same_number(session: Session, event_id: int, person_id: int) -> str | None:
    """Tell of people who turned out to be one too late: both may have a mailbox, so a person must decide."""
    *others, last = same_number(session, person_id) or [person_id]
    if not others:
        return None
    _log.warning("people state the same employeeNumber", event_id=event_id, people=[*others, last])
    number = "two" if len(others) == 1 else f"{len(others) + 1}"
    listed = ", ".join(map(str, others))
    return f"{number} people state the same employeeNumber: {listed} and {last}; mend it where it is stated"


def _reasons(*reasons: str | None) -> str | None:
    return "; ".join(reason for reason in reasons if reason) or None
