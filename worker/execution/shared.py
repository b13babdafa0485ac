"""A shared address's lane: write its whole list once, from the roster, naming only mailboxes that exist."""

from datetime import datetime, timedelta

from worker.execution.calls import Secrets
from worker.execution.domain import is_stale, read_domain
from worker.execution.outcomes import Held, Outcome, Waiting
from worker.execution.perform import Order, Run, perform
from worker.execution.settle import settle
from worker.execution.sparing import spared
from worker.intake.context import OPERATOR
from worker.mail import Address, Alias, domain_of
from worker.migadu import NotFound, alias_at
from worker.planning.observed import ObservedShared
from worker.planning.shared import plan_shared
from worker.planning.urgency import Urgency
from worker.policy import DesiredShared, Policy, desired, load_policy
from worker.store import addresses, jobs, steps
from worker.store.addresses import Role
from worker.store.database import Session
from worker.store.policies import active_policy
from worker.store.views import shared_view

_LOOK_AGAIN = timedelta(minutes=1)


def run_shared(run: Run) -> Outcome:
    """Bring one shared address to what is desired. Raises MigaduError, LeaseLost."""
    address = Address(run.lease.subject.key)
    if _was_foreign(run, address):
        read_domain(run, domain_of(address))  # perhaps it was freed since
    with run.execution.database.write() as session:
        jobs.locked(session, run.lease)
        active = active_policy(session)
        if active is None:
            return Held("no policy is active")
        policy = load_policy(active[1])
        waiting = _wait_for_creations(session, run, address)
        if waiting is not None:
            return waiting
        wanted = desired(shared_view(session, address), policy, run.now).state
        holder = addresses.reserve_shared(session, address, run.now)
        if holder.role != Role.SHARED:
            return Held(f"{address} is held by somebody else ({holder.role}), so it cannot be a shared address")
    looked_at = run.now  # before the look, for what arrives while it is under way it need not show
    return _carry_out(run, policy, wanted, (looked_at, _observe(run, address)))


def _was_foreign(run: Run, address: Address) -> bool:
    with run.execution.database.read() as session:
        holder = addresses.held(session, address)
        read_at = addresses.domain_read_at(session, domain_of(address))
    return holder is not None and holder.role == Role.FOREIGN and is_stale(read_at, run.now)


def _wait_for_creations(session: Session, run: Run, address: Address) -> Waiting | None:
    """One list for many joiners: wait until their mailboxes are made. A revocation waits for nobody."""
    if run.lease.urgency == Urgency.REVOCATION:
        return None
    if not addresses.creations_under_way(session, address, since=run.now - run.execution.patience.creations):
        return None
    return Waiting(run.now + _LOOK_AGAIN, "waits for mailboxes of members that are about to be made")


def _observe(run: Run, address: Address) -> Alias | None:
    try:
        return run.client.show(alias_at(address))
    except NotFound:
        return None


def _carry_out(
    run: Run,
    policy: Policy,
    wanted: DesiredShared,
    seen: tuple[datetime, Alias | None],
) -> Outcome:
    address = Address(run.lease.subject.key)
    looked_at, alias = seen
    with run.execution.database.write() as session:
        jobs.locked(session, run.lease)
        rows = steps.unsettled(session, run.lease.job_id)
        stuck = settle(session, rows, lambda _: alias, looked_at)
        row = addresses.held(session, address)
        ours = addresses.is_ours(row)
        if row is not None and alias is None and stuck is None:
            row.exists_since = None  # it was deleted behind our back, or never came to be
        plan = spared(session, plan_shared(address, wanted, ObservedShared(alias)), policy)
    if stuck is not None:
        return stuck
    if alias is not None and not ours:
        return Held(f"{address} exists already and was not made here: delete it there, or name the group otherwise")
    order = Order(
        plan=plan,
        policy=policy,
        secrets=Secrets(run.execution.random_password),
        source=OPERATOR,
        seen_free_at=looked_at if alias is None else None,
    )
    return perform(run, order)
