"""Telling others what became another with a person: those below them, and records that waited for their address.

Evaluating somebody tells nobody else, because it holds that person's row and may not wait for others. It notes that
others are to hear of it, and ``tell_next`` does so in a transaction of its own.
"""

from datetime import datetime

from worker.intake.context import Intake
from worker.intake.linking import link_waiting
from worker.store import addresses, lines, people, waiting
from worker.store.database import Session


def tell_next(session: Session, intake: Intake, now: datetime) -> bool:
    """Tell others of one person: who is concerned is evaluated soon. False if there is nothing to tell.

    It holds the lock of linking, so that nobody else has more than one person's row meanwhile.
    """
    if lines.due(session, now) is None:
        return False
    people.lock_linking(session)
    person_id = lines.due(session, now)
    if person_id is not None:  # else somebody else was quicker
        tell_of(session, intake, person_id, now)
    return True


def tell_of(session: Session, intake: Intake, person_id: int, now: datetime) -> set[int]:
    """Have all evaluated soon whom a person's change concerns, and return them. Its caller holds linking."""
    people.lock(session, person_id).line_due_at = None
    concerned = lines.evaluate_below(session, person_id, now)
    if waiting.is_for(session, person_id):
        held = {row.address for row in addresses.of_person(session, person_id)}
        link_waiting(session, intake, person_id, now, held)
        people.lock(session, person_id).next_change_at = now
        concerned.add(person_id)
    return concerned
