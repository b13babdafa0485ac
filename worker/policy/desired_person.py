"""What a person should have at an instant, and when that will next differ.

``person_at`` answers for one instant; ``desired_person`` looks for the first later instant with another answer among
those at which something can change, so ``valid_until`` is exact whatever the rules are.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never
from zoneinfo import ZoneInfo

from worker.mail import SharedKey, domain_of
from worker.policy.autoreply import with_autoreply
from worker.policy.document import Policy, Renaming, StageAction
from worker.policy.erasure import Ending, to_be_erased
from worker.policy.groups import groups_of
from worker.policy.handover import no_mailbox, released, still_handed_over, with_forwarding
from worker.policy.instants import days_before, zone_of
from worker.policy.leaving import NOTHING_TO_BLOCK, Departure, Stages, departure_of, stages_of
from worker.policy.mailboxes import blocked_mailbox, lives_there, open_mailbox, with_stated_address
from worker.policy.naming import fits
from worker.policy.state import Decision, DesiredPerson, NoMailbox, PersonState, Untouched, WantedMailbox
from worker.policy.stepping import step_between
from worker.policy.view import PersonView
from worker.roster.employment import Employment
from worker.roster.record import EmploymentKind

_DEPARTING = (EmploymentKind.LEFT, EmploymentKind.JOINING_CANCELLED)


def desired_person(view: PersonView, policy: Policy, now: datetime) -> Decision[DesiredPerson]:
    """Return what this person should have at ``now``, and the instant at which that next differs. Pure."""
    situation = _situation(view, policy)
    state = _state_at(situation, now)
    for instant in sorted(instant for instant in _instants(situation) if instant > now):
        after = _state_at(situation, instant)
        if after != state:
            return Decision(replace(state, next_step=step_between(state, after)), instant)
    return Decision(state, None)


def needs_address(view: PersonView, policy: Policy, now: datetime) -> bool:
    """Tell whether this person should hold an address at ``now`` and holds none that fits the current name.

    So it is at the first allocation, and after a rename where the policy's strategy adds addresses. Whose mailbox was
    adopted keeps its address, whatever the patterns say, until the name changes. Nobody who is gone, not yet due or
    suspended before having a mailbox needs one. Whether there is one to give, ``candidates`` says.
    """
    if not _works_at(_situation(view, policy), now):
        return False
    if view.address is None:
        return not view.profile.suspended
    adds = policy.renaming.strategy is not Renaming.DISPLAY_ONLY
    known = view.held | ({view.instead_of} if view.instead_of else frozenset())
    return adds and not fits(known, view.profile.facts, policy, domain_of(view.address))


def needs_other_domain(view: PersonView, policy: Policy, now: datetime) -> bool:
    """Tell whether this person holds an address and should be given one of another domain instead.

    Only before the mailbox exists: the host cannot move one (`desired` then says so).
    """
    if view.address is None or view.mailbox_exists or view.profile.suspended:
        return False
    return not lives_there(view, policy) and _works_at(_situation(view, policy), now)


@dataclass(frozen=True, slots=True)
class _Situation:
    """A person with the instants that follow from dates, zone and policy."""

    view: PersonView
    policy: Policy
    employment: Employment | None
    starts_at: datetime | None
    """When the mailbox is due: the hire date less the lead. None: since ever."""
    departure: Departure | None
    """The departure that counts, if there is one."""
    stages: Stages

    def started(self, now: datetime) -> bool:
        return self.starts_at is None or now >= self.starts_at


def _situation(view: PersonView, policy: Policy) -> _Situation:
    employment = view.profile.employment
    zone = zone_of(view.profile.facts, policy.organisation.timezone)
    departure = _departure(employment, zone) if employment else None
    stages = _stages(view, policy, departure, zone) if departure else Stages()
    hired_on = employment.hire_date if employment else None
    starts_at = days_before(hired_on, policy.joining.lead, zone) if hired_on else None
    return _Situation(view, policy, employment, starts_at, departure, stages)


def _departure(employment: Employment, zone: ZoneInfo) -> Departure | None:
    """Return the departure that counts: the stated one; of somebody who comes back, the former one."""
    if employment.kind is EmploymentKind.LEFT:
        return departure_of(employment, zone)
    if employment.kind is EmploymentKind.LEAVING_CANCELLED:
        return None
    former = employment.former_departure
    if former is None:
        is_cancelled = employment.kind is EmploymentKind.JOINING_CANCELLED
        return Departure(employment.at, employment.at, employment.known_since) if is_cancelled else None
    # While a rehire stood, nobody expected a deletion: what we know since its cancellation counts from there.
    return replace(departure_of(former, zone), known_since=max(former.received_at, employment.known_since))


def _stages(view: PersonView, policy: Policy, departure: Departure, zone: ZoneInfo) -> Stages:
    # A mailbox that was blocked and deleted keeps its place in time, so that what follows is not drawn forward.
    blocked_at = view.blocked_at or (None if view.mailbox_exists else NOTHING_TO_BLOCK)
    return stages_of(departure, policy.leaving, zone, blocked_at=blocked_at)


def _instants(situation: _Situation) -> Iterator[datetime]:
    """Yield every instant at which a state may change by time alone."""
    yield from situation.stages.due.values()
    if situation.starts_at:
        yield situation.starts_at
    if situation.departure:
        yield situation.departure.at


def _state_at(situation: _Situation, now: datetime) -> DesiredPerson:
    state = _kept_at(situation, now)
    view, stages, departure = situation.view, situation.stages, situation.departure
    departing = situation.employment is None or situation.employment.kind in _DEPARTING
    if not view.profile.purged and not (departing and stages.reached(StageAction.PURGE, now)):
        return state
    gone = departing and (departure is None or now >= departure.at)
    over = gone and not any(at > now for action, at in stages.due.items() if action is not StageAction.PURGE)
    return to_be_erased(view, situation.policy, state, Ending(departing=departing, gone=gone, over=over))


def _kept_at(situation: _Situation, now: datetime) -> DesiredPerson:
    """What a person should have whom nobody asks to erase."""
    employment = situation.employment
    if employment is None:
        return DesiredPerson(Untouched("no source has said whether this person works here"))
    match employment.kind:
        case EmploymentKind.JOINED | EmploymentKind.LEAVING_CANCELLED:
            return _employed(situation, now) if situation.started(now) else _announced(situation, now)
        case EmploymentKind.LEFT:
            return _leaving(situation, now)
        case EmploymentKind.JOINING_CANCELLED:
            return _cancelled(situation, now)
        case _:
            assert_never(employment.kind)


def _employed(situation: _Situation, now: datetime) -> DesiredPerson:
    phase = "suspended" if situation.view.profile.suspended else "active"
    return DesiredPerson(_open(situation, now), _groups(situation), phase)


def _open(situation: _Situation, now: datetime, *, create: bool = True, immediate: bool = False) -> PersonState:
    view, policy = situation.view, situation.policy
    mailbox = open_mailbox(view, policy, create=create, immediate=immediate)
    return with_stated_address(mailbox, view, policy) if _works_at(situation, now) else mailbox


def _announced(situation: _Situation, now: datetime) -> DesiredPerson:
    """Somebody whose hire date is not near yet; of somebody who comes back, the former departure goes on, frozen.

    Whose first day is put off when the mailbox is there keeps it, and may be suspended as others.
    """
    if situation.departure is None and situation.view.mailbox_exists:
        return replace(_employed(situation, now), phase="pending")
    if situation.departure is None or not situation.view.mailbox_exists:
        waiting = still_handed_over(situation.view, situation.policy) or Untouched("it is not yet time for the mailbox")
        return DesiredPerson(waiting, phase="pending")
    frozen = replace(situation, stages=situation.stages.frozen())
    return _departing(frozen, now, situation.departure, before="leaving", after="pending")


def _leaving(situation: _Situation, now: datetime) -> DesiredPerson:
    departure = situation.departure
    assert departure is not None
    if now < departure.at and not situation.started(now) and not situation.view.mailbox_exists:
        return DesiredPerson(Untouched("it is not yet time for the mailbox"), phase="pending")
    return _departing(situation, now, departure, before="leaving", after="left")


def _cancelled(situation: _Situation, now: datetime) -> DesiredPerson:
    """A hire that does not take place; a mailbox that was made ahead goes the way of a departure."""
    departure = situation.departure
    assert departure is not None
    if not situation.view.mailbox_exists and not situation.view.received:
        return DesiredPerson(Untouched("the hire was cancelled before a mailbox was made"), phase="cancelled")
    return _departing(situation, now, departure, before="leaving", after="cancelled")


def _departing(situation: _Situation, now: datetime, departure: Departure, *, before: str, after: str) -> DesiredPerson:
    phase = before if now < departure.at else after
    stages = situation.stages
    if stages.reached(StageAction.DELETE_MAILBOX, now):
        return DesiredPerson(_without_mailbox(situation, now), phase=phase)
    mailbox = _with_mailbox(situation, now, departure)
    stays_listed = not stages.reached(StageAction.LEAVE_GROUPS, now) and not isinstance(mailbox, NoMailbox)
    return DesiredPerson(mailbox, _groups(situation) if stays_listed else frozenset(), phase)


def _without_mailbox(situation: _Situation, now: datetime) -> PersonState:
    stages = situation.stages
    if stages.reached(StageAction.RELEASE_ADDRESS, now):
        return released() if situation.view.held else NoMailbox()
    to_manager = stages.reached(StageAction.ALIAS_TO_MANAGER, now)
    return no_mailbox(situation.view, situation.policy, to_manager=to_manager)


def _with_mailbox(situation: _Situation, now: datetime, departure: Departure) -> PersonState:
    view, policy, stages = situation.view, situation.policy, situation.stages
    if stages.reached(StageAction.BLOCK, now):
        mailbox: PersonState = blocked_mailbox(view, policy, immediate=departure.immediate)
    elif view.address is None and not _works_at(situation, now):
        return NoMailbox()
    else:
        mailbox = _open(situation, now, create=now < departure.at, immediate=departure.immediate)
    if not isinstance(mailbox, WantedMailbox):
        return mailbox
    if stages.reached(StageAction.AUTOREPLY, now):
        mailbox = with_autoreply(mailbox, view, policy)
    if stages.reached(StageAction.FORWARD_TO_MANAGER, now):
        mailbox = with_forwarding(mailbox, view, policy)
    return mailbox


def _works_at(situation: _Situation, now: datetime) -> bool:
    """Tell whether an address is due to this person at an instant."""
    employment, departure = situation.employment, situation.departure
    if employment is None or situation.view.profile.purged or not situation.started(now):
        return False
    if employment.kind is not EmploymentKind.LEFT:
        return employment.kind is not EmploymentKind.JOINING_CANCELLED
    # A departure alone does not say that somebody ever joined; an address that was given does.
    joined = employment.joined or situation.view.address is not None
    return (
        departure is not None and now < departure.at and joined and not situation.stages.reached(StageAction.BLOCK, now)
    )


def _groups(situation: _Situation) -> frozenset[SharedKey]:
    return groups_of(situation.view.profile.facts, situation.policy)
