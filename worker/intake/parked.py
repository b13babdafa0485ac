"""The way back of events that were parked: another version may apply what the former one could not."""

from worker.intake.context import Intake
from worker.store import inbox

_BATCH = 200


def retry_parked(intake: Intake) -> int:
    """Have every parked event applied again, its failures forgotten, and return how many there were.

    Meant for the start of a worker. Batch by batch, so that no transaction grows long; idempotent, and several workers
    that start together share the events. An event that still cannot be applied is parked again.
    """
    retried, behind = 0, 0
    while batch := _retry_batch(intake, behind):
        retried, behind = retried + len(batch), batch[-1]
    if retried:
        intake.bell.ring_apply()  # whoever applies one rings for the next
    return retried


def _retry_batch(intake: Intake, behind: int) -> list[int]:
    with intake.database.write() as session:
        return inbox.retry_parked(session, behind=behind, limit=_BATCH)
