"""Settle: steps whose fate is not known are decided by what the host shows, never by guessing or repeating.

"Absent" needs two looks, the second after the deadline of the call, because a call whose sender died may still arrive.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from worker.execution.calls import Object, Secrets, write_of
from worker.execution.effects import enter
from worker.execution.outcomes import Held, Waiting
from worker.migadu import Fate, Sending, Write, fate
from worker.planning.step import Step
from worker.store import quarantines, steps
from worker.store.database import Session
from worker.store.states import StepState
from worker.store.tables import StepRow

Shown = Object | None

_FORGOTTEN = Secrets(random_password=lambda: "")
"""What was sent of them is kept nowhere, so it has no part in recognising a write."""


def settle(
    session: Session,
    rows: list[StepRow],
    shown: Callable[[Step], Shown],
    now: datetime,
) -> Waiting | Held | None:
    """Decide unsettled steps by what was read. Returns None when all are decided, else how the run must end.

    ``now`` is when reading began: what it does not show may still have arrived since.
    """
    for row in rows:
        step, sending = steps.to_step(row), _sending(row)
        match fate(_as_far_as_known(step), shown(step), sending, now):
            case Fate.APPLIED:
                steps.set_state(row, StepState.CONFIRMED, now, "confirmed by reading back")
                enter(session, step, row.job_id, now)
                quarantines.end(session, row.job_id, step)
            case Fate.NOT_APPLIED:
                steps.set_state(row, StepState.INTENDED, now, "reading back showed that it was not applied")
                row.settled_at = now
            case Fate.LOOK_AGAIN:
                return Waiting(sending.arrives_until, "an unanswered call may still arrive")
            case Fate.SOMEBODY_ELSES:
                return Held(f"{row.target} exists, and it cannot be told whether we made it: adopt it, or free it")
            case undecided:
                assert_never(undecided)
    return None


def _as_far_as_known(step: Step) -> Write[Object]:
    """Return a step's write without where its invitation went, which may be another address by now."""
    after = {name: value for name, value in step.after.items() if name != "password_method"}
    return write_of(replace(step, after=after), _FORGOTTEN)


def _sending(row: StepRow) -> Sending:
    before = steps.to_step(row).before
    return Sending(row.sent_at or row.intended_at, row.seen_free_at, before or None)
