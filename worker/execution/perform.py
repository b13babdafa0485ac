"""Perform: take a plan through the ledger, step by step: intended before the call, an outcome after it.

Nothing is sent before the intention is committed and the lease outlives the call; nothing is written without the token.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from worker.execution import calls
from worker.execution.brakes import Cause, tripped
from worker.execution.calls import Made, Secrets
from worker.execution.context import Execution
from worker.execution.effects import enter
from worker.execution.outcomes import Done, Held, Outcome
from worker.execution.recorder import Recorder
from worker.migadu import EchoMismatch, MigaduClient, MigaduError, NotFound, Refused, Transient, Unknown
from worker.planning.handover import confirmation_needed
from worker.planning.plan import Plan
from worker.planning.policy_change import counted_by
from worker.planning.step import Operation, Step
from worker.policy import Policy
from worker.store import holds, leases, steps
from worker.store.budget import NoCallNow
from worker.store.database import Session
from worker.store.leases import Lease
from worker.store.states import StepState
from worker.store.steps import Intention
from worker.store.tables import JobRow, StepRow

DRY_RUN = "dry run: the plan is shown and not carried out"
CREATIONS = (
    Operation.CREATE_MAILBOX,
    Operation.CREATE_IDENTITY,
    Operation.CREATE_ALIAS,
    Operation.CREATE_REWRITE,
)
_DELETIONS = (
    Operation.DELETE_MAILBOX,
    Operation.DELETE_IDENTITY,
    Operation.DELETE_ALIAS,
    Operation.DELETE_FORWARDING,
    Operation.DELETE_REWRITE,
)
_LOOK_AGAIN = timedelta(hours=1)
"""How often it is looked whether somebody has opened a confirmation: a call each time."""
_TRIES = 3
_LONGEST_PAUSE_IN_A_RUN_S = 2.0


@dataclass(frozen=True, slots=True)
class Run:
    """One worker's time in a lane."""

    execution: Execution
    lease: Lease
    recorder: Recorder
    client: MigaduClient

    @property
    def now(self) -> datetime:
        """The business time."""
        return self.execution.clock.now()


@dataclass(frozen=True, slots=True)
class Order:
    """A plan and what is needed to carry it out."""

    plan: Plan
    policy: Policy
    secrets: Secrets
    source: str
    """Whose statement caused it."""
    seen_free_at: datetime | None = None


def perform(run: Run, order: Order) -> Outcome:
    """Carry out a plan and return how the run ends. Raises MigaduError at the first step that fails, LeaseLost."""
    with run.execution.database.write() as session:
        job = leases.locked(session, run.lease)
        _show(job, order.plan)
        if run.execution.dry_run and order.plan.steps:
            return Held(DRY_RUN)
        if (held := _braked(session, job, order, run.now)) is not None:
            return held
        rows = _intended(session, run, order)
        run.recorder.flush(session)
    made = [(steps.to_step(row), perform_step(run, row, order.secrets)) for row in rows]
    return _ended(order.plan, made, run.now)


def _show(job: JobRow, plan: Plan) -> None:
    if plan.steps:  # a last look that finds nothing to do must not hide what the job did
        job.plan = [asdict(step) for step in plan.steps]
        job.plan_hash = plan.hash
    job.braked_hash = plan.braked_hash if plan.braked else None


def _braked(session: Session, job: JobRow, order: Order, now: datetime) -> Held | None:
    if not order.plan.braked or job.approved_hash == order.plan.braked_hash:
        return None
    trip = tripped(session, order.plan, Cause(job.id, order.source), order.policy, now)
    if trip is None:
        return None
    hold_id = holds.open_or_join(session, trip, now)
    window = order.policy.brakes.window(trip.brake.value)
    reason = (
        f"the brake on '{trip.brake}' stops this: {trip.counted} within {window.per} already, {trip.allowed} allowed "
        f"for {trip.population} {counted_by(trip.brake)} (hold {hold_id})"
    )
    return Held(reason, hold_id=hold_id)


def _intended(session: Session, run: Run, order: Order) -> list[StepRow]:
    intention = Intention(run.lease.job_id, run.lease.fence, order.source, order.seen_free_at)
    return steps.intend(session, order.plan.steps, intention, run.now)


def perform_step(run: Run, row: StepRow, secrets: Secrets) -> Made:
    """Make the call of an intended step, and return what came of it.

    Raises MigaduError, NoCallNow or LeaseLost; whichever it is, the ledger holds what is known of the call.
    """
    step = steps.to_step(row)
    if not step.is_call:
        _write(run, row.id, lambda session, known: _enter_alone(session, known, step, run.now))
        return Made()
    _write(run, row.id, lambda _, known: steps.set_state(known, StepState.SENT, run.now))
    run.recorder.step_id = row.id
    try:
        made = _patiently(lambda: calls.make(run.client, step, secrets))
    except NotFound:
        if step.operation not in _DELETIONS:
            _write(run, row.id, lambda _, known: steps.set_state(known, StepState.REFUSED, run.now, "it is gone"))
            raise
        made = Made()  # what is to be deleted is not there: that was the goal
    except NoCallNow:
        _write(run, row.id, lambda _, known: steps.set_state(known, StepState.INTENDED, run.now))
        raise
    except MigaduError as error:
        failure = error
        _write(run, row.id, lambda session, known: _fail(session, known, step, failure, run.now))
        raise
    finally:
        run.recorder.step_id = None
    _write(run, row.id, lambda session, known: _confirm(session, known, step, made.ignored, run.now))
    return made


def _enter_alone(session: Session, row: StepRow, step: Step, now: datetime) -> None:
    """Settle a step that is no call, at once: nobody ever sees it sent and not confirmed."""
    steps.set_state(row, StepState.SENT, now)
    _confirm(session, row, step, (), now)


def _patiently(call: Callable[[], Made]) -> Made:
    """Try a call again, few and short, where the host has certainly not begun it."""
    retrying = Retrying(
        retry=retry_if_exception(_may_try_again),
        stop=stop_after_attempt(_TRIES),
        wait=wait_random_exponential(multiplier=0.2, max=_LONGEST_PAUSE_IN_A_RUN_S),
        reraise=True,
    )
    return retrying(call)


def _may_try_again(error: BaseException) -> bool:
    return isinstance(error, Transient) and (error.retry_after_s or 0) <= _LONGEST_PAUSE_IN_A_RUN_S


def _fail(session: Session, row: StepRow, step: Step, error: MigaduError, now: datetime) -> None:
    steps.set_state(row, _state_after(session, row, error), now, str(error))
    if row.state is StepState.CONFIRMED:
        enter(session, step, row.job_id, now)


def _state_after(session: Session, row: StepRow, error: MigaduError) -> StepState:
    match error:
        case Unknown():
            return StepState.UNKNOWN
        case EchoMismatch() if row.operation in CREATIONS:
            return StepState.CONFIRMED  # it is there, and ours, though not as it was sent: an update comes next
        case Refused():
            return StepState.UNKNOWN if _may_be_our_own(session, row) else StepState.REFUSED
        case _:
            return StepState.INTENDED  # the host has not begun it: it stays to be sent


def _may_be_our_own(session: Session, row: StepRow) -> bool:
    """Tell whether what stands in the way of a creation may be what an earlier sending of it made.

    Reading back did not show that, and yet the place is taken: so it is read back once more (`design.md` 4).
    """
    was_read_back = row.settled_at is not None
    return row.operation in CREATIONS and was_read_back and not steps.was_refused(session, row)


def _write(run: Run, step_id: int, change: Callable[[Session, StepRow], None]) -> None:
    with run.execution.database.write() as session:
        leases.locked(session, run.lease)
        change(session, steps.get(session, step_id))
        run.recorder.flush(session)


def _confirm(session: Session, row: StepRow, step: Step, ignored: tuple[str, ...], now: datetime) -> None:
    reason = f"the host ignored {', '.join(ignored)}" if ignored else None
    steps.set_state(row, StepState.CONFIRMED, now, reason)
    enter(session, step, row.job_id, now, ignored)


def _ended(plan: Plan, made: list[tuple[Step, Made]], now: datetime) -> Done | Held:
    """Return how a run ends whose steps are all made: done, unless something is left that no step brings about."""
    waits = [confirmation_needed(step.mailbox, step.target) for step, one in made if one.unconfirmed and step.mailbox]
    unfinished = [*([plan.unfinished] if plan.unfinished else []), *waits]
    notes = _notes(plan, [name for _, one in made for name in one.ignored])
    if not unfinished:
        return Done("; ".join(notes) or None)
    look_again_at = now + _LOOK_AGAIN if waits or plan.look_again else None
    return Held("; ".join([*unfinished, *notes]), look_again_at=look_again_at)


def _notes(plan: Plan, ignored: list[str]) -> list[str]:
    notes = [plan.note] if plan.note else []
    if ignored:
        notes.append(f"the host ignored {', '.join(sorted(set(ignored)))}")
    return notes
