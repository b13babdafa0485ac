"""One subject's part of a preview: what a run of its lane would do, decided in the order in which the lane decides it.

Each plan leaves its effects in the rehearsal, so that the next subject is planned as it would find things.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from worker.execution.brakes import Cause, not_decided, tripped, undecided
from worker.execution.effects import enter
from worker.execution.erasure import erasure_of
from worker.execution.look import Seen, lacks
from worker.execution.previewed_looks import Looks
from worker.execution.recognise import has_their_name, is_plainly_theirs
from worker.execution.shared import not_ours, observed
from worker.execution.sight import Sight, exists_already, observed_person, places_of
from worker.execution.sparing import is_closed, spared
from worker.intake import OPERATOR, Intake
from worker.intake.evaluate import evaluate
from worker.intake.list_views import Terms, list_view
from worker.intake.pinned import barred
from worker.mail import Address, Mailbox, SharedKey, bare, called, domain_of, is_rewrite
from worker.planning.grouping import Deed, deeds_of
from worker.planning.observed import ObservedPerson
from worker.planning.person import plan_person
from worker.planning.plan import Plan
from worker.planning.protection import never_touched
from worker.planning.shared import plan_shared
from worker.planning.step import Operation
from worker.planning.urgency import Urgency
from worker.policy import (
    Decision,
    DesiredPerson,
    Erased,
    Existing,
    Missing,
    NoMailbox,
    NoUsableName,
    PersonState,
    PersonView,
    Policy,
    UnknownDomain,
    candidates,
    desired,
)
from worker.policy.handover import both
from worker.policy.instants import zone_of
from worker.store import addresses, jobs, pauses, people, steps
from worker.store.addresses import SHARED_ROLES, Provenance
from worker.store.database import Session
from worker.store.holds import Trip
from worker.store.pauses import PauseKind
from worker.store.states import JobState
from worker.store.steps import Intention
from worker.store.subjects import Subject, SubjectKind, shared_subject
from worker.store.tables import AddressRow, JobRow
from worker.store.views import person_view


class Unasked(str):
    """Why nothing of a plan would be done: nobody and nothing asks for it now."""

    __slots__ = ()


DRIFT = Unasked("the mail host differs from what was once done, and nothing has asked for a repair")


@dataclass(frozen=True, slots=True)
class Scene:
    """What a preview plans with: a session of the rehearsal, and what was seen before it began."""

    session: Session
    intake: Intake
    policy: Policy
    seen: Seen
    now: datetime
    known_domains: frozenset[str]
    """The domains that had been read into the ledger before; of others the first job to come reads each."""
    trips: list[tuple[Trip, int]]
    """What brakes stopped so far: the trip, and how many of what it counts the stopped plan has."""
    looks: Looks


@dataclass(frozen=True, slots=True)
class SubjectPlan:
    """What would be done for one subject."""

    kind: SubjectKind
    key: str
    name: str
    """A person's name; a shared address itself; what a rewrite is called."""
    address: Address | None
    plan: Plan = Plan()  # noqa: RUF009 - a frozen value
    stopped: str | None = None
    """Why nothing of the plan would be done now."""
    reads: int = 0
    """Reading calls that its lane would make."""
    next_at: datetime | None = None
    """When something changes by time alone."""
    next_step: str | None = None
    zone: ZoneInfo = ZoneInfo("UTC")  # noqa: RUF009 - a constant
    """In which a person's times are told."""
    is_unfinished: bool = False
    """Whether something is left that the calls cannot bring about, with which its job is held."""

    @property
    def needs_a_person(self) -> bool:
        """Whether it does not come to its end without somebody who decides or mends something."""
        return self.is_unfinished or (self.stopped is not None and self.is_asked_for)

    @property
    def is_asked_for(self) -> bool:
        """Whether somebody or something asks for the plan; what only drifted waits until it is reconciled."""
        return not isinstance(self.stopped, Unasked)

    @property
    def deeds(self) -> Iterator[Deed]:
        """What the plan does, in parts that can be counted and compared."""
        return deeds_of(self.plan.steps, of_list=self.kind is not SubjectKind.PERSON)

    @property
    def goes_ahead(self) -> bool:
        """Whether the plan's calls would be made."""
        return self.stopped is None and bool(self.plan.steps)

    @property
    def makes_mailbox(self) -> bool:
        """Whether a mailbox comes into being."""
        return self.goes_ahead and any(step.operation is Operation.CREATE_MAILBOX for step in self.plan.steps)


def plan_of_person(scene: Scene, person_id: int) -> SubjectPlan:
    """Return what a person's lane would do now."""
    view = person_view(scene.session, person_id, scene.intake.precedence)
    primary = addresses.held(scene.session, view.address) if view.address else None
    mailbox = scene.seen.mailboxes.get(view.address) if view.address else None
    # What is wanted depends on whether the mailbox is there, which the host knows better than the ledger.
    view = replace(view, mailbox_exists=mailbox is not None and addresses.is_ours(primary))
    decision = desired(view, scene.policy, scene.now)
    reads = _reads_of_person(scene, view, primary)
    plan, stopped = Plan(), _why_not(scene, view, decision, primary, mailbox)
    subject, is_unfinished = Subject(SubjectKind.PERSON, str(person_id)), False
    if stopped is _NEXT_NAME:
        return _with_next_name(scene, person_id, primary)
    if stopped is None:
        state = decision.state.mailbox
        is_erased = isinstance(state, Erased)
        whole = plan_person(state, _observed(scene, view, primary, mailbox))
        whole = erasure_of(scene.session, person_id) if is_erased else whole
        plan = spared(scene.session, whole, scene.policy, mailbox=mailbox, closed=is_closed(state))
        source = view.profile.employment.source if view.profile.employment else OPERATOR
        is_unfinished = plan.unfinished is not None and jobs.outstanding(scene.session, subject) is not None
        plan = replace(plan, note=both(both(plan.note, plan.unfinished), _asked_before(scene, person_id, state, plan)))
        stopped = _carried_out(scene, subject, plan, source)
    return SubjectPlan(
        kind=SubjectKind.PERSON,
        key=str(person_id),
        name=people.names(scene.session, [person_id])[person_id],
        address=view.address,
        plan=plan,
        stopped=stopped,
        reads=reads,
        next_at=decision.valid_until,
        next_step=decision.state.next_step,
        zone=zone_of(view.profile.facts, scene.policy.organisation.timezone),
        is_unfinished=is_unfinished,
    )


def _asked_before(scene: Scene, person_id: int, state: PersonState, plan: Plan) -> str | None:
    """Say which sources are asked anew before what a plan does that cannot be undone; none is, for a preview."""
    if not plan.steps or not isinstance(state, NoMailbox | Erased):
        return None
    stated = {record.source for record in people.load(scene.session, person_id).records}
    asked = sorted(stated & scene.intake.hydration.at_once.keys())
    return f"asked before, and must say again that it is so: {' and '.join(asked)}" if asked else None


def plan_of_shared(scene: Scene, key: SharedKey) -> SubjectPlan:
    """Return what the lane of a shared address or a rewrite would do now."""
    subject, shown = shared_subject(key), scene.seen.shared(key)
    view = list_view(scene.session, key, Terms(scene.policy, scene.intake.precedence, scene.now))
    wanted = desired(view, scene.policy, scene.now).state
    holder = addresses.reserve_shared(scene.session, key, scene.now)
    reads = scene.looks.at_list(key, holder)
    plan, stopped = Plan(), None
    if holder.role not in SHARED_ROLES or (shown is not None and not addresses.is_ours(holder)):
        stopped = not_ours(key) if wanted.destinations else None
    else:
        plan = spared(scene.session, plan_shared(bare(key), wanted, observed(key, shown)), scene.policy)
        if jobs.outstanding(scene.session, subject) is None:
            # A list that a joiner brings on follows when the person's job is done: it is no drift.
            jobs.refresh(scene.session, subject, urgency=Urgency.CHANGE, now=scene.now)
        stopped = _carried_out(scene, subject, plan, OPERATOR)
    address, is_unfinished = None if is_rewrite(key) else bare(key), plan.unfinished is not None
    plan = replace(plan, note=both(plan.note, plan.unfinished))
    return SubjectPlan(
        subject.kind, subject.key, called(key), address, plan, stopped, reads, is_unfinished=is_unfinished
    )


_NEXT_NAME = "somebody else has this address at the mail host: the next name is tried"


def _why_not(
    scene: Scene,
    view: PersonView,
    decision: Decision[DesiredPerson],
    primary: AddressRow | None,
    mailbox: Mailbox | None,
) -> str | None:
    """Return why a person's lane would plan nothing."""
    state = decision.state.mailbox
    if isinstance(state, Missing):
        return _no_address(scene, view) or state.why
    if view.address is None or primary is None:
        return None
    if view.address in scene.policy.protected:
        return never_touched(view.address)
    if domain_of(view.address) not in scene.policy.mail_domains:
        domains = " and ".join(scene.policy.mail_domains)
        return f"{view.address} is not an address of {domains}, which is all that was looked at"
    if mailbox is None or addresses.is_ours(primary):
        return None
    return _not_ours(scene, view, primary, mailbox)


def _no_address(scene: Scene, view: PersonView) -> str | None:
    """Return why no address could be held for somebody who needs one."""
    if view.address is not None:
        return None
    person_id, reuse_after = int(view.profile.key), scene.policy.naming.reuse_after.length
    try:
        offered = candidates(view.profile.facts, scene.policy)
        taken = addresses.first_foreign(scene.session, offered, person_id, reuse_after, scene.now)
    except (NoUsableName, UnknownDomain) as error:
        return str(error)
    if taken:
        return exists_already(taken)
    bar = barred(scene.session, view, scene.policy, scene.now)
    return bar.why if bar else None


def _not_ours(scene: Scene, view: PersonView, primary: AddressRow, mailbox: Mailbox) -> str | None:
    """Decide about a mailbox that exists and that we did not make, as its lane would. None: it is taken over."""
    existing, is_theirs = scene.policy.joining.existing, is_plainly_theirs(mailbox, view, scene.policy)
    may_be_theirs = has_their_name(mailbox, view, scene.policy)
    if existing is Existing.NEXT_NAME and not view.mailbox_exists and not may_be_theirs:
        return _NEXT_NAME
    if is_theirs or (existing is Existing.ADOPT and view.profile.facts.get("workEmail") == primary.address):
        primary.provenance, primary.exists_since = Provenance.ADOPTED, scene.now
        return None
    return exists_already(primary.address)


def _with_next_name(scene: Scene, person_id: int, primary: AddressRow | None) -> SubjectPlan:
    assert primary is not None
    addresses.give_up(scene.session, primary, scene.now)
    evaluate(scene.session, scene.intake, people.lock(scene.session, person_id), None)
    return plan_of_person(scene, person_id)


def _observed(scene: Scene, view: PersonView, primary: AddressRow | None, mailbox: Mailbox | None) -> ObservedPerson:
    aliases = {address: alias for address, alias in scene.seen.aliases.items() if address in view.held}
    sight = Sight(mailbox, aliases)
    ours = primary is None or addresses.is_ours(primary)
    rows = addresses.of_person(scene.session, int(view.profile.key))
    return observed_person(scene.session, rows, sight, ours=ours, today=scene.now.date())


def _carried_out(scene: Scene, subject: Subject, plan: Plan, source: str) -> str | None:
    """Leave a plan's effects in the rehearsal, or return why it would not be carried out."""
    if not plan.steps:
        return None
    lacking = scene.seen.lacking & {domain_of(step.mailbox or step.target) for step in plan.steps if step.is_call}
    if lacking:
        return "; ".join(map(lacks, sorted(lacking)))
    job = jobs.outstanding(scene.session, subject)
    if job is None:
        return _why_unasked(scene, subject)
    stopped = _stopped(scene, job, plan, source)
    if stopped is None:
        steps.intend(scene.session, plan.steps, Intention(job.id, job.fence, source, None), scene.now)
        for step in plan.steps:
            enter(scene.session, step, job.id, scene.now)
    return stopped


def _why_unasked(scene: Scene, subject: Subject) -> Unasked:
    if subject.person_id is None:
        return DRIFT
    last = jobs.newest_of_people(scene.session, [subject.person_id]).get(subject.person_id)
    if last is None or last.state is not JobState.DISMISSED:
        return DRIFT
    return Unasked(
        f"job {last.id} was dismissed, so this waits for an event, a policy or `mailroster jobs retry {last.id}`"
    )


def _stopped(scene: Scene, job: JobRow, plan: Plan, source: str) -> str | None:
    if job.state in (JobState.HELD, JobState.PARKED):
        return f"its job {job.id} is {job.state}: {job.reason}"
    makes = any(step.operation is Operation.CREATE_MAILBOX for step in plan.steps)
    if makes and pauses.until(scene.session, PauseKind.CREATIONS, scene.now):
        return "the mail host takes no more mailboxes for now"
    if not plan.braked or plan.is_approved(job.approved_hash):
        return None
    if (hold_id := undecided(scene.session, job, plan)) is not None:
        return not_decided(hold_id)
    trip = tripped(scene.session, plan, Cause(job.id, source), scene.policy, scene.now)
    if trip is None:
        return None
    scene.trips.append((trip, len({step.target for step in plan.braked if step.brake is trip.brake})))
    counts = f"{trip.allowed} allowed, {trip.counted} counted already{trip.rest}"
    return f"the brake on {trip.brake.value!r} would stop this: {counts}"


def _reads_of_person(scene: Scene, view: PersonView, primary: AddressRow | None) -> int:
    """A lane looks at its mailbox, and elsewhere where something is wanted of that, or may be ours."""
    subject = Subject(SubjectKind.PERSON, view.profile.key)
    if primary is None or jobs.outstanding(scene.session, subject) is None:
        return 0
    rows = addresses.of_person(scene.session, int(view.profile.key))
    places = places_of(view, scene.policy, rows, (), scene.now)
    return scene.looks.at_mailbox(scene.session, primary, scene.now) + places.calls(mailbox_exists=view.mailbox_exists)
