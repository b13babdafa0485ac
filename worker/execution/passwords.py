"""A fresh password for somebody's mailbox, for an operator to hand over.

The call is made here, in the process of whoever asked, and not by a worker: a password that a worker made would have to
travel back through the database or the broker, and then it would have been kept. So it exists in this process and in
the request that sets it, and is returned once. The lane is taken as a worker takes it, by a lease on the subject's one
outstanding job, so that no block or reopening is under way meanwhile and the order of the calls is the order of the
ledger; the step there has a placeholder where the password was.
"""

from dataclasses import dataclass, field

from worker.execution.calls import Secrets
from worker.execution.context import LEASE, Execution
from worker.execution.finish import finish
from worker.execution.outcomes import Done, Held, Outcome, Parked, Waiting
from worker.execution.perform import Run, perform_step
from worker.execution.recorder import Recorder
from worker.execution.settle import settle
from worker.execution.verbs import NotAllowedNow, VerbRefused
from worker.intake.context import OPERATOR
from worker.mail import Address, Mailbox
from worker.migadu import CALL_DEADLINE, NotFound, Unknown, mailbox_at
from worker.planning.protection import never_touched
from worker.planning.step import RANDOM_PASSWORD, Operation, Step
from worker.planning.urgency import Urgency
from worker.policy import Access, PersonState, WantedMailbox, desired, load_policy
from worker.store import addresses, audit, lanes, leases, people, steps
from worker.store.database import Session
from worker.store.lanes import Taken
from worker.store.leases import LeaseLost
from worker.store.policies import active_policy
from worker.store.states import STEP_MOVES, JobState, StepState, move
from worker.store.steps import Intention
from worker.store.subjects import Subject, SubjectKind
from worker.store.tables import StepRow
from worker.store.views import person_view


class NoSuchPerson(VerbRefused, LookupError):
    """There is no such person."""


class PasswordUnknown(VerbRefused):
    """The mail host did not say whether it took the new password."""


@dataclass(frozen=True, slots=True)
class NewPassword:
    """What an operator hands over, once."""

    address: Address
    password: str = field(repr=False)


def reset_password(execution: Execution, person_id: int, *, actor: str) -> NewPassword:
    """Set a fresh random password at the mail host and return it. It is kept nowhere, here or there in plain.

    Refused, and nothing is changed, for whoever is blocked, suspended, protected, not ours or without a mailbox, while
    a worker is in the lane, and in a dry run. After a block it is what brings the way back to its end. Raises
    VerbRefused with the sentence for the operator, PasswordUnknown where it must be repeated, MigaduError, NoCallNow.
    """
    if execution.dry_run:
        raise NotAllowedNow("this is a dry run: no password is set while MAILROSTER_DRY_RUN is true")
    address, taken = _take_lane(execution, person_id, actor)
    recorder = Recorder(execution, taken.lease)
    run = Run(execution, taken.lease, recorder, execution.connect(recorder))
    try:
        return _reset(run, taken, address)
    except LeaseLost as lost:
        raise PasswordUnknown("it took too long, and a worker has taken the mailbox over; repeat the command") from lost


def _take_lane(execution: Execution, person_id: int, actor: str) -> tuple[Address, Taken]:
    now = execution.clock.now()
    with execution.database.write() as session:
        if not people.exists(session, person_id):
            raise NoSuchPerson(f"there is no person {person_id}")
        if people.lock(session, person_id).erased_at is not None:  # before the job's row, as everywhere
            raise NotAllowedNow(f"person {person_id} was erased: they have no mailbox any more")
        address = _settable(session, execution, person_id)
        subject = Subject(SubjectKind.PERSON, str(person_id))
        taken = lanes.take(session, subject, worker=execution.worker, lease=LEASE, urgency=Urgency.JOINER, now=now)
        if taken is None:
            raise NotAllowedNow(f"a worker is at {address} just now; try again in a minute")
        detail = {"job": taken.lease.job_id}
        audit.record(session, actor, "person.reset-password", f"person {person_id}", detail, now)
    return address, taken


def _settable(session: Session, execution: Execution, person_id: int) -> Address:
    """Return the address of the mailbox whose password may be set. Raises NotAllowedNow with the reason."""
    active, view = active_policy(session), person_view(session, person_id, execution.precedence)
    if active is None:
        raise NotAllowedNow("no policy is active, so nobody knows who should have a mailbox")
    policy = load_policy(active[1])
    if view.address is None or not view.mailbox_exists:
        raise NotAllowedNow(f"person {person_id} has no mailbox")
    if view.address in policy.protected:
        raise NotAllowedNow(never_touched(view.address))
    if not addresses.is_ours(addresses.held(session, view.address)):
        raise NotAllowedNow(f"{view.address} is not ours: it was neither made nor adopted here")
    if (why := _why_closed(desired(view, policy, execution.clock.now()).state.mailbox)) is not None:
        raise NotAllowedNow(f"{view.address} {why}")
    return view.address


def _why_closed(state: PersonState) -> str | None:
    """Say why nobody may be let in, as the end of a sentence; None where somebody may."""
    if not isinstance(state, WantedMailbox):
        return "is nobody's who works here: no password is set for it"
    match state.access:
        case Access.SUSPENDED:
            return "is suspended: take that back first, with `mailroster people resume`"
        case Access.BLOCKED:
            return "is blocked, for its holder left: take that back first, with `mailroster people resume`"
        case _:
            return None


def _reset(run: Run, taken: Taken, address: Address) -> NewPassword:
    password = run.execution.random_password()
    outcome: Outcome = Done("an operator's new password was not set")
    try:
        row = _intended(run, address)
        perform_step(run, row, Secrets(lambda: password))
        outcome = Done("an operator set a new password")
    except Unknown as error:
        until = run.now + CALL_DEADLINE
        outcome = Waiting(until, "it is not known whether an operator's new password was set")
        said = f"the mail host did not say whether it took a new password for {address}: {error.reason}. Nobody has"
        raise PasswordUnknown(f"{said} the one that holds now; repeat this after {until:%H:%M:%S} UTC") from error
    except NotFound as error:
        raise NotAllowedNow(f"{address} is not there any more at the mail host") from error
    except _NotYet as early:
        outcome = early.outcome
        raise
    finally:
        _leave(run, taken, outcome)
    return NewPassword(address, password)


class _NotYet(NotAllowedNow):
    """What was sent before must be settled first."""

    def __init__(self, outcome: Waiting | Held) -> None:
        super().__init__(f"{outcome.reason}; try again in a minute")
        self.outcome = outcome


def _intended(run: Run, address: Address) -> StepRow:
    """Settle what was sent before in this lane, and write the step down. Raises _NotYet, MigaduError."""
    with run.execution.database.read() as session:
        unsettled = [row.operation for row in steps.unsettled(session, run.lease.job_id)]
    if any(operation != Operation.RESET_PASSWORD for operation in unsettled):
        raise _NotYet(Waiting(run.now, "what was sent before is not settled yet"))
    looked_at = run.now
    mailbox: Mailbox | None = run.client.show(mailbox_at(address)) if unsettled else None
    step = Step(Operation.RESET_PASSWORD, address, before={}, after={"password": RANDOM_PASSWORD})
    with run.execution.database.write() as session:
        leases.locked(session, run.lease)
        stuck = settle(session, steps.unsettled(session, run.lease.job_id), lambda _: mailbox, looked_at)
        run.recorder.flush(session)
        if stuck is None:
            (row,) = steps.intend(session, (step,), _intention(run), run.now)
    if stuck is not None:
        raise _NotYet(stuck)
    return row


def _intention(run: Run) -> Intention:
    return Intention(run.lease.job_id, run.lease.fence, OPERATOR, seen_free_at=None)


def _leave(run: Run, taken: Taken, outcome: Outcome) -> None:
    """Leave the lane as it was found, but where a call is not settled or the job was made for this one."""
    with run.execution.database.write() as session:
        leases.locked(session, run.lease)
        for row in steps.of_job(session, run.lease.job_id):
            if row.operation == Operation.RESET_PASSWORD and row.state is StepState.INTENDED:
                row.state, row.settled_at = move(STEP_MOVES, row.state, StepState.SUPERSEDED), run.now
    finish(run, outcome if isinstance(outcome, Waiting | Held) else _former(taken, outcome))


def _former(taken: Taken, outcome: Outcome) -> Outcome:
    match taken.former:
        case None:
            return outcome
        case JobState.HELD:
            return Held(taken.reason or "", taken.hold_id, look_again_at=taken.run_at)
        case JobState.PARKED:
            return Parked(taken.reason or "")
        case _:
            return Waiting(taken.run_at, taken.reason or "its turn")
