"""The lane of a shared address or a rewrite: write its whole list once, from the roster, with mailboxes that exist."""

from datetime import datetime, timedelta

from worker.execution.calls import Secrets
from worker.execution.domain import is_stale, read_domain
from worker.execution.outcomes import Done, Held, Outcome, Waiting
from worker.execution.perform import Order, Run, perform
from worker.execution.settle import settle
from worker.execution.sparing import spared
from worker.intake.context import OPERATOR
from worker.mail import Alias, Rewrite, SharedKey, bare, called, domain_of, is_rewrite, local_part_of
from worker.migadu import NotFound, Place, alias_at, rewrite_at
from worker.planning.observed import ObservedRewrite, ObservedShared
from worker.planning.shared import left_out_note, plan_shared
from worker.planning.urgency import Urgency
from worker.policy import DesiredShared, Policy, desired, load_policy
from worker.store import addresses, domains, leases, memberships, people, steps
from worker.store.addresses import SHARED_ROLES, Role
from worker.store.database import Session
from worker.store.policies import active_policy
from worker.store.views import shared_view

NOTHING_WANTED = "it is not ours, and nothing is wanted of it"
_LOOK_AGAIN = timedelta(minutes=1)
_EVALUATION = timedelta(seconds=10)
_IF_A_LIST = "adopt it, if it is a list"


def run_shared(run: Run) -> Outcome:
    """Bring one shared address or rewrite to what is desired. Raises MigaduError, LeaseLost."""
    key = _key(run)
    if _was_foreign(run, key):
        read_domain(run, domain_of(bare(key)))  # perhaps it was freed since
    with run.execution.database.write() as session:
        leases.locked(session, run.lease)
        active = active_policy(session)
        if active is None:
            return Held("no policy is active")
        policy = load_policy(active[1])
        waiting = _wait_for_members(session, run, key, policy)
        if waiting is not None:
            return waiting
        wanted = desired(shared_view(session, key), policy, run.now).state
        holder = addresses.reserve_shared(session, key, run.now)
        if holder.role not in SHARED_ROLES:
            if not wanted.destinations:
                return Done(NOTHING_WANTED)
            ways = f"{_IF_A_LIST}, free it," if holder.role == Role.FOREIGN else "free it,"
            return Held(f"{key} is held by somebody else ({holder.role}): {ways} or name the group otherwise")
    looked_at = run.now  # before the look, for what arrives while it is under way it need not show
    outcome = _carry_out(run, policy, wanted, (looked_at, _observe(run, key)))
    note = left_out_note(bare(key), wanted)
    if isinstance(outcome, Done) and note and not wanted.destinations:
        return Held(f"nobody gets its mail, and it has no fallback: {note}")
    return outcome


def observed(key: SharedKey, shown: Alias | Rewrite | None) -> ObservedShared | ObservedRewrite:
    """Return what planning is shown of a shared address or a rewrite, None where nothing is there."""
    if is_rewrite(key):
        assert not isinstance(shown, Alias)
        return ObservedRewrite(shown)
    assert not isinstance(shown, Rewrite)
    return ObservedShared(shown)


def not_ours(key: SharedKey) -> str:
    """Return the sentence that stops us at what exists and was not made here."""
    ways = "delete it there, or name the rewrite" if is_rewrite(key) else f"{_IF_A_LIST}, delete it, or name the group"
    return f"{called(key)} exists already and was not made here: {ways} otherwise"


def _key(run: Run) -> SharedKey:
    key = run.lease.subject.shared_key
    assert key is not None, "this lane is dispatched to by the kind of its subject"
    return key


def _was_foreign(run: Run, key: SharedKey) -> bool:
    with run.execution.database.read() as session:
        holder = addresses.held(session, key)
        read_at = domains.domain_read_at(session, domain_of(bare(key)))
    return holder is not None and holder.role == Role.FOREIGN and is_stale(read_at, run.now)


def _wait_for_members(session: Session, run: Run, key: SharedKey, policy: Policy) -> Waiting | None:
    """One list for many: wait until joiners' mailboxes are made, and a new policy has been asked of everybody.

    A revocation waits for nobody.
    """
    if run.lease.urgency == Urgency.REVOCATION:
        return None
    if people.any_outdated(session, policy.hash):
        return Waiting(run.now + _EVALUATION, "waits until everybody is evaluated under the active policy")
    if memberships.creations_under_way(session, key, since=run.now - run.execution.patience.creations):
        return Waiting(run.now + _LOOK_AGAIN, "waits for mailboxes of members that are about to be made")
    return None


def _observe(run: Run, key: SharedKey) -> Alias | Rewrite | None:
    try:
        return run.client.show(_place(key))
    except NotFound:
        return None


def _place(key: SharedKey) -> Place[Alias | Rewrite]:
    target = bare(key)
    return rewrite_at(domain_of(target), local_part_of(target)) if is_rewrite(key) else alias_at(target)


def _carry_out(
    run: Run,
    policy: Policy,
    wanted: DesiredShared,
    seen: tuple[datetime, Alias | Rewrite | None],
) -> Outcome:
    key = _key(run)
    looked_at, shown = seen
    with run.execution.database.write() as session:
        leases.locked(session, run.lease)
        rows = steps.unsettled(session, run.lease.job_id)
        stuck = settle(session, rows, lambda _: shown, looked_at)
        row = addresses.held(session, key)
        ours = addresses.is_ours(row)
        if row is not None and shown is None and stuck is None:
            row.exists_since = None  # it was deleted behind our back, or never came to be
        plan = spared(session, plan_shared(bare(key), wanted, observed(key, shown)), policy)
    if stuck is not None:
        return stuck
    if shown is not None and not ours:
        return Held(not_ours(key)) if wanted.destinations else Done(NOTHING_WANTED)
    order = Order(
        plan=plan,
        policy=policy,
        secrets=Secrets(run.execution.random_password),
        source=OPERATOR,
        seen_free_at=looked_at if shown is None else None,
    )
    return perform(run, order)
