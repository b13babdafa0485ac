"""Comparing what was seen of a domain with what is wanted: many subjects in a few queries, and in no call at all."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from worker.execution.look import Seen
from worker.execution.shared import observed as observed_list
from worker.execution.sight import Sight, joined
from worker.execution.sparing import is_closed
from worker.intake.list_views import Terms as ListTerms
from worker.intake.list_views import list_views
from worker.mail import DOORS, Address, FieldValue, Forwarding, Mailbox, SharedKey, bare
from worker.planning.autoreply import AUTOREPLY
from worker.planning.autoreply import is_ours as is_ours_now
from worker.planning.drift import Drift, Finding, Known, Terms, drift_of
from worker.planning.fields import RECOVERY
from worker.planning.observed import ObservedPerson
from worker.planning.person import plan_person
from worker.planning.plan import Plan
from worker.planning.protection import guarded
from worker.planning.shared import plan_shared
from worker.policy import DriftAction, Missing, PersonState, PersonView, Policy, WantedMailbox, desired
from worker.store import addresses, jobs
from worker.store.addresses import SHARED_ROLES, Provenance, Role, is_ours
from worker.store.database import Session
from worker.store.drift import Agreed, known_objects
from worker.store.subjects import Subject, SubjectKind, shared_subject
from worker.store.tables import AddressRow, JobRow
from worker.store.views import person_views

_CLOCKS_DIFFER = timedelta(seconds=5)
"""A job that ended so shortly before the host was read may have ended after it by another machine's clock."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What everybody is compared with."""

    policy: Policy
    precedence: Mapping[str, int]
    seen: Seen
    read_at: datetime
    """When the lists were asked for: what a job did from then on may be missing in them."""

    @property
    def now(self) -> datetime:
        """The instant whose state is wanted."""
        return self.read_at

    @property
    def at_work_since(self) -> datetime:
        """Jobs that ended later count as still going on."""
        return self.read_at - _CLOCKS_DIFFER


@dataclass(frozen=True, slots=True)
class Compared:
    """One subject that was compared."""

    subject: Subject
    findings: tuple[Finding, ...] = ()
    job_id: int | None = None
    """The job that is outstanding, or was at work while the host was read."""
    note: str | None = None
    agreed: Sequence[Agreed] = ()
    """What the host shows as it is wanted, and the ledger does not know yet."""


def compare_people(session: Session, scene: Scene, person_ids: Sequence[int]) -> Iterator[Compared]:
    """Yield every one of these people who holds the address of a mailbox that is ours to compare."""
    views = person_views(session, person_ids, scene.precedence)
    held = addresses.of_people(session, person_ids)
    inside = addresses.held_among(session, _identities(scene, held.values()))
    at_work = jobs.at_work_since(session, SubjectKind.PERSON, [str(each) for each in person_ids], scene.at_work_since)
    for person_id in person_ids:
        view, job = views[person_id], at_work.get(str(person_id))
        compared = _person(scene, view, held[person_id], inside, under_way=job is not None)
        if compared is not None:
            yield replace(compared, job_id=job.id if job else None)


def compare_shared(session: Session, scene: Scene, shared: Sequence[SharedKey]) -> Iterator[Compared]:
    """Yield every one of these shared addresses and rewrites that is ours to compare."""
    views = list_views(session, shared, ListTerms(scene.policy, scene.precedence, scene.now))
    held = addresses.keys_held(session, shared)
    at_work = _lists_at_work(session, scene, shared)
    for key in shared:
        row, shown, job = held.get(key), scene.seen.shared(key), at_work.get(key)
        is_others = (row is not None and row.role not in SHARED_ROLES) or (shown is not None and not is_ours(row))
        if is_others or key in scene.policy.protected:
            continue
        wanted = desired(views[key], scene.policy, scene.now).state
        whole = plan_shared(bare(key), wanted, observed_list(key, shown))
        terms = Terms(scene.policy.reconcile, under_way=job is not None)
        known = known_objects([row] if row else ())
        agrees = wanted.destinations is not None and not whole.steps and job is None
        fields = {"destinations": tuple(sorted(wanted.destinations or ())), **wanted.fields}
        yield Compared(
            subject=shared_subject(key),
            findings=drift_of(guarded(whole, scene.policy.protected), known, terms),
            job_id=job.id if job else None,
            agreed=_news(known, {key: fields}) if agrees else (),
        )


def _lists_at_work(session: Session, scene: Scene, keys: Sequence[SharedKey]) -> Mapping[SharedKey, JobRow]:
    """Return the jobs of shared addresses and rewrites that are outstanding, or were while the host was read."""
    found: dict[SharedKey, JobRow] = {}
    for kind in (SubjectKind.SHARED, SubjectKind.REWRITE):
        subjects = [subject.key for key in keys if (subject := shared_subject(key)).kind is kind]
        rows = jobs.at_work_since(session, kind, subjects, scene.at_work_since)
        found |= {key: row for key in keys if (row := rows.get(bare(key))) and shared_subject(key).kind is kind}
    return found


def unmanaged(session: Session, scene: Scene, some: Sequence[Address]) -> Iterator[Finding]:
    """Yield what stands at these addresses and is neither ours nor about to be, as when a job is making it."""
    held = addresses.held_among(session, some)
    people = [str(row.person_id) for row in held.values() if row.person_id is not None and not is_ours(row)]
    at_work = {
        **jobs.at_work_since(session, SubjectKind.PERSON, people, scene.at_work_since),
        **jobs.at_work_since(session, SubjectKind.SHARED, some, scene.at_work_since),
    }
    homes = scene.seen.identities()
    for address in some:
        row = held.get(address)
        is_being_made = (
            row is not None
            and row.provenance == Provenance.RESERVED
            and (str(row.person_id) in at_work or address in at_work)
        )
        if not is_ours(row) and not (row and row.alias_to) and not is_being_made:
            noun = "mailbox" if address in scene.seen.mailboxes else "identity" if address in homes else "alias"
            yield Finding(Drift.UNMANAGED, address, noun, mailbox=homes.get(address))


def unmanaged_rewrites(session: Session, scene: Scene) -> Iterator[Finding]:
    """Yield the rewrites that are neither ours nor about to be."""
    keys = sorted(scene.seen.rewrites)
    held, at_work = addresses.keys_held(session, keys), _lists_at_work(session, scene, keys)
    for key in keys:
        if not is_ours(held.get(key)) and not (key in held and key in at_work):
            yield Finding(Drift.UNMANAGED, bare(key), "rewrite")


def _identities(scene: Scene, held: Iterable[Sequence[AddressRow]]) -> list[Address]:
    mailboxes = (scene.seen.mailboxes.get(Address(row.address)) for rows in held for row in rows)
    return [identity.address for mailbox in mailboxes if mailbox for identity in mailbox.identities]


def _person(
    scene: Scene,
    view: PersonView,
    rows: Sequence[AddressRow],
    inside: Mapping[Address, AddressRow],
    *,
    under_way: bool,
) -> Compared | None:
    primary = next((row for row in rows if row.role == Role.PRIMARY), None)
    if primary is None:
        return None  # they gave it up since they were asked for
    address = Address(primary.address)
    mailbox = _with_our_forwarding(scene.seen.mailboxes.get(address), primary)
    if address in scene.policy.protected or (mailbox is not None and not is_ours(primary)):
        return None
    subject = Subject(SubjectKind.PERSON, view.profile.key)
    now_there = replace(view, mailbox_exists=mailbox is not None)
    state = desired(now_there, scene.policy, scene.now).state.mailbox
    sight = Sight(mailbox, {each: alias for each in view.held if (alias := scene.seen.aliases.get(each))})
    observed = joined(rows, inside, sight, ours=True, today=scene.now.date())
    whole = plan_person(state, observed)
    plan = guarded(whole, scene.policy.protected, mailbox)
    terms = Terms(scene.policy.reconcile, closed=is_closed(state), under_way=under_way)
    in_it = [inside[each.address] for each in mailbox.identities if each.address in inside] if mailbox else []
    known = known_objects([*rows, *in_it])
    findings = drift_of(plan, known, terms)
    if mailbox is None and view.mailbox_exists and not plan.steps and not under_way:
        before = desired(view, scene.policy, scene.now).state.mailbox
        return _not_made_again(subject, address, before, state)
    agreed = {} if under_way else _agreed(state, observed, whole)
    return Compared(subject, findings, agreed=_news(known, agreed))


def _not_made_again(subject: Subject, address: Address, before: PersonState, state: PersonState) -> Compared:
    """A mailbox that is gone, was to be kept, and is not made anew: a job takes note of that, or is held."""
    if not isinstance(before, WantedMailbox):
        return Compared(subject)
    why = state.why if isinstance(state, Missing) else "it is not made again: this person does not work here any more"
    return Compared(subject, (Finding(Drift.MISSING, address, "mailbox", action=DriftAction.REPAIR),), note=why)


def _with_our_forwarding(mailbox: Mailbox | None, primary: AddressRow) -> Mailbox | None:
    """Take our forwarding for being there where a list shows none at all.

    The list may show none although mail is forwarded (`migadu-behaviour.md` 1.3); only a call of its own would tell.
    """
    if mailbox is None or mailbox.forwardings or primary.forwards_to is None:
        return mailbox
    return replace(mailbox, forwardings=frozenset({Forwarding(Address(primary.forwards_to))}))


def _agreed(state: PersonState, observed: ObservedPerson, whole: Plan) -> Mapping[SharedKey, Mapping[str, FieldValue]]:
    """Return the fields that are wanted of the mailbox and its identities and that no step changes."""
    mailbox = observed.mailbox
    if not isinstance(state, WantedMailbox) or mailbox is None:
        return {}
    changed = {(step.target, name) for step in whole.steps for name in step.after}
    not_told = {RECOVERY, *(DOORS if is_closed(state) else ()), *(AUTOREPLY if is_ours_now(state, observed) else ())}
    fields = {name: value for name, value in state.fields.items() if name not in not_told} | {"name": state.name}
    if is_closed(state):
        fields |= dict.fromkeys(DOORS, False)
    wanted = {mailbox.address: fields}
    for identity in mailbox.identities:
        if identity.address in state.identities:
            wanted[identity.address] = {"name": state.name}
    return {
        target: {name: value for name, value in fields.items() if (target, name) not in changed}
        for target, fields in wanted.items()
    }


def _news(known: Known, agreed: Mapping[SharedKey, Mapping[str, FieldValue]]) -> tuple[Agreed, ...]:
    """Return what is agreed and not in the ledger yet, of objects that are ours."""
    news = (
        Agreed(target, known[target].written, {**known[target].written, **fields})
        for target, fields in agreed.items()
        if target in known and known[target].stands
    )
    return tuple(each for each in news if each.known != each.shown)
