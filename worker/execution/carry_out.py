"""Carrying out: a plan's steps in their order, past an object that the host answers with 500.

Such an answer is about one object (`migadu-behaviour.md` 2.13), so it stops what depends on that object and nothing
else. One that keeps failing is in quarantine: left alone for pauses that grow, then tried once, until it succeeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from worker.execution.calls import Made, Secrets
from worker.execution.outcomes import Done, Held, Outcome
from worker.execution.perform import Intended, Order, Run, perform_in_passing, write_down
from worker.mail import agreeing, counted
from worker.migadu import Unknown
from worker.planning.handover import confirmation_needed
from worker.planning.order import may_be_made
from worker.planning.plan import Plan
from worker.planning.step import Step
from worker.store import quarantines, steps
from worker.store.quarantines import is_left_alone, object_of, why_left_alone
from worker.store.tables import QuarantineRow

_LOOK_AGAIN = timedelta(hours=1)
"""How often it is looked whether somebody has opened a confirmation: a call each time."""


@dataclass(slots=True)
class _Went:
    """What became of a plan's steps in one run."""

    made: list[tuple[Step, Made]] = field(default_factory=list)
    left_out: list[Step] = field(default_factory=list)
    failed: list[tuple[Step, Unknown]] = field(default_factory=list)
    """Those of what was left out that were tried."""


def carry_out(run: Run, order: Order, intended: Intended | Held) -> Outcome:
    """Carry out a plan whose steps are written down, if they are, and return how the run ends.

    Raises LeaseLost, and MigaduError: at once, unless it is the host's own 500 to a write; then once all is made that
    does not need what failed, and unless that is in quarantine.
    """
    if isinstance(intended, Held):
        return intended
    went = _go_through(run, intended, order.secrets)
    in_quarantine = _in_quarantine(run) if went.left_out else []
    for step, error in went.failed:
        if not is_left_alone(in_quarantine, step, run.now):
            raise error
    return _ended(order.plan, went, in_quarantine, run.now)


def _go_through(run: Run, intended: Intended, secrets: Secrets) -> _Went:
    went = _Went()
    for row in intended.rows:
        step = steps.to_step(row)
        if is_left_alone(intended.in_quarantine, step, run.now) or not may_be_made(step, went.left_out):
            went.left_out.append(step)
            continue
        try:
            went.made.append((step, perform_in_passing(run, row, secrets)))
        except Unknown as error:
            if not error.is_of_the_object:
                raise
            went.failed.append((step, error))
            went.left_out.append(step)
    return went


def _in_quarantine(run: Run) -> list[QuarantineRow]:
    write_down(run)  # what was made ends its quarantine
    with run.execution.database.read() as session:
        return quarantines.of_job(session, run.lease.job_id)


def _ended(plan: Plan, went: _Went, in_quarantine: Sequence[QuarantineRow], now: datetime) -> Done | Held:
    """Return how a run ends that made what can be made: done, unless something is left that no step brings about."""
    waits = [
        confirmation_needed(step.mailbox, step.target) for step, one in went.made if one.unconfirmed and step.mailbox
    ]
    left_alone = [row for row in in_quarantine if _is_left_alone(row, went.left_out, now)]
    unfinished = [*_quarantined(left_alone, went.left_out), *([plan.unfinished] if plan.unfinished else []), *waits]
    notes = _notes(plan, [name for _, one in went.made for name in one.ignored])
    if not unfinished:
        return Done("; ".join(notes) or None)
    again = [now + _LOOK_AGAIN] if waits or plan.look_again else []
    again += [row.until for row in left_alone if row.until is not None]
    return Held("; ".join([*unfinished, *notes]), look_again_at=min(again, default=None))


def _is_left_alone(row: QuarantineRow, left_out: Sequence[Step], now: datetime) -> bool:
    """Tell whether an object is left alone, or was for a part of this run that its pause did not outlast."""
    return row.until is not None and (row.until > now or any(object_of(row).is_of(step) for step in left_out))


def _quarantined(rows: Sequence[QuarantineRow], left_out: Sequence[Step]) -> list[str]:
    """Say what is left alone, and how much of the plan waits for it."""
    waiting = [step for step in left_out if not any(object_of(row).is_of(step) for row in rows)]
    said = f"{counted(len(waiting), 'step')} of this job {agreeing(len(waiting), 'waits', 'wait')} for that"
    return [*map(why_left_alone, rows), *([said] if waiting else [])]


def _notes(plan: Plan, ignored: list[str]) -> list[str]:
    notes = [plan.note] if plan.note else []
    if ignored:
        notes.append(f"the host ignored {', '.join(sorted(set(ignored)))}")
    return notes
