"""A person's lane: look at their mailbox, settle what is unknown, plan, and carry the plan out."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from worker.execution.calls import Secrets
from worker.execution.domain import is_stale, read_domain
from worker.execution.erasure import erase
from worker.execution.evidence import agrees
from worker.execution.outcomes import Done, Held, Outcome, Waiting
from worker.execution.perform import Order, Run, perform
from worker.execution.settle import settle
from worker.execution.sight import Places, Sight, correct_ledger, exists_already, observed_person, places_of, see
from worker.execution.sparing import is_closed, spared
from worker.intake.context import OPERATOR
from worker.intake.pinned import Barred, barred
from worker.mail import Address, Mailbox, domain_of
from worker.migadu import NotFound, mailbox_at
from worker.planning.observed import ObservedPerson
from worker.planning.person import plan_person, recovery_of
from worker.planning.plan import Plan
from worker.planning.step import Operation
from worker.planning.urgency import Urgency
from worker.policy import (
    Erased,
    Existing,
    Missing,
    NoMailbox,
    NoUsableName,
    PersonState,
    PersonView,
    Policy,
    UnknownDomain,
    WantedMailbox,
    candidates,
    desired,
    home_of,
    load_policy,
)
from worker.store import addresses, adoption, domains, jobs, leases, memberships, pauses, people, steps
from worker.store.addresses import Provenance, Role
from worker.store.adoption import Taking
from worker.store.database import Session
from worker.store.jobs import shared_subject
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
    barred: Barred | None
    """Why the stated address cannot be given."""
    creations_paused_until: datetime | None
    places: Places
    """Where to look besides the mailbox."""


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
    read_at, mailbox = _mailbox(run, known, looked_at)
    sight = see(run, mailbox, known.places, read_at or looked_at)
    with run.execution.database.write() as session:
        people.lock(session, int(known.view.profile.key))  # before the job's row, as everywhere
        leases.locked(session, run.lease)
        rows = steps.unsettled(session, run.lease.job_id)
        stuck: Outcome | None = settle(session, rows, sight.place_of, looked_at)
        primary = addresses.held(session, known.view.address)
        ours = addresses.is_ours(primary)
        if stuck is None and mailbox is not None and not ours:
            stuck = _take_or_leave(session, known, primary, run, mailbox)
            ours = stuck is None
        elif stuck is None:
            known = _without(known, correct_ledger(session, int(known.view.profile.key), sight, run.now))
        if stuck is None:
            addresses.drop_withdrawn(session, int(known.view.profile.key), sight.addresses, run.now)
        observed = observed_person(session, int(known.view.profile.key), sight, ours=ours, today=run.now.date())
    if stuck is not None:
        return stuck
    return _carry_out(run, _corrected(known, run, exists=mailbox is not None and ours), observed, sight)


def _know(session: Session, run: Run) -> _Known | None:
    person_id = run.lease.subject.person_id
    active = active_policy(session)
    if active is None or person_id is None:
        return None
    policy = load_policy(active[1])
    view = person_view(session, person_id, run.execution.precedence)
    rows = addresses.of_person(session, person_id)
    unsettled = steps.unsettled(session, run.lease.job_id)
    return _Known(
        view=view,
        policy=policy,
        state=desired(view, policy, run.now).state.mailbox,
        primary=next((row for row in rows if row.role == Role.PRIMARY), None),
        domain_read_at=domains.domain_read_at(session, _domain(view, policy)),
        tried=any(
            row.operation == Operation.CREATE_MAILBOX and row.state in _TRIED
            for row in (*steps.of_job(session, run.lease.job_id), *unsettled)
        ),
        blocked_by=None if rows else _blocked_by(session, view, policy),
        barred=barred(session, view, policy, run.now),
        creations_paused_until=pauses.until(session, PauseKind.CREATIONS, run.now),
        places=places_of(view, policy, rows, [steps.to_step(row) for row in unsettled], run.now),
    )


def _domain(view: PersonView, policy: Policy) -> str:
    return domain_of(view.address) if view.address else home_of(view.profile.facts, policy)


def _blocked_by(session: Session, view: PersonView, policy: Policy) -> Address | None:
    try:
        return addresses.first_foreign(session, candidates(view.profile.facts, policy))
    except (NoUsableName, UnknownDomain):
        return None


def _without(known: _Known, lost: frozenset[Address]) -> _Known:
    """Go on without aliases that somebody else has; when the job is done, the person is given the next name."""
    return replace(known, view=replace(known.view, aliases=known.view.aliases - lost)) if lost else known


def _corrected(known: _Known, run: Run, *, exists: bool) -> _Known:
    """Ask again what is wanted, where the host shows otherwise than the ledger what is there."""
    view = replace(known.view, mailbox_exists=exists)
    return replace(known, view=view, state=desired(view, known.policy, run.now).state.mailbox)


def _without_address(run: Run, known: _Known) -> Outcome:
    if isinstance(known.state, Erased):
        return erase(run, known.policy)
    if not isinstance(known.state, Missing):
        return Done("nothing is wanted, and nothing is there")
    try:
        next(candidates(known.view.profile.facts, known.policy), None)
    except (NoUsableName, UnknownDomain) as error:
        return Held(str(error))
    if known.blocked_by is None:
        return Held(known.barred.why if known.barred else known.state.why)
    if is_stale(known.domain_read_at, run.now):
        read_domain(run, domain_of(known.blocked_by))  # perhaps it was freed; then everybody it stopped is evaluated
    return Held(exists_already(known.blocked_by))


def _mailbox(run: Run, known: _Known, now: datetime) -> tuple[datetime | None, Mailbox | None]:
    """Read the mailbox, unless the domain was read a moment ago (then: when) and nothing of ours can be there yet."""
    assert known.primary is not None
    read_at = known.domain_read_at
    never_made = known.primary.provenance == Provenance.RESERVED and known.primary.exists_since is None
    fresh = read_at is not None and known.primary.held_from >= read_at and not is_stale(read_at, now)
    if fresh and never_made and not known.tried:
        return read_at, None
    try:
        return None, run.client.show(mailbox_at(Address(known.primary.address)))
    except NotFound:
        return None, None


def _take_or_leave(
    session: Session, known: _Known, primary: AddressRow | None, run: Run, mailbox: Mailbox
) -> Outcome | None:
    """Decide about a mailbox that exists and that we did not make. None means that it is adopted."""
    assert primary is not None
    existing = known.policy.joining.existing
    if existing is Existing.NEXT_NAME and not known.view.mailbox_exists:
        addresses.give_up(session, primary, run.now)
        people.evaluate_soon(session, [int(known.view.profile.key)], run.now)
        return Waiting(run.now + _LOOK_AGAIN, f"{primary.address} belongs to somebody else: the next name is tried")
    if existing is Existing.ADOPT and known.view.profile.facts.get("workEmail") == primary.address:
        _take_over(session, known, run, mailbox)
        return None
    return Held(exists_already(primary.address))


def _take_over(session: Session, known: _Known, run: Run, mailbox: Mailbox) -> None:
    """Enter a mailbox as adopted with its identities, and have its person's groups name it."""
    identities = frozenset(each.address for each in mailbox.identities)
    taking = Taking(int(known.view.profile.key), mailbox.address, identities, instead_of=None)
    adoption.take_mailbox(session, taking, run.lease.job_id, run.now)
    for key in sorted(memberships.of_person(session, taking.person_id)):
        jobs.refresh(session, shared_subject(key), urgency=Urgency.CHANGE, now=run.now)


def _carry_out(run: Run, known: _Known, observed: ObservedPerson, sight: Sight) -> Outcome:
    if isinstance(known.state, Missing):
        return Held(known.state.why)
    if isinstance(known.state, Erased):
        return erase(run, known.policy)
    with run.execution.database.read() as session:
        plan = spared(session, plan_person(known.state, observed), known.policy, closed=is_closed(known.state))
    recovery = recovery_of(known.state) if isinstance(known.state, WantedMailbox) else None
    if (stuck := _obstacle(run, known, plan, recovery)) is not None:
        return stuck
    employment = known.view.profile.employment
    order = Order(
        plan=plan,
        policy=known.policy,
        secrets=Secrets(run.execution.random_password, recovery),
        source=employment.source if employment else OPERATOR,
        seen_free_at=sight.seen_free_at,
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
    if isinstance(known.state, NoMailbox) and plan.steps:
        return _without_evidence(run, known, known.state, deletes=Operation.DELETE_MAILBOX in operations)
    return None


def _without_evidence(run: Run, known: _Known, state: NoMailbox, *, deletes: bool) -> Held | None:
    """Ask the stored events before anything is done that cannot be undone."""
    if agrees(run.execution, int(known.view.profile.key), known.policy, run.now, state):
        return None
    if deletes:
        return Held("the stored events do not agree that this mailbox is to be deleted")
    return Held("the stored events do not agree that these addresses are to be handed over or given up")
