"""What the policy is shown of lists: the members that exist, and who stays though the roster says that they left.

Whoever is gone and still gets into their mailbox, because a brake or anything else stops the block, stays in the lists
that name them: the mail goes on to be read by who reads it until somebody decides. Whoever moves from list to list
stays in the one they left until the one they joined names them, for a day at most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.mail import Address, SharedKey, bare, domain_of
from worker.policy import PersonState, PersonView, Policy, SharedView, desired, is_yet_to_be_blocked
from worker.store import addresses, memberships, staying
from worker.store.database import Session
from worker.store.staying import Gain
from worker.store.views import person_views

_LONGEST_MOVE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Terms:
    """By what it is decided who stays."""

    policy: Policy
    precedence: Mapping[str, int]
    now: datetime
    waits_for_moves: bool = True
    """Whether somebody stays until the list they joined names them: for a preview, which tells how it ends, nobody."""


def list_view(session: Session, key: SharedKey, terms: Terms) -> SharedView:
    """Return a shared address or a rewrite as ``list_views`` does."""
    return list_views(session, [key], terms)[key]


def list_views(session: Session, shared: Sequence[SharedKey], terms: Terms) -> Mapping[SharedKey, SharedView]:
    """Return the views of many shared addresses and rewrites, in few queries for each domain."""
    members = memberships.members_at_host(session, shared)
    held = addresses.keys_held(session, shared)
    former = {each: staying.named_by(held.get(each)) - members[each] for each in shared}
    everybody = frozenset().union(*former.values())
    if not everybody:
        return {each: SharedView(each, members[each]) for each in shared}
    blocks, moves = _yet_to_be_blocked(session, everybody, terms), _moving(session, everybody, terms)
    return {each: _view(each, members[each], former[each], blocks, moves) for each in shared}


def stays_listed(view: PersonView, state: PersonState, policy: Policy) -> bool:
    """Tell whether somebody stays in the lists that name them, whatever the roster says.

    What is protected is never blocked, so nobody waits for that.
    """
    return is_yet_to_be_blocked(view, state) and view.address not in policy.protected


def _view(
    key: SharedKey,
    members: frozenset[Address],
    former: frozenset[Address],
    blocks: frozenset[Address],
    moves: Mapping[Address, datetime],
) -> SharedView:
    ends = [moves[each] for each in former - blocks if each in moves]
    return SharedView(key, members, former & (blocks | moves.keys()), stay_ends_at=min(ends, default=None))


def _yet_to_be_blocked(session: Session, former: frozenset[Address], terms: Terms) -> frozenset[Address]:
    """Return those of former members who are gone and whose block is not confirmed."""
    views = person_views(session, staying.unblocked_departed(session, former), terms.precedence).values()
    return frozenset(
        view.address
        for view in views
        if view.address and stays_listed(view, desired(view, terms.policy, terms.now).state.mailbox, terms.policy)
    )


def _moving(session: Session, former: frozenset[Address], terms: Terms) -> Mapping[Address, datetime]:
    """Return those of former members whom a list of the same domain is still to name, and until when that counts."""
    found = staying.gains(session, former, terms.now - _LONGEST_MOVE) if terms.waits_for_moves else []
    there = [gain for gain in found if domain_of(bare(gain.key)) == domain_of(gain.member)]
    at_work = staying.lists_at_work(session) if there else {}
    there = [gain for gain in there if gain.key in at_work]
    held = addresses.keys_held(session, {gain.key for gain in there})
    named = {key: staying.named_by(row) for key, row in held.items()}
    return _last_of_each([gain for gain in there if gain.member not in named.get(gain.key, ())])


def _last_of_each(gains: Sequence[Gain]) -> Mapping[Address, datetime]:
    return {gain.member: gain.since + _LONGEST_MOVE for gain in sorted(gains, key=lambda gain: gain.since)}
