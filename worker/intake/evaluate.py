"""Evaluate: ask what a person should have now, hold an address for them, and refresh the jobs this touches."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from itertools import chain

from worker.intake.context import Evaluating
from worker.intake.lines import note_standing, placed, standing_of
from worker.intake.linking import note_identifiers
from worker.intake.list_views import stays_listed, take_out
from worker.intake.pinned import barred
from worker.mail import Address, SharedKey, domain_of
from worker.planning.urgency import Urgency
from worker.policy import (
    Access,
    Existing,
    Missing,
    NoMailbox,
    NoUsableName,
    PersonState,
    PersonView,
    Policy,
    Renaming,
    UnknownDomain,
    Untouched,
    WantedMailbox,
    candidates,
    desired,
    display_name,
    fits,
    home_of,
    irreversible_at,
    load_policy,
    needs_address,
    needs_other_domain,
    takeover_address,
)
from worker.store import addresses, domains, events, jobs, memberships, staying, steps, waiting
from worker.store.addresses import Reservation, Role
from worker.store.database import Session
from worker.store.policies import active_policy
from worker.store.states import JobState
from worker.store.subjects import Subject, SubjectKind, shared_subject
from worker.store.tables import PersonRow
from worker.store.views import person_view

_AN_INSTANT = timedelta(microseconds=1)
_LOOK_AGAIN = timedelta(minutes=10)
"""Whoever waits for a domain's addresses is told when they are read; this is for a worker that dies in between."""

_ROLES = {Renaming.IDENTITY: Role.IDENTITY, Renaming.ALIAS: Role.ALIAS}
"""What the address is that a new name brings."""


@dataclass(frozen=True, slots=True)
class _Cause:
    """Why jobs are refreshed."""

    urgency: Urgency
    event_id: int | None
    now: datetime
    by_policy: bool = False
    """Another policy came into force since the person was last evaluated."""


def evaluate(session: Session, room: Evaluating, row: PersonRow, event_id: int | None) -> int:
    """Bring a person's addresses, memberships, next change and jobs in line with the roster and the active policy.

    ``row``: the person's, locked. Returns how many jobs were refreshed. Idempotent; what has not changed makes no job.
    Without an active policy the person waits until there is one.
    """
    now, person_id = room.clock.now(), row.id
    active = active_policy(session)
    if row.erased_at is not None:
        row.policy_hash, row.next_change_at = active[0] if active else "", None
        return 0
    stood = standing_of(row)
    view = placed(session, row, person_view(session, person_id, room.precedence))
    note_identifiers(row, view.profile.facts)
    row.evaluated_at = now
    if active is None:
        row.policy_hash, row.next_change_at = "", None
        return 0
    policy = load_policy(active[1])
    row.name = display_name(view.profile.facts, policy)
    row.takeover_address = takeover_address(view, desired(view, policy, now).state)
    note_standing(session, row, stood, now)  # before addresses and jobs: see the order of locks in ``apply``
    view = _without_address_elsewhere(session, view, policy, now)
    view, unread_domain = _with_address(session, row, view, policy, now)
    decision = desired(view, policy, now)
    row.phase, row.next_step = decision.state.phase, decision.state.next_step
    by_policy = row.policy_hash not in ("", policy.hash)
    row.next_change_at, row.policy_hash = decision.valid_until, policy.hash
    if _waits_for_address(decision.state.mailbox) and (bar := barred(session, view, policy, now)) and bar.until:
        row.next_change_at = min(bar.until, decision.valid_until or bar.until)
    stays = decision.valid_until is None and decision.state.phase in staying.EMPLOYED  # most people are
    row.irreversible_at = None if stays else irreversible_at(view, policy, now)
    if unread_domain:
        return _read_domain_first(session, row, unread_domain, now)
    if event_id is None and row.wanted_hash is None:
        event_id = events.latest_id(session, person_id)  # it was told before anything could be done about it
    cause = _Cause(_urgency(decision.state.mailbox, view), event_id, now, by_policy)
    refreshed = _refresh_person(session, row, view, decision.state.mailbox, cause)
    changed = _refresh_groups(session, person_id, decision.state.groups, cause)
    is_gone = view.mailbox_exists and decision.state.phase not in staying.EMPLOYED
    if is_gone and not stays_listed(view, decision.state.mailbox, policy):
        refreshed += take_out(session, view, decision.state.groups | changed, now)
    return refreshed + len(changed)


def _without_address_elsewhere(session: Session, view: PersonView, policy: Policy, now: datetime) -> PersonView:
    """Take back what was promised to a person in a domain where they should not be any more.

    Only while none of it exists at the host and no call may be on its way that makes it exist: else the mailbox stays.
    """
    if not needs_other_domain(view, policy, now):
        return view
    person_id = int(view.profile.key)
    rows = addresses.of_person(session, person_id)
    if any(row.exists_since is not None for row in rows) or jobs.may_be_calling(session, person_id):
        return view
    for row in rows:
        addresses.release(session, row, now)
    return replace(view, address=None, identities=frozenset(), aliases=frozenset(), withdrawn=frozenset())


def _with_address(
    session: Session, row: PersonRow, view: PersonView, policy: Policy, now: datetime
) -> tuple[PersonView, str | None]:
    """Hold an address for a person who needs one; tells the domain whose addresses must be read before.

    A record that waits for that address is linked by who is to tell others (``telling``).
    """
    if not needs_address(view, policy, now):
        return view, None
    domain = domain_of(view.address) if view.address else home_of(view.profile.facts, policy)
    if not _is_read(session, domain):
        return view, domain
    try:
        found = _kept_after_all(session, view, policy, domain) or _reserve(session, view, policy, domain, now)
    except (NoUsableName, UnknownDomain):
        return view, None  # the run says why, on the job
    if found is None:
        return view, None
    waiting.alone_with(session, found)  # a record that is heard just now is seen, or sees whose the address is
    if waiting.is_for(session, row.id):
        row.line_due_at = now
    return _holding(view, found, policy), None


def _holding(view: PersonView, found: Address, policy: Policy) -> PersonView:
    if view.address is None:
        return replace(view, address=found)
    view = replace(view, withdrawn=view.withdrawn - {found})
    if policy.renaming.strategy is Renaming.ALIAS:
        return replace(view, aliases=view.aliases | {found})
    return replace(view, identities=view.identities | {found})


def _kept_after_all(session: Session, view: PersonView, policy: Policy, domain: str) -> Address | None:
    """Keep an address that was to go, where the name behind it holds again; None where none fits."""
    role = _ROLES.get(policy.renaming.strategy)
    for row in addresses.withdrawn(session, int(view.profile.key)):
        if row.role == role and fits({Address(row.address)}, view.profile.facts, policy, domain):
            row.withdrawn_at = None
            return Address(row.address)
    return None


def _reserve(session: Session, view: PersonView, policy: Policy, domain: str, now: datetime) -> Address | None:
    """Reserve an address. One that exists at the host is passed over, stops the search or is taken: so the policy."""
    facts, existing, joins = view.profile.facts, policy.joining.existing, view.address is None
    reservation = Reservation(
        person_id=int(view.profile.key),
        role=Role.PRIMARY if joins else _ROLES[policy.renaming.strategy],
        reuse_after=policy.naming.reuse_after.length,
        stop_at_foreign=joins and existing is not Existing.NEXT_NAME,
    )
    found = addresses.reserve_first_free(session, _wanted(session, view, policy, domain), reservation, now)
    if found is None and joins and existing is Existing.ADOPT and facts.get("workEmail"):
        return addresses.claim_foreign(session, next(candidates(facts, policy)), int(view.profile.key))
    return found


def _wanted(session: Session, view: PersonView, policy: Policy, domain: str) -> Iterator[Address]:
    """Return the addresses a person may get; who comes back after giving theirs up gets the same again, if it fits."""
    facts = view.profile.facts
    offered = candidates(facts, policy, domain)
    former = addresses.former_primaries(session, int(view.profile.key)) if view.address is None else ()
    return chain((address for address in former if fits({address}, facts, policy)), offered)


def _is_read(session: Session, domain: str) -> bool:
    if domains.domain_read_at(session, domain) is not None:
        return True
    domains.lock_domain(session, domain)  # a reading that ends now is either seen here, or sees this person
    return domains.domain_read_at(session, domain) is not None


def _read_domain_first(session: Session, row: PersonRow, domain: str, now: datetime) -> int:
    row.wanted_hash, row.next_change_at = None, now + _LOOK_AGAIN
    subject = Subject(SubjectKind.DOMAIN, domain)
    if jobs.outstanding(session, subject) is None:  # one reading serves everybody who waits for it
        jobs.refresh(session, subject, urgency=Urgency.JOINER, now=now)
    return 1


def _refresh_groups(
    session: Session,
    person_id: int,
    groups: frozenset[SharedKey],
    cause: _Cause,
) -> frozenset[SharedKey]:
    """Refresh the jobs of what a person joins or leaves, and return it: what is joined goes first, to miss no mail.

    They are locked in the order of their keys (see ``apply``), so the order of work is said by their instants.
    """
    changed = memberships.replace(session, person_id, groups, cause.now)
    for key in sorted(changed):
        _refresh(session, shared_subject(key), cause, due_at=cause.now - _AN_INSTANT if key in groups else None)
    return changed


def _refresh_person(
    session: Session,
    row: PersonRow,
    view: PersonView,
    state: PersonState,
    cause: _Cause,
) -> int:
    wanted = wanted_hash(state, view.address)
    subject = Subject(SubjectKind.PERSON, view.profile.key)
    outstanding = jobs.outstanding(session, subject)
    # What a held job waits for may come with any event or policy, also one that changes nothing of what is wanted.
    waits_for_facts = outstanding is not None and outstanding.state is JobState.HELD and outstanding.hold_id is None
    if wanted == row.wanted_hash and not (waits_for_facts and (cause.event_id or cause.by_policy)):
        return 0
    row.wanted_hash = wanted
    nothing_there = not view.mailbox_exists and outstanding is None and not steps.left_unsettled(session, subject)
    if nothing_there and _wants_nothing(state, view):
        return 0
    # The block comes before the lists: until it is done somebody may get in who should not.
    _refresh(session, subject, cause, due_at=cause.now - _AN_INSTANT if cause.urgency is Urgency.REVOCATION else None)
    return 1


def _wants_nothing(state: PersonState, view: PersonView) -> bool:
    """Tell whether a person without a mailbox is to stay as they are."""
    match state:
        case WantedMailbox(create=create):
            return not create
        case NoMailbox(aliases=aliases, release=release, unexpressed=unexpressed):
            # Aliases are made or follow; those that stand go; addresses are given up; a person must say to whom.
            asks = unexpressed is not None
            return not (aliases or asks or view.redirected or view.aliases & view.received or (release and view.held))
        case _:
            return isinstance(state, Untouched)


def _refresh(session: Session, subject: Subject, cause: _Cause, due_at: datetime | None = None) -> None:
    jobs.refresh(session, subject, urgency=cause.urgency, now=cause.now, event_id=cause.event_id, due_at=due_at)


def wanted_hash(state: PersonState, address: Address | None) -> str:
    """Return a hash of what is wanted for a person: equal hashes need no second job."""
    # Nothing and "no" stay out, so that a field which another version adds makes no job for everybody by itself.
    said = {name: value for name, value in asdict(state).items() if value}
    content = {"kind": type(state).__name__, "address": address} | said
    content.pop("withdrawn", None)  # whoever withdraws asks for a job, and once they are gone nothing is to do
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=sorted).encode()).hexdigest()


def _waits_for_address(state: PersonState) -> bool:
    return isinstance(state, Missing) or (isinstance(state, WantedMailbox) and state.unexpressed is not None)


def _urgency(state: PersonState, view: PersonView) -> Urgency:
    match state:
        case WantedMailbox(access=Access.BLOCKED | Access.SUSPENDED) if view.mailbox_exists and not view.blocked_at:
            return Urgency.REVOCATION
        case WantedMailbox() | Missing() if not view.mailbox_exists:
            return Urgency.JOINER
        case _:
            return Urgency.CHANGE
