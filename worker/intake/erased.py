"""Events about people who were erased: recognised by what is left of them, and applied to nobody."""

from collections.abc import Iterator

from worker.events import Event, EventType
from worker.intake.context import Intake
from worker.store import erased, people
from worker.store.database import Session
from worker.store.erased import Trace


def is_of_the_erased(session: Session, intake: Intake, source: str, event: Event, *, is_known: bool) -> bool:
    """Tell whether an event is about somebody who was erased, so that it makes nobody and nothing of it is kept.

    Only a ``joined`` that happened after makes a new person; from then on whatever else happened after is theirs, and
    what happened before still is not. ``is_known``: there is a record of its subject.
    """
    until = erased.until(session, _traces(session, intake, source, event, is_known=is_known))
    if until is None:
        return False
    return event.time <= until or (not is_known and event.type is not EventType.JOINED)


def _traces(session: Session, intake: Intake, source: str, event: Event, *, is_known: bool) -> Iterator[Trace]:
    yield erased.of_record(source, event.subject)
    if is_known:
        return
    number, work_email = event.facts.get("employeeNumber"), event.facts.get("workEmail")
    if isinstance(number, str) and number and not people.holding_employee_number(session, number):
        yield erased.of_number(number)
    # A source that makes people may bring the next holder of an address; from another it can only be the former one.
    makes_people = source in intake.creators
    if isinstance(work_email, str) and not makes_people and not people.holding_work_email(session, work_email):
        yield erased.of_address(work_email)
