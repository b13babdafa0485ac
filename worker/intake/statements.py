"""An operator's own statements: events like any other, of a source that outranks all."""

from collections.abc import Mapping
from datetime import datetime

from worker.events import EventType
from worker.intake.accept import accept_of_operator
from worker.intake.context import Intake
from worker.intake.offers import Receipt
from worker.roster import EmploymentKind, profile
from worker.store import audit, people
from worker.store.database import Session


class UnknownPerson(LookupError):
    """There is no such person."""


class NothingToTakeBack(ValueError):
    """The person is neither leaving nor suspended."""


def state_of_person(
    intake: Intake,
    person_id: int,
    statement: EventType,
    *,
    data: Mapping[str, object],
    actor: str,
) -> Receipt:
    """Accept an operator's statement about one person and write it into the audit.

    Raises UnknownPerson, or EventsRefused where ``data`` is invalid (a date that is none).
    """
    now = intake.clock.now()
    with intake.database.read() as session:
        _require(session, person_id)
    receipt = accept_of_operator(intake, _document(person_id, statement, data, now))
    with intake.database.write() as session:
        audit.record(
            session,
            actor=actor,
            act=statement,
            target=f"person {person_id}",
            detail={"event": receipt.id},
            now=now,
        )
    return receipt


def call_back(intake: Intake, person_id: int, *, actor: str) -> tuple[Receipt, ...]:
    """Take an operator's or anybody's departure and suspension back, whichever of them stands.

    Raises UnknownPerson, or NothingToTakeBack.
    """
    with intake.database.read() as session:
        _require(session, person_id)
        known = profile(people.load(session, person_id), intake.precedence)
    leaves = known.employment is not None and known.employment.kind is EmploymentKind.LEFT
    statements = [EventType.LEAVING_CANCELLED] * leaves + [EventType.RESUMED] * known.suspended
    if not statements:
        raise NothingToTakeBack(f"person {person_id} is neither leaving nor suspended")
    return tuple(state_of_person(intake, person_id, each, data={}, actor=actor) for each in statements)


def _require(session: Session, person_id: int) -> None:
    row = people.get(session, person_id)
    if row is None or row.erased_at is not None:
        raise UnknownPerson(f"there is no person {person_id}" if row is None else f"person {person_id} was erased")


def _document(person_id: int, statement: EventType, data: Mapping[str, object], now: datetime) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "id": f"{statement}-{person_id}-{now.isoformat()}",
        "source": "urn:mailroster:operator",
        "type": statement.value,
        "subject": str(person_id),
        "time": now.isoformat(),
        "data": dict(data),
    }
