"""Perform: take a plan's steps through the ledger: intended before the call, an outcome after it.

Nothing is sent before the intention is committed and the lease outlives the call; nothing is written without the token.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from worker.execution import calls
from worker.execution.brakes import Cause, not_decided, tripped, undecided
from worker.execution.calls import Made, Secrets
from worker.execution.context import Execution, GivesWay
from worker.execution.effects import enter
from worker.execution.outcomes import Held
from worker.execution.recorder import Recorder
from worker.mail import counted
from worker.migadu import EchoMismatch, MigaduClient, MigaduError, NotFound, Refused, Transient, Unknown
from worker.planning.plan import Plan
from worker.planning.policy_change import counted_by
from worker.planning.step import Operation, Step
from worker.policy import Policy
from worker.store import holds, leases, quarantines, steps
from worker.store.budget import NoCallNow
from worker.store.database import Session
from worker.store.leases import Lease
from worker.store.states import StepState
from worker.store.steps import Intention
from worker.store.tables import JobRow, QuarantineRow, StepRow

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


@dataclass(frozen=True, slots=True)
class Intended:
    """A plan's steps, written down."""

    rows: list[StepRow]
    in_quarantine: list[QuarantineRow]
    """What keeps failing of what they are about."""


def intend(session: Session, run: Run, job: JobRow, order: Order) -> Intended | Held:
    """Write the steps of a plan down as intended, unless a dry run or a brake stops them. ``job``: its row, locked.

    They may be sent once the caller's transaction is committed.
    """
    show(job, order.plan)
    if run.execution.dry_run and order.plan.steps:
        return Held(DRY_RUN)
    if (held := _braked(session, job, order, run.now)) is not None:
        return held
    job.hold_id = None
    rows = _intended(session, run, order)
    is_clean = run.recorder.finds_no_failures
    in_quarantine = [] if is_clean else quarantines.keep_only(session, job.id, order.plan.steps)
    run.recorder.flush(session)
    return Intended(rows, in_quarantine)


def show(job: JobRow, plan: Plan) -> None:
    """Write down on a job what it is to do. ``job``: its row, locked."""
    if plan.steps:  # a last look that finds nothing to do must not hide what the job did
        job.plan = [asdict(step) for step in plan.steps]
        job.plan_hash = plan.hash
    job.braked_hash = plan.braked_hash if plan.braked else None


def _braked(session: Session, job: JobRow, order: Order, now: datetime) -> Held | None:
    if not order.plan.braked or order.plan.is_approved(job.approved_hash):
        return None
    if (hold_id := undecided(session, job, order.plan)) is not None:
        return Held(not_decided(hold_id), hold_id=hold_id)
    trip = tripped(session, order.plan, Cause(job.id, order.source), order.policy, now)
    if trip is None:
        return None
    hold_id = holds.open_or_join(session, trip, now)
    window = order.policy.brakes.window(trip.brake.value)
    reason = (
        f"the brake on '{trip.brake}' stops this: {trip.counted} within {window.per} already{trip.rest}, "
        f"{trip.allowed} allowed for {counted(trip.population, counted_by(trip.brake))} (hold {hold_id})"
    )
    return Held(reason, hold_id=hold_id)


def _intended(session: Session, run: Run, order: Order) -> list[StepRow]:
    lease, is_first = run.lease, run.recorder.finds_no_steps
    intention = Intention(lease.job_id, lease.fence, order.source, order.seen_free_at, is_first)
    run.recorder.has_intended = True
    return steps.intend(session, order.plan.steps, intention, run.now)


def perform_step(run: Run, row: StepRow, secrets: Secrets) -> Made:
    """Make the call of an intended step, and return what came of it.

    Raises MigaduError, NoCallNow, GivesWay or LeaseLost; whichever it is, the ledger holds what is known of the call.
    """
    made = perform_in_passing(run, row, secrets)
    write_down(run)
    return made


def write_down(run: Run) -> None:
    """Write down now what the run's next transaction would. Raises LeaseLost."""
    with run.execution.database.write(durable=False) as session:
        leases.locked(session, run.lease)
        run.recorder.write_confirmed(session)
        run.recorder.flush(session)


def perform_in_passing(run: Run, row: StepRow, secrets: Secrets) -> Made:
    """Do as ``perform_step``, and have the run's next transaction write down that it was made.

    That is the one before the next call, or the one that ends the run: each is a commit less for every step.
    """
    step = steps.to_step(row)
    if not step.is_call:
        _write(run, row.id, lambda session, known: _enter_alone(session, run, known, step))
        return Made()
    run.recorder.step_id = row.id
    try:
        made = _patiently(lambda: calls.make(run.client, step, secrets))
    except NotFound:
        if step.operation not in _DELETIONS:
            _write(run, row.id, lambda _, known: steps.set_state(known, StepState.REFUSED, run.now, "it is gone"))
            raise
        made = Made()  # what is to be deleted is not there: that was the goal
    except (NoCallNow, GivesWay):
        _write(run, row.id, lambda _, known: _not_sent(known, run.now))
        raise
    except MigaduError as error:
        failure = error
        _write(run, row.id, lambda session, known: _fail(session, run, known, step, failure))
        raise
    finally:
        run.recorder.step_id = None
    at, id_ = run.now, row.id
    run.recorder.confirmed.append(
        lambda session: _confirm(session, run, id_, step, made.ignored, at),
    )
    if step.operation is Operation.CREATE_MAILBOX:
        run.recorder.has_made_mailbox = True
    return made


def _not_sent(row: StepRow, now: datetime) -> None:
    """Have a step stay to be sent for which there is no call now; an earlier sending has certainly not begun."""
    if row.state is StepState.SENT:
        steps.set_state(row, StepState.INTENDED, now)


def _enter_alone(session: Session, run: Run, row: StepRow, step: Step) -> None:
    """Settle a step that is no call, at once: nobody ever sees it sent and not confirmed."""
    steps.set_state(row, StepState.SENT, run.now)
    session.flush()
    _confirm(session, run, row.id, step, (), run.now)


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


def _fail(session: Session, run: Run, row: StepRow, step: Step, error: MigaduError) -> None:
    steps.set_state(row, _state_after(session, row, error), run.now, str(error))
    if row.state is StepState.CONFIRMED:
        enter(session, step, row.job_id, run.now)
    if isinstance(error, Unknown) and error.is_of_the_object:
        run.recorder.has_met_failures = True
        quarantines.count_failure(session, row.job_id, step, run.execution.patience.pause, run.now)


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
    with run.execution.database.write(durable=False) as session:
        leases.locked(session, run.lease)
        run.recorder.write_confirmed(session)
        change(session, steps.get(session, step_id))
        run.recorder.flush(session)


def _confirm(session: Session, run: Run, step_id: int, step: Step, ignored: tuple[str, ...], now: datetime) -> None:
    reason = f"the host ignored {', '.join(ignored)}" if ignored else None
    if not steps.confirm(session, step_id, now, reason):
        return  # it was committed, though the answer to that commit was lost
    enter(session, step, run.lease.job_id, now, ignored)
    if not run.recorder.finds_no_failures:
        quarantines.end(session, run.lease.job_id, step)
