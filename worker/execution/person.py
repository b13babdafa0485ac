"""A person's lane: look at their mailbox, settle what is unknown, plan, and carry the plan out."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.execution.agreement import Unagreed, ask, ask_ahead, unagreed
from worker.execution.asking import found_at
from worker.execution.calls import Secrets
from worker.execution.carry_out import carry_out
from worker.execution.domain import existing_addresses, read_domain, require_domain
from worker.execution.erasure import erase
from worker.execution.evidence import agrees
from worker.execution.indexes import SEVERAL, is_stale
from worker.execution.known import Known, know
from worker.execution.observe import Observed, observe
from worker.execution.outcomes import Done, Held, Outcome, Waiting
from worker.execution.perform import Intended, Order, Run, intend
from worker.execution.recognise import take_instead
from worker.execution.recognise_further import recognise_handed_over
from worker.execution.sight import Sight, exists_already, not_closed, see
from worker.execution.sparing import is_closed, spared
from worker.mail import Address, Mailbox, SharedKey, bare, called, domain_of
from worker.migadu import mailbox_at
from worker.planning.order import CLOSINGS, doors_first
from worker.planning.person import plan_person, recovery_of
from worker.planning.protection import never_touched
from worker.planning.step import Operation, Step
from worker.planning.urgency import Urgency
from worker.policy import Erased, Missing, NoMailbox, NoUsableName, UnknownDomain, WantedMailbox, candidates
from worker.store import addresses, jobs, leases, people, quarantines
from worker.store.addresses import Provenance
from worker.store.database import Session
from worker.store.subjects import shared_subject
from worker.store.tables import AddressRow, JobRow

_LOOK_AGAIN, _RARELY = timedelta(minutes=1), timedelta(hours=1)


def run_person(run: Run) -> Outcome:
    """Bring one person's mailbox to what is desired. Raises DomainGone, MigaduError, LeaseLost."""
    with run.execution.database.read() as session:
        known = know(session, run)
    if known is None:
        return Held("no policy is active")
    if known.view.address is None or known.primary is None:
        return _without_address(run, known)
    if known.view.address in known.policy.protected:
        return Held(never_touched(known.view.address))
    if known.named_in:
        return _behind_list(run, known, known.named_in[0])
    if isinstance(known.state, NoMailbox) and (asked := ask_ahead(run, certain=known.view.mailbox_exists)) is not None:
        return asked
    return _at_address(run, known)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A plan, and its steps written down unless somewhere else is to be looked before."""

    known: Known
    order: Order
    better: tuple[Address, ...]
    """Where a mailbox may be the person's own already."""
    intended: Intended | Held | None


def _at_address(run: Run, known: Known) -> Outcome:
    run.recorder.has_seen_pause = known.creations_paused_until is not None
    looked_at = run.now  # before the look, for what arrives while it is under way it need not show
    read_at, mailbox = _mailbox(run, known, looked_at)
    sight = see(run, mailbox, known.places, read_at or looked_at)
    with run.execution.database.write(durable=False) as session:
        people.lock(session, known.person_id)  # before the job's row, as everywhere
        job = leases.locked(session, run.lease)
        observed = observe(session, run, known, sight, looked_at)
        prepared = _prepared(session, run, job, observed, sight) if isinstance(observed, Observed) else observed
    match prepared:
        case Erased():
            return erase(run, known.policy, known.source)
        case Unagreed():
            return ask(run, prepared)
        case _Prepared():
            return _go_on(run, prepared)
        case _:
            return prepared


def _prepared(
    session: Session, run: Run, job: JobRow, observed: Observed, sight: Sight
) -> _Prepared | Erased | Unagreed | Outcome:
    known = observed.known
    if isinstance(known.state, Erased):
        return known.state
    if isinstance(known.state, Missing):
        return Held(known.state.why)
    order = _order(session, run, observed, sight)
    if (stuck := _obstacle(session, run, job, known, order)) is not None:
        return stuck
    better = _better(known, order)
    return _Prepared(known, order, better, None if better else intend(session, run, job, order))


def _go_on(run: Run, prepared: _Prepared) -> Outcome:
    known, order, intended = prepared.known, prepared.order, prepared.intended
    if intended is None:
        if (taken := take_instead(run, known.view, known.policy, prepared.better)) is not None:
            return taken
        with run.execution.database.write(durable=False) as session:
            intended = intend(session, run, leases.locked(session, run.lease), order)
    return carry_out(run, order, intended)


def _behind_list(run: Run, known: Known, key: SharedKey) -> Waiting | Held:
    """Return how a deletion waits for a list that still names the mailbox; held where nobody is about to change it."""
    with run.execution.database.read() as session:
        is_at_work = jobs.outstanding(session, shared_subject(key)) is not None
    why = f"is deleted once {called(key)} no longer names it"
    if is_at_work:
        return Waiting(run.now + _LOOK_AGAIN, why)
    if key in known.policy.protected:
        return Held(f"{why}: {never_touched(bare(key))}", look_again_at=run.now + _RARELY)
    return Held(f"{why}, and the policy keeps it there: name another fallback", look_again_at=run.now + _RARELY)


def _without_address(run: Run, known: Known) -> Outcome:
    if isinstance(known.state, Erased):
        return erase(run, known.policy, known.source)
    if not isinstance(known.state, Missing):
        return _left_alone(run, known) or Done("nothing is wanted, and nothing is there")
    try:
        next(candidates(known.view.profile.facts, known.policy), None)
    except (NoUsableName, UnknownDomain) as error:
        return Held(str(error))
    if known.blocked_by is None:
        return Held(known.barred.why if known.barred else known.state.why)
    if (taken := take_instead(run, known.view, known.policy, [known.blocked_by])) is not None:
        return taken
    if is_stale(known.domain_read_at, run.now):
        read_domain(run, domain_of(known.blocked_by))  # perhaps it was freed; then everybody it stopped is evaluated
    return Held(exists_already(known.blocked_by))


def _left_alone(run: Run, known: Known) -> Held | None:
    """Return how somebody is held who should be kept out, and whose mailbox may be one that is not ours to close."""
    is_to_be_kept_out = known.view.profile.suspended or isinstance(known.state, NoMailbox)
    if not is_to_be_kept_out or known.blocked_by is None:
        return None
    if is_stale(known.domain_read_at, run.now):
        read_domain(run, domain_of(known.blocked_by))
    with run.execution.database.read() as session:
        seen = know(session, run)
        had_another = bool(addresses.former_primaries(session, known.person_id))
    if had_another or seen is None or seen.blocked_by is None:
        return None
    return Held(not_closed(seen.blocked_by))


def _mailbox(run: Run, known: Known, now: datetime) -> tuple[datetime | None, Mailbox | None]:
    """Read the mailbox, unless the domain was read a moment ago (then: when) and nothing of ours can be there yet."""
    assert known.primary is not None
    never_made = known.primary.provenance == Provenance.RESERVED and known.primary.exists_since is None
    if never_made and not known.tried and (free_at := _listed_as_free(run, known, known.primary, now)) is not None:
        return free_at, None
    mailbox = found_at(run, mailbox_at(Address(known.primary.address)))
    if mailbox is None and known.primary.exists_since is not None:  # else the ledger would forget all that was in it
        require_domain(run, known.primary.domain)
    return None, mailbox


def _listed_as_free(run: Run, known: Known, primary: AddressRow, now: datetime) -> datetime | None:
    """Return when a list of the domain, fresh enough, was read that does not name this address; None where none was.

    Where several wait for a mailbox, it is read anew: two calls instead of one for each of them.
    """
    index = run.execution.indexes.fresh(primary.domain, now)
    if index is not None and primary.address in index.addresses:
        return None
    read_at = known.domain_read_at
    if read_at is not None and primary.held_from >= read_at and not is_stale(read_at, now):
        return read_at  # what it listed could not be reserved
    if index is None and _several_wait(run, now):
        index = run.execution.indexes.refreshed(
            primary.domain, lambda: run.now, lambda domain: existing_addresses(run, domain)
        )
    return index.read_at if index is not None and primary.address not in index.addresses else None


def _several_wait(run: Run, now: datetime) -> bool:
    with run.execution.database.read() as session:
        return jobs.due_count(session, now, at_most=SEVERAL, urgency=Urgency.JOINER) == SEVERAL


def _order(session: Session, run: Run, observed: Observed, sight: Sight) -> Order:
    """Return the plan that brings a person to what is wanted for them, with what it takes to carry it out."""
    known, wanted = observed.known, observed.known.state
    person = recognise_handed_over(session, known.person_id, wanted, observed.person)
    whole = plan_person(wanted, person)
    plan = spared(session, whole, known.policy, mailbox=person.mailbox, closed=is_closed(wanted))
    if any(step.operation in CLOSINGS for step in plan.steps):
        plan = doors_first(plan, quarantines.failing(session, run.lease.job_id))
    recovery = recovery_of(wanted) if isinstance(wanted, WantedMailbox) else None
    secrets = Secrets(run.execution.random_password, recovery)
    return Order(plan, known.policy, secrets, known.source, sight.seen_free_at)


def _creation(order: Order) -> Step | None:
    return next((step for step in order.plan.steps if step.operation is Operation.CREATE_MAILBOX), None)


def _better(known: Known, order: Order) -> tuple[Address, ...]:
    """Return where a mailbox may be the person's own already, which is to be looked at before another one is made."""
    creation = _creation(order)
    return known.passed_over.get(creation.target, ()) if creation is not None else ()


def _obstacle(session: Session, run: Run, job: JobRow, known: Known, order: Order) -> Unagreed | Outcome | None:
    """Return what stops a plan before it is even counted by a brake."""
    creation = _creation(order)
    paused_until = known.creations_paused_until
    if creation is not None and paused_until is not None and paused_until > run.now:
        return Waiting(paused_until, "the mail host takes no more mailboxes for now")
    is_invited = creation is not None and creation.after.get("password_method") == "invitation"
    if is_invited and order.secrets.recovery is None:
        return Held("the mailbox is gone at the host, and without a personalEmail nobody can be invited to a new one")
    if isinstance(known.state, NoMailbox) and order.plan.steps:
        if (disagreed := _without_evidence(session, run, known, known.state, order)) is not None:
            return disagreed
        return unagreed(session, run, order.plan, job.approved_hash)
    return None


def _without_evidence(session: Session, run: Run, known: Known, state: NoMailbox, order: Order) -> Held | None:
    """Ask the stored events before anything is done that cannot be undone."""
    if agrees(session, run.execution.precedence, known.person_id, known.policy, run.now, state):
        return None
    if any(step.operation is Operation.DELETE_MAILBOX for step in order.plan.steps):
        return Held("the stored events do not agree that this mailbox is to be deleted")
    return Held("the stored events do not agree that these addresses are to be handed over or given up")
