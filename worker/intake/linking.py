"""Linking in the database: whose a record is, looked up and decided while nobody else decides.

Whoever decides holds the one lock of ``people.lock_linking``, and took it before any record or person.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from worker.events import Event, FactValue
from worker.intake.context import OPERATOR, Intake
from worker.roster import Ambiguous, Link, Linked, NewPerson, Record, Unmatched, link, profile
from worker.store import addresses, events, people, waiting
from worker.store.database import Session
from worker.store.people import stated_text
from worker.store.tables import PersonRow

_IDENTIFIERS = ("employeeNumber", "workEmail")


def may_link(session: Session, source: str, event: Event) -> bool:
    """Tell, before anything is locked, whether an event may change whose a record is, its own or another."""
    states = any(name in event.facts for name in _IDENTIFIERS)
    return states or events.person_of_subject(session, source, event.subject) is None


def find_person(session: Session, intake: Intake, record: Record, now: datetime) -> tuple[int | None, str | None]:
    """Return whose a record is that belongs to nobody yet, a new person's perhaps; or why that cannot be said."""
    if record.source == OPERATOR:
        return int(record.subject), None
    found, work_email = _look(session, intake, record), stated_text(record, "workEmail")
    if isinstance(found, Unmatched) and work_email:
        waiting.alone_with(session, work_email)  # an address that is given just now is seen then
        found = _look(session, intake, record)
    match found:
        case Linked(person_key):
            return int(person_key), None
        case NewPerson():
            return people.create(session, now).id, None
        case Unmatched(why):
            return None, why
        case Ambiguous(_, why):
            return None, why


def decide_again(session: Session, record: Record, person_id: int, now: datetime) -> int:
    """Return whose a linked record is from now on: another's, if it just stated the number that one person holds.

    Only where nothing is lost by it: its person has no other record and never held an address. Who is left without a
    record is evaluated once more, by itself, and found to want nothing.
    """
    number, person = stated_text(record, "employeeNumber"), people.lock(session, person_id)
    if number is None or number == person.employee_number or record.source == OPERATOR:
        return person_id
    if people.is_pinned(session, record.source, record.subject):
        return person_id
    holders = people.holding_employee_number(session, number)
    if len(holders) != 1 or not _has_nothing_else(session, person_id):
        return person_id
    person.employee_number, person.work_email, person.next_change_at = None, None, now
    events.hand_over(session, record.source, record.subject, int(holders[0]))
    return int(holders[0])


def link_waiting(session: Session, intake: Intake, person_id: int, now: datetime, given: Collection[str] = ()) -> None:
    """Note what identifies a person, and link the records that waited for it; these may bring more of both.

    ``given``: addresses that the person holds without anybody having stated them. A record that comes later finds them.
    """
    row = people.lock(session, person_id)
    linked = True
    while linked:
        note_identifiers(row, profile(people.load(session, person_id), intake.precedence).facts)
        stated = [row.work_email] if row.work_email else []
        found = waiting.linked_by(session, row.employee_number, {*stated, *given})
        linked = person_id in [_settle(session, intake, record, now) for record in found]


def same_number(session: Session, person_id: int) -> list[int]:
    """Return the ids of all who state this person's employeeNumber, if more than one does."""
    person = people.get(session, person_id)
    number = person.employee_number if person else None
    holders = people.holding_employee_number(session, number) if number else []
    return sorted(map(int, holders)) if len(holders) > 1 else []


def _look(session: Session, intake: Intake, record: Record) -> Link:
    number, work_email = stated_text(record, "employeeNumber"), stated_text(record, "workEmail")
    by_email = people.holding_work_email(session, work_email) if work_email else []
    return link(
        record,
        by_employee_number=people.holding_employee_number(session, number) if number else [],
        by_work_email=by_email,
        numbered=people.with_employee_number(session, by_email),
        creates=record.source in intake.creators,
    )


def _has_nothing_else(session: Session, person_id: int) -> bool:
    # With the person locked nobody can reserve an address for them, and without one nothing is made at the host.
    return len(people.load(session, person_id).records) == 1 and not addresses.history_of_person(session, person_id)


def note_identifiers(row: PersonRow, facts: Mapping[str, FactValue]) -> None:
    """Keep on the person's row what other records are linked by."""
    number, work_email = (facts.get(name) for name in _IDENTIFIERS)
    row.employee_number = number if isinstance(number, str) and number else None
    row.work_email = work_email if isinstance(work_email, str) and work_email else None


def _settle(session: Session, intake: Intake, record: Record, now: datetime) -> int | None:
    owner, why = find_person(session, intake, record, now)
    people.save_record(session, record, person_id=owner, now=now, why_unmatched=why)
    if owner is not None:
        events.attach(session, record.source, record.subject, owner)
    return owner
