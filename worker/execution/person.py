"""A person's lane: look at their mailbox, settle what is unknown, plan, and carry the plan out."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from worker.execution.calls import Secrets
from worker.execution.domain import is_stale, read_domain
from worker.execution.evidence import agrees_on_deletion
from worker.execution.outcomes import Done, Held, Outcome, Waiting
from worker.execution.perform import Order, Run, perform
from worker.execution.settle import in_mailbox, settle
from worker.intake.context import OPERATOR
from worker.mail import Address, Mailbox, domain_of
from worker.migadu import NotFound, mailbox_at
from worker.planning.observed import ObservedPerson
from worker.planning.person import plan_person, recovery_of
from worker.planning.plan import Plan
from worker.planning.step import Operation
from worker.policy import (
    Existing,
    Missing,
    NoUsableName,
    PersonState,
    PersonView,
    Policy,
    UnknownDomain,
    WantedMailbox,
    candidates,
    desired,
    load_policy,
)
from worker.store import addresses, jobs, pauses, people, steps
from worker.store.addresses import Provenance, Role
from worker.store.database import Session
from worker.store.pauses import PauseKind
from worker.store.policies import active_policy
from worker.store.states import StepState
from worker.store.tables import AddressRow
from worker.store.views import person_view

_LOOK_AGAIN = timedelta(minutes=1)
_TRIED = (StepState.SENT, StepState.UNKNOWN, StepState.REFUSED)


@dataclass(frozen=True, slots=True)
class _Known:
    """What we know of a person before asking the host."""

    view: PersonView
    policy: Policy
    state: PersonState
    primary: AddressRow | None
    domain_read_at: datetime | None
    tried: bool
    """This job, or a dismissed one before it, has sent a creation, and it was not confirmed."""
    blocked_by: Address | None
    """What exists at the host, is not ours, and stands where this person's address would be."""
    creations_paused_until: datetime | None


def run_person(run: Run) -> Outcome:
    """Bring one person's mailbox to what is desired. Raises MigaduError, LeaseLost."""
    with run.execution.database.read() as session:
        known = _know(session, run)
    if known is None:
        return Held("no policy is active")
    if known.view.address is None or known.primary is None:
        return _without_address(run, known)
    if known.view.address in known.policy.protected:
        return Held(f"{known.view.address} is protected by the policy: it is never touched")
    looked_at = run.now  # before the look, for what arrives while it is under way it need not show
    seen_free_at, mailbox = _observe(run, known, looked_at)
    with run.execution.database.write() as session:
        people.lock(session, int(known.view.profile.key))  # before the job's row, as everywhere
        jobs.locked(session, run.lease)
        rows = steps.unsettled(session, run.lease.job_id)
        stuck: Outcome | None = settle(session, rows, lambda step: in_mailbox(step, mailbox), looked_at)
        primary = addresses.held(session, known.view.address)
        ours = addresses.is_ours(primary)
        if stuck is None and mailbox is not None and not ours:
            stuck = _take_or_leave(session, known, primary, run)
            ours = stuck is None
        elif stuck is None and mailbox is None and primary is not None:
            primary.exists_since = None  # it was deleted behind our back, or never came to be
        observed = _observed(mailbox, primary, ours=ours)
    if stuck is not None:
        return stuck
    return _carry_out(run, _corrected(known, run, exists=mailbox is not None and ours), observed, seen_free_at)


def _know(session: Session, run: Run) -> _Known | None:
    person_id = run.lease.subject.person_id
    active = active_policy(session)
    if active is None or person_id is None:
        return None
    policy = load_policy(active[1])
    view = person_view(session, person_id, run.execution.precedence)
    rows = addresses.of_person(session, person_id)
    return _Known(
        view=view,
        policy=policy,
        state=desired(view, policy, run.now).state.mailbox,
        primary=next((row for row in rows if row.role == Role.PRIMARY), None),
        domain_read_at=addresses.domain_read_at(session, policy.organisation.domain),
        tried=any(
            row.operation == Operation.CREATE_MAILBOX and row.state in _TRIED
            for row in (*steps.of_job(session, run.lease.job_id), *steps.unsettled(session, run.lease.job_id))
        ),
        blocked_by=None if rows else _blocked_by(session, view, policy),
        creations_paused_until=pauses.until(session, PauseKind.CREATIONS, run.now),
    )


def _blocked_by(session: Session, view: PersonView, policy: Policy) -> Address | None:
    try:
        return addresses.first_foreign(session, candidates(view.profile.facts, policy))
    except (NoUsableName, UnknownDomain):
        return None


def _corrected(known: _Known, run: Run, *, exists: bool) -> _Known:
    """Ask again what is wanted, where the host shows otherwise than the ledger that the mailbox is there."""
    if exists == known.view.mailbox_exists:
        return known
    view = replace(known.view, mailbox_exists=exists)
    return replace(known, view=view, state=desired(view, known.policy, run.now).state.mailbox)


def _without_address(run: Run, known: _Known) -> Outcome:
    if not isinstance(known.state, Missing):
        return Done("nothing is wanted, and nothing is there")
    try:
        next(candidates(known.view.profile.facts, known.policy), None)
    except (NoUsableName, UnknownDomain) as error:
        return Held(str(error))
    if known.blocked_by is None:
        return Held(known.state.why)
    if is_stale(known.domain_read_at, run.now):
        read_domain(run, domain_of(known.blocked_by))  # perhaps it was freed; then everybody it stopped is evaluated
    return Held(_exists(known.blocked_by))


def _observe(run: Run, known: _Known, now: datetime) -> tuple[datetime | None, Mailbox | None]:
    """Read the mailbox, unless the domain was read a moment ago and nothing of ours can be there yet."""
    assert known.primary is not None
    read_at = known.domain_read_at
    never_made = known.primary.provenance == Provenance.RESERVED and known.primary.exists_since is None
    fresh = read_at is not None and known.primary.held_from >= read_at and not is_stale(read_at, now)
    if fresh and never_made and not known.tried:
        return read_at, None
    try:
        return None, run.client.show(mailbox_at(Address(known.primary.address)))
    except NotFound:
        return now, None


def _take_or_leave(session: Session, known: _Known, primary: AddressRow | None, run: Run) -> Outcome | None:
    """Decide about a mailbox that exists and that we did not make. None means that it is adopted."""
    assert primary is not None
    existing = known.policy.joining.existing
    if existing is Existing.NEXT_NAME and not known.view.mailbox_exists:
        addresses.give_up(session, primary, run.now)
        people.evaluate_soon(session, [int(known.view.profile.key)], run.now)
        return Waiting(run.now + _LOOK_AGAIN, f"{primary.address} belongs to somebody else: the next name is tried")
    if existing is Existing.ADOPT and known.view.profile.facts.get("workEmail") == primary.address:
        primary.provenance, primary.job_id, primary.exists_since = Provenance.ADOPTED, run.lease.job_id, run.now
        return None
    return Held(_exists(Address(primary.address)))


def _exists(address: Address) -> str:
    return f"{address} exists already and was not made here: adopt it, free it, or state a workEmail"


def _observed(mailbox: Mailbox | None, primary: AddressRow | None, *, ours: bool) -> ObservedPerson:
    assert primary is not None
    return ObservedPerson(
        mailbox=mailbox,
        ours=ours,
        sealed=primary.blocked_at is not None,
        former_doors=primary.former_doors or {},
    )


def _carry_out(run: Run, known: _Known, observed: ObservedPerson, seen_free_at: datetime | None) -> Outcome:
    if isinstance(known.state, Missing):
        return Held(known.state.why)
    plan = plan_person(known.state, observed)
    recovery = recovery_of(known.state) if isinstance(known.state, WantedMailbox) else None
    if (stuck := _obstacle(run, known, plan, recovery)) is not None:
        return stuck
    employment = known.view.profile.employment
    order = Order(
        plan=plan,
        policy=known.policy,
        secrets=Secrets(run.execution.random_password, recovery),
        source=employment.source if employment else OPERATOR,
        seen_free_at=seen_free_at,
    )
    return perform(run, order)


def _obstacle(run: Run, known: _Known, plan: Plan, recovery: str | None) -> Outcome | None:
    """Return what stops a plan before it is even counted by a brake."""
    operations = {step.operation: step for step in plan.steps}
    creation = operations.get(Operation.CREATE_MAILBOX)
    if creation is not None and known.creations_paused_until:
        return Waiting(known.creations_paused_until, "the mail host takes no more mailboxes for now")
    if creation is not None and creation.after.get("password_method") == "invitation" and recovery is None:
        return Held("the mailbox is gone at the host, and without a personalEmail nobody can be invited to a new one")
    person_id = int(known.view.profile.key)
    if Operation.DELETE_MAILBOX in operations and not agrees_on_deletion(
        run.execution, person_id, known.policy, run.now
    ):
        return Held("the stored events do not agree that this mailbox is to be deleted")
    return None
