"""Preview: the exact calls that would be made, found by the same rooms that would make them.

Events are accepted, applied and planned in a transaction that is rolled back. The mail host is looked at before it
begins, and nothing is written there; the database keeps nothing but what the look takes from the call budget.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from worker.bell import SilentBell
from worker.execution.context import Execution
from worker.execution.look import CALLS_OF_A_LOOK, Seen, UnknownMailDomain, look_at, seen_together
from worker.execution.preview_brakes import Braked, braked_in
from worker.execution.previewed import Scene, SubjectPlan, plan_of_person, plan_of_shared
from worker.execution.previewed_looks import Looks
from worker.execution.previewed_others import tell_others
from worker.execution.quiet import given_up, not_quiet
from worker.execution.rehearsal import rehearsed
from worker.intake import Intake, accept, activate_policy, apply_next
from worker.intake.evaluate import evaluate
from worker.mail import SharedKey, domain_of, is_rewrite
from worker.planning.cost import cost_s
from worker.planning.grouping import Group, grouped
from worker.policy import Policy, load_policy
from worker.store import addresses, domains, events, jobs, memberships, people, shared_addresses
from worker.store.forgetting import ERASED
from worker.store.policies import active_policy
from worker.store.states import EventState
from worker.store.subjects import SubjectKind, subject_of
from worker.store.tables import EventRow, PersonRow

_PAGE = 500


@dataclass(frozen=True, slots=True)
class OfEvents:
    """What these events of a source would bring about, after those that were accepted before."""

    source: str
    documents: Sequence[object]


@dataclass(frozen=True, slots=True)
class OfPerson:
    """What would be done for one person as things stand."""

    person_id: int


@dataclass(frozen=True, slots=True)
class OfEverybody:
    """What would be done for everybody as things stand."""


Question = OfEvents | OfPerson | OfEverybody


class NothingToPreviewBy(RuntimeError):
    """No policy is active, and none was given."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The answer: a plan for each subject that was looked at, and what all of them cost."""

    subjects: tuple[SubjectPlan, ...]
    notes: tuple[str, ...]
    """What became of events that touch nobody, or of a person about whom there is nothing to do any more."""
    writes: int
    reads: int
    seconds: float
    """How long the call limit makes these calls take, from a budget that nobody has used yet."""
    brakes: tuple[Braked, ...] = ()
    """The brakes that would hold something."""

    @property
    def groups(self) -> tuple[Group, ...]:
        """What would be done, told in few lines."""
        asked_for = (each for each in self.subjects if each.is_asked_for)
        return grouped({deed: each.goes_ahead for each in asked_for for deed in each.deeds})


def preview(execution: Execution, intake: Intake, question: Question, policy_text: str | None = None) -> Preview:
    """Return what would be done, under the active policy or under the text of another one.

    Raises NothingToPreviewBy, PolicyInvalid, EventsRefused, UnknownMailDomain, MigaduError, NoCallNow.
    """
    if policy_text is None:
        policy_text = _active(execution)
    return preview_on(execution, intake, question, policy_text, look_for(execution, load_policy(policy_text)))


def look_for(execution: Execution, *policies: Policy) -> Seen:
    """Look at what a preview under these policies plans against.

    A domain that the account lacks stops the plans that need it and no other. Raises UnknownMailDomain where it lacks
    them all, MigaduError, NoCallNow.
    """
    domains = dict.fromkeys(domain for policy in policies for domain in policy.mail_domains)
    rewrites = any(_may_touch_rewrites(execution, policy) for policy in policies)
    seen = seen_together(_look_or_lack(execution, domain, rewrites=rewrites) for domain in domains)
    if seen.lacking == domains.keys():
        raise UnknownMailDomain(next(iter(domains)))
    return seen


def _look_or_lack(execution: Execution, domain: str, *, rewrites: bool) -> Seen:
    try:
        return look_at(execution, domain, rewrites=rewrites)
    except UnknownMailDomain:
        return Seen({}, {}, lacking=frozenset({domain}))


def preview_on(execution: Execution, intake: Intake, question: Question, policy_text: str, seen: Seen) -> Preview:
    """Return what would be done under the text of a policy, on a look that was taken before. Raises as ``preview``."""
    policy = load_policy(policy_text)
    with rehearsed(execution.database) as database, database.read() as session:
        quiet = replace(intake, database=database, bell=SilentBell())
        now = execution.clock.now()
        activate_policy(session, policy_text, now)
        known = frozenset(each for each in policy.mail_domains if domains.domain_read_at(session, each) is not None)
        for domain in policy.mail_domains:
            addresses.forget_foreign(session, domain, seen.addresses, now)
            domains.set_domain_read(session, domain, now)
        addresses.note_foreign(session, seen.addresses, now)
        scene = Scene(session, quiet, policy, seen, now, known, trips=[], looks=Looks(known))
        who, notes = _asked(scene, question)
        subjects = _plans(scene, *who)
    costed = _costed(execution, subjects, notes, looks=CALLS_OF_A_LOOK * len(_read_first(subjects, scene)))
    return replace(costed, brakes=braked_in(scene))


def _read_first(subjects: list[SubjectPlan], scene: Scene) -> set[str]:
    """Return the domains that jobs to come read before anybody is given an address there."""
    domains = {domain_of(each.address) for each in subjects if each.kind is SubjectKind.PERSON and each.address}
    return domains - scene.known_domains


def _may_touch_rewrites(execution: Execution, policy: Policy) -> bool:
    """Tell whether a call must be spent on what rewrites there are."""
    with execution.database.read() as session:
        held = shared_addresses.every(session)
    return bool(policy.rewrites) or any(is_rewrite(row.address) for row in held)


def _active(execution: Execution) -> str:
    with execution.database.read() as session:
        active = active_policy(session)
    if active is None:
        raise NothingToPreviewBy("no policy is active yet: name one with --policy, or start a worker once")
    return active[1]


_Who = tuple[list[int], set[SharedKey]]


def _asked(scene: Scene, question: Question) -> tuple[_Who, tuple[str, ...]]:
    """Bring the rehearsal to where it answers the question: whom to plan for, and what else is to be said."""
    match question:
        case OfEvents():
            return _apply(scene, question)
        case OfPerson(person_id) if people.is_erased(scene.session, person_id):
            return ([], set()), (f"person {person_id}: {ERASED}",)
        case OfPerson(person_id):
            before = memberships.of_person(scene.session, person_id)
            row = people.lock(scene.session, person_id)
            if not given_up(scene.session, scene.policy, [row], scene.now):
                evaluate(scene.session, scene.intake, row, None)
            after = memberships.of_person(scene.session, person_id)
            return ([person_id], {*(before ^ after), *(after & _outstanding(scene))}), ()
        case OfEverybody():
            return _everybody(scene), ()


def _everybody(scene: Scene) -> _Who:
    while events.any_accepted(scene.session, scene.now):
        apply_next(scene.intake)
    everybody: list[int] = []
    last = 0
    while page := people.page(scene.session, after=last, limit=_PAGE):
        last = page[-1].id
        everybody += [row.id for row in page if row.erased_at is None]
        for person_id in _to_evaluate(scene, page):
            evaluate(scene.session, scene.intake, people.lock(scene.session, person_id), None)
    tell_others(scene, everybody)
    return everybody, _outstanding(scene)


def _to_evaluate(scene: Scene, page: Sequence[PersonRow]) -> list[int]:
    found = not_quiet(scene.session, scene.intake, scene.policy, page)
    left = given_up(scene.session, scene.policy, page, scene.now)
    return [each for each in found if each not in left]


def _apply(scene: Scene, question: OfEvents) -> tuple[_Who, tuple[str, ...]]:
    receipts = accept(scene.intake, question.source, question.documents)
    ids = {receipt.id for receipt in receipts}
    while any(_waits(scene, row) for row in _rows(scene, ids)):
        apply_next(scene.intake)
    rows = _rows(scene, ids)
    touched = {row.person_id for row in rows if row.person_id is not None}
    notes = tuple(f"event {row.ce_id}: {row.reason or row.state.value}" for row in rows if row.person_id is None)
    others, lists = tell_others(scene, touched)
    return (sorted(touched | others), _outstanding(scene, ids) | lists), notes


def _rows(scene: Scene, ids: set[int]) -> list[EventRow]:
    return [row for event_id in sorted(ids) if (row := events.get(scene.session, event_id)) is not None]


def _waits(scene: Scene, row: EventRow) -> bool:
    return row.state is EventState.ACCEPTED and (row.retry_at is None or row.retry_at <= scene.now)


def _outstanding(scene: Scene, event_ids: set[int] | None = None) -> set[SharedKey]:
    """Return the shared addresses and rewrites that have a job to come, all or those that certain events caused."""
    return {
        key
        for row in jobs.outstanding_by_subject(scene.session)
        if (key := subject_of(row).shared_key) is not None and (event_ids is None or row.event_id in event_ids)
    }


def _plans(scene: Scene, person_ids: list[int], shared: set[SharedKey]) -> list[SubjectPlan]:
    """Plan for people first, because lists name only mailboxes that exist by then."""
    plans = [plan_of_person(scene, person_id) for person_id in person_ids]
    for plan in plans:
        if plan.makes_mailbox:
            shared |= memberships.of_person(scene.session, int(plan.key))
    return plans + [plan_of_shared(scene, key) for key in sorted(shared)]


def _costed(execution: Execution, subjects: list[SubjectPlan], notes: tuple[str, ...], *, looks: int) -> Preview:
    writes = sum(each.plan.cost for each in subjects if each.goes_ahead)
    reads = sum(each.reads for each in subjects) + looks
    return Preview(tuple(subjects), notes, writes, reads, calls_take_s(execution, writes + reads))


def calls_take_s(execution: Execution, calls: int) -> float:
    """Return how long the call limit makes so many calls take, in seconds, from a budget that nobody has used yet."""
    limit = execution.budget.limit
    # What is kept for revocations is not there for the others.
    per_window = (limit.calls - limit.reserve, limit.window.total_seconds()) if limit else None
    return cost_s(calls, per_window)
