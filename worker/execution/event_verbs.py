"""What an operator does with events that were parked: one transaction with its line in the audit, and the bell."""

from worker.bell import Bell
from worker.clock import Clock
from worker.execution.verbs import NoSuchEvent, NotAllowedNow
from worker.store import audit, inbox
from worker.store.database import Database, Session
from worker.store.states import EventState, IllegalMove
from worker.store.tables import EventRow


def retry(database: Database, clock: Clock, bell: Bell, event_id: int, actor: str) -> None:
    """Have an event applied now that was parked or dismissed, or failed and waits. Raises NoSuchEvent, NotAllowedNow.

    It goes on with everything it came with, its failures forgotten.
    """
    now = clock.now()
    with database.write() as session:
        row = _event(session, event_id)
        _require_retriable(row)
        detail = {"from": row.state.value, "failures": row.failures}
        inbox.try_again(row)
        audit.record(session, actor, "event.retry", f"event {event_id}", detail, now)
    bell.ring_apply()


def dismiss(database: Database, clock: Clock, event_id: int, actor: str, *, reason: str) -> None:
    """Give a parked event up: it counts nowhere, and no worker tries it again. Raises NoSuchEvent, NotAllowedNow.

    It is kept with its key, so that a repetition stays one; ``retry`` takes this back.
    """
    now = clock.now()
    with database.write() as session:
        row = _event(session, event_id)
        detail = {"from": row.state.value, "reason": reason, "failures": row.failures}
        try:
            inbox.dismiss(row, reason)
        except IllegalMove as error:
            raise NotAllowedNow(f"event {event_id} is {row.state.value}: {_why_not_dismissed(row)}") from error
        audit.record(session, actor, "event.dismiss", f"event {event_id}", detail, now)


def _event(session: Session, event_id: int) -> EventRow:
    row = inbox.lock(session, event_id)
    if row is None:
        raise NoSuchEvent(f"there is no event {event_id}")
    return row


def _require_retriable(row: EventRow) -> None:
    match row.state:
        case EventState.PARKED | EventState.DISMISSED:
            return
        case EventState.ACCEPTED:
            if row.retry_at is not None:
                return
            why = "it is applied as soon as a worker is free"
        case EventState.APPLIED:
            why = "`mailroster events replay` applies events again"
        case EventState.REJECTED:
            why = f"mend the sender or its map; `mailroster sources replay {row.source}` then reads it once more"
    raise NotAllowedNow(f"event {row.id} is {row.state.value}: {why}")


def _why_not_dismissed(row: EventRow) -> str:
    match row.state:
        case EventState.ACCEPTED:
            return "a worker will apply it; only a parked one can be given up"
        case EventState.APPLIED:
            return f"`mailroster events undo {row.id}` takes back what came of it"
        case _:
            return "it counts nowhere already"
