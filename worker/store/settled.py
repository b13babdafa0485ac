"""Whether an event has had its effect, which those who sent it may ask as often as they like."""

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from worker.store.states import EventState
from worker.store.tables import EventRow, JobRow


def is_settled(session: Session, row: EventRow) -> bool:
    """Tell whether nothing of an event is left to do: it was applied, and no job of its person or by it is open.

    An event that was rejected, parked or dismissed is not settled, and neither is one whose person is not known yet.
    """
    if row.state is not EventState.APPLIED or row.person_id is None:
        return False
    is_open = select(JobRow.id).where(JobRow.finished_at.is_(None))  # each is found by an index, whatever the history
    of_its_person = is_open.where(JobRow.person_id == row.person_id).exists()
    by_itself = is_open.where(JobRow.event_id == row.id).exists()
    return not session.scalar(select(or_(of_its_person, by_itself)))
