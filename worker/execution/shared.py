"""The lane of a shared address or a rewrite: write its whole list once, from the roster, with mailboxes that exist."""

from datetime import datetime, timedelta

from worker.execution.asking import found_at
from worker.execution.calls import Secrets
from worker.execution.carry_out import carry_out
from worker.execution.domain import read_domain, require_domain
from worker.execution.indexes import is_stale
from worker.execution.moving import lists_left, moves_from
from worker.execution.outcomes import Done, Held, Outcome, Waiting
from worker.execution.perform import Order, Run, intend, write_down
from worker.execution.settle import settle
from worker.execution.sparing import spared
from worker.intake.context import OPERATOR
from worker.intake.list_views import Terms, list_view
from worker.mail import Address, Alias, Rewrite, SharedKey, bare, called, domain_of, is_rewrite, local_part_of
from worker.migadu import Place, alias_at, rewrite_at
from worker.planning.observed import ObservedRewrite, ObservedShared
from worker.planning.plan import Plan
from worker.planning.shared import left_out_note, plan_shared
from worker.planning.step import StepFields
from worker.planning.urgency import Urgency
from worker.policy import DesiredShared, Policy, SharedView, desired, load_policy
from worker.store import addresses, domains, events, jobs, leases, memberships, people, staying, steps
from worker.store.addresses import SHARED_ROLES, Role
from worker.store.database import Session
from worker.store.policies import active_policy
from worker.store.subjects import Subject, SubjectKind, shared_subject
from worker.store.tables import JobRow

NOTHING_WANTED = "it is not ours, and nothing is wanted of it"
_LOOK_AGAIN = timedelta(minutes=1)
_EVALUATION = timedelta(seconds=10)
_LONGEST_FOR_THE_INBOX, _LONGEST_BEFORE_AN_END = timedelta(minutes=1), timedelta(hours=1)
_IF_A_LIST = "adopt it, if it is a list"


def run_shared(run: Run) -> Outcome:
    """Bring one shared address or rewrite to what is desired. Raises DomainGone, MigaduError, LeaseLost."""
    key = _key(run)
    if _was_foreign(run, key):
        read_domain(run, domain_of(bare(key)))  # perhaps it was freed since
    with run.execution.database.write(durable=False) as session:
        job = leases.locked(session, run.lease)
        active = active_policy(session)
        if active is None:
            return Held("no policy is active")
        policy = load_policy(active[1])
        view = list_view(session, key, Terms(policy, run.execution.precedence, run.now))
        wanted = desired(view, policy, run.now).state
        row = addresses.held(session, key)
        named = staying.named_by(row)
        exists = row is not None and row.exists_since is not None
        waiting = _wait_for_members(session, run, job, policy, view, wanted, exists=exists)
        waiting = waiting or _wait_for_blocks(session, run, job, view, wanted, named)
        if waiting is not None:
            return waiting
        moves = moves_from(session, run, view, wanted, named)
        stop = moves.put_off or _not_a_list(session, key, wanted, run.now)
        if stop is not None:
            return stop
    looked_at, shown = _observe(run, key)
    for_now = moves.keeping(wanted, shown)
    outcome = _carry_out(run, policy, for_now, (looked_at, shown))
    if not isinstance(outcome, Done):
        return outcome
    return _ended(key, wanted, outcome) if moves.waiting is None or for_now == wanted else moves.waiting


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


def _wait_for_members(
    session: Session, run: Run, job: JobRow, policy: Policy, view: SharedView, wanted: DesiredShared, *, exists: bool
) -> Waiting | None:
    """One list for many: wait until joiners' mailboxes are made, and a new policy has been asked of everybody.

    What has been told and is not applied yet may bring the next joiner: for that a list waits too, a minute at most,
    and an hour before it loses its last member, because a whole roster may be under way. A revocation waits for nobody,
    unless it ends the list: whoever left is blocked by then, and what is sent to no list is lost.
    """
    ends = exists and not wanted.destinations
    if run.lease.urgency == Urgency.REVOCATION and not ends:
        return None
    if people.any_outdated(session, policy.hash):
        return Waiting(run.now + _EVALUATION, "waits until everybody is evaluated under the active policy")
    loses_all = ends or (exists and not view.members | view.staying)
    waited, longest = run.now - job.created_at, _LONGEST_BEFORE_AN_END if loses_all else _LONGEST_FOR_THE_INBOX
    if waited < longest and (events.any_accepted(session, run.now) or people.any_due(session, run.now, policy.hash)):
        pause = jobs.FOR_THE_INBOX if waited < _LONGEST_FOR_THE_INBOX else _LOOK_AGAIN
        return Waiting(run.now + pause, jobs.INBOX_REASON)
    if memberships.creations_under_way(session, view.key, since=run.now - run.execution.patience.creations):
        return Waiting(run.now + _LOOK_AGAIN, "waits for mailboxes of members that are about to be made")
    return None


def _wait_for_blocks(
    session: Session, run: Run, job: JobRow, view: SharedView, wanted: DesiredShared, named: frozenset[Address]
) -> Waiting | None:
    """Write once instead of twice: wait until those are blocked who are about to be, where nothing else is to write."""
    is_young = run.now - job.created_at < _LONGEST_FOR_THE_INBOX
    if is_young and wanted.destinations == named and staying.any_at_work(session, view.staying):
        return Waiting(run.now + jobs.FOR_THE_INBOX, "waits until those who left are kept out of their mailboxes")
    return None


def _not_a_list(session: Session, key: SharedKey, wanted: DesiredShared, now: datetime) -> Outcome | None:
    """Reserve the address. Returns how the run ends where somebody else has it."""
    holder = addresses.reserve_shared(session, key, now)
    if holder.role in SHARED_ROLES:
        return None
    if not wanted.destinations:
        return Done(NOTHING_WANTED)
    ways = f"{_IF_A_LIST}, free it," if holder.role == Role.FOREIGN else "free it,"
    return Held(f"{key} is held by somebody else ({holder.role}): {ways} or name the group otherwise")


def _ended(key: SharedKey, wanted: DesiredShared, done: Done) -> Outcome:
    """Return how a run ends that has brought the list to what it should be."""
    note = left_out_note(bare(key), wanted)
    return Held(f"nobody gets its mail, and it has no fallback: {note}") if note and not wanted.destinations else done


def _observe(run: Run, key: SharedKey) -> tuple[datetime, Alias | Rewrite | None]:
    """Return what is there, and since when that is known."""
    looked_at = run.now  # before the look, for what arrives while it is under way it need not show
    with run.execution.database.read() as session:
        holder = addresses.held(session, key)
        tried = any(row.sent_at is not None for row in steps.of_job(session, run.lease.job_id))
        tried = tried or bool(steps.left_unsettled(session, run.lease.subject))
    is_ours = holder is not None and (holder.exists_since is not None or addresses.is_ours(holder))
    if not tried and not is_ours and (free_at := _listed_as_free(run, key)) is not None:
        return free_at, None
    shown = found_at(run, _place(key))
    if shown is None and holder is not None and holder.exists_since is not None:  # else what was in it were forgotten
        require_domain(run, domain_of(bare(key)))
    return looked_at, shown


def _listed_as_free(run: Run, key: SharedKey) -> datetime | None:
    """Return when a fresh list was read that does not name this address; None where none was: it names no rewrites."""
    index = None if is_rewrite(key) else run.execution.indexes.fresh(domain_of(bare(key)), run.now)
    return index.read_at if index is not None and bare(key) not in index.addresses else None


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
    with run.execution.database.write(durable=False) as session:
        job = leases.locked(session, run.lease)
        rows = steps.unsettled(session, run.lease.job_id)
        if (stuck := settle(session, rows, lambda _: shown, looked_at)) is not None:
            return stuck
        row = addresses.held(session, key)
        if shown is not None and not addresses.is_ours(row):
            return Held(not_ours(key)) if wanted.destinations else Done(NOTHING_WANTED)
        if row is not None and shown is None:
            row.exists_since = None  # it was deleted behind our back, or never came to be
        plan = spared(session, plan_shared(bare(key), wanted, observed(key, shown)), policy)
        order = Order(
            plan=plan,
            policy=policy,
            secrets=Secrets(run.execution.random_password),
            source=OPERATOR,
            seen_free_at=looked_at if shown is None else None,
        )
        intended = intend(session, run, job, order)
    outcome = carry_out(run, order, intended)
    _wake_those_who_wait(run, plan)
    return outcome


def _wake_those_who_wait(run: Run, plan: Plan) -> None:
    """Have those looked at whom the list names no longer, for a mailbox may go then, and the lists that wait for it."""
    taken_out = {Address(each) for step in plan.steps for each in _named(step.before) - _named(step.after)}
    taken_in = {Address(each) for step in plan.steps for each in _named(step.after) - _named(step.before)}
    if not taken_out and not taken_in:
        return
    with run.execution.database.read() as session:
        left = lists_left(session, frozenset(taken_in))
    if not taken_out and not left:
        return
    write_down(run)  # what they wait for
    with run.execution.database.write() as session:  # before the job's row is locked, for it comes after people's
        for person_id in sorted({row.person_id or 0 for row in addresses.held_among(session, taken_out).values()}):
            jobs.wake(session, Subject(SubjectKind.PERSON, str(person_id)), run.now)
        for key in left:
            jobs.wake(session, shared_subject(key), run.now)


def _named(fields: StepFields) -> frozenset[str]:
    destinations = fields.get("destinations")
    return frozenset(destinations) if isinstance(destinations, tuple) else frozenset()
