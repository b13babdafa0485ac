"""What will come by time alone: when a person's state will differ, what happens then, and until when it can be undone.

Nothing here knows the stages: all is asked of ``desired`` and its ``valid_until``, so a stage that is added there comes
along by itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from worker.mail import Address
from worker.policy.desired_person import desired_person
from worker.policy.document import Policy
from worker.policy.naming import NoUsableName, UnknownDomain, candidates
from worker.policy.state import Access, Decision, DesiredPerson, Erased, Missing, NoMailbox, PersonState, WantedMailbox
from worker.policy.stepping import step_between
from worker.policy.view import PersonView

_MOST_CHANGES = 100
"""No policy has so many stages; a walk that finds more would never end."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happens to a person at an instant, if nobody says anything new until then."""

    at: datetime
    step: str
    """The policy's names of what happens, joined by ``and``."""
    irreversible: bool
    """What it takes cannot be given back."""
    undoable_until: datetime | None
    """Until when the state before it can be had back: the next irreversible change; of that itself its own instant, up
    to which it can be averted. None: as long as one likes."""


@dataclass(frozen=True, slots=True)
class _Turn:
    at: datetime
    before: DesiredPerson
    after: DesiredPerson


def timeline(view: PersonView, policy: Policy, now: datetime, until: datetime | None = None) -> tuple[Change, ...]:
    """Return what changes for a person after ``now`` and not after ``until`` (aware; None: ever), soonest first. Pure.

    Assumes that whatever is due is done at that instant: blocks are confirmed, mailboxes made and deleted, nothing is
    held. So a later stage that counts from a block may come later than told here, and never earlier.
    """
    changes: list[Change] = []
    undoable_until = None
    for turn in reversed(list(_turns(view, policy, now))):
        irreversible = is_irreversible(turn.before.mailbox, turn.after.mailbox)
        undoable_until = turn.at if irreversible else undoable_until
        step = step_between(turn.before, turn.after)
        changes.append(Change(turn.at, step, irreversible, undoable_until))
    return tuple(change for change in reversed(changes) if until is None or change.at <= until)


def irreversible_at(view: PersonView, policy: Policy, now: datetime) -> datetime | None:
    """Return when the first change comes that cannot be undone, as ``timeline`` sees it; None where none comes."""
    return next((change.at for change in timeline(view, policy, now) if change.irreversible), None)


def is_irreversible(before: PersonState, after: PersonState) -> bool:
    """Tell whether what lies between two states cannot be given back: mail, an address, or what is known."""
    if isinstance(after, Erased):
        return not isinstance(before, Erased)
    if not isinstance(after, NoMailbox):
        return False
    if not isinstance(before, NoMailbox):
        return isinstance(before, WantedMailbox)
    return bool(after.aliases - before.aliases) or (after.release and not before.release)


def served(view: PersonView, policy: Policy, state: PersonState, at: datetime) -> PersonView:
    """Return the view of a person once a state was brought about at an instant."""
    match state:
        case WantedMailbox(access=Access.BLOCKED) if view.mailbox_exists:
            return replace(view, blocked_at=view.blocked_at or at)
        case WantedMailbox(access=Access.OPEN) if view.mailbox_exists or state.create:
            return _with_mailbox(view, state.address)
        case NoMailbox(release=True):
            return _without_addresses(view)
        case NoMailbox():
            return replace(view, mailbox_exists=False, redirected=state.aliases | state.kept)
        case Missing() if view.address is None:
            return _with_first_address(view, policy)
        case _:
            return view


def _turns(view: PersonView, policy: Policy, now: datetime) -> Iterator[_Turn]:
    at, found = now, desired_person(view, policy, now)
    for _ in range(_MOST_CHANGES):
        state, former = _state(found), view
        view = served(view, policy, state.mailbox, at)
        if view != former:
            found = desired_person(view, policy, at)
        before = _state(found)
        if is_irreversible(state.mailbox, before.mailbox):
            yield _Turn(at, state, before)  # due at the very instant of what it had to wait for
        elif found.valid_until is None:
            return
        else:
            at = found.valid_until
            found = desired_person(view, policy, at)
            yield _Turn(at, before, _state(found))


def _state(found: Decision[DesiredPerson]) -> DesiredPerson:
    return replace(found.state, next_step=None)


def _with_mailbox(view: PersonView, address: Address) -> PersonView:
    received = view.received | {address}
    return replace(view, address=address, mailbox_exists=True, received=received, blocked_at=None)


def _without_addresses(view: PersonView) -> PersonView:
    none = frozenset[Address]()
    gone = replace(view, address=None, mailbox_exists=False, blocked_at=None)
    return replace(gone, identities=none, aliases=none, received=none, redirected=none)


def _with_first_address(view: PersonView, policy: Policy) -> PersonView:
    """Return the view of somebody who was given the first address and a mailbox."""
    try:
        first = next(candidates(view.profile.facts, policy), None)
    except (NoUsableName, UnknownDomain):
        return view
    return view if first is None else _with_mailbox(view, first)
