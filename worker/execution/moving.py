"""Gained before lost: a list drops those who moved only once the lists that they moved to name them.

So nobody is in neither, whichever is written first and whatever fails. Lists that wait for each other in a circle are
written as they come, each of them once.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from worker.execution.outcomes import Waiting
from worker.execution.perform import Run
from worker.mail import Address, Alias, Rewrite, SharedKey
from worker.planning.urgency import Urgency
from worker.policy import DesiredShared, SharedView
from worker.store import jobs, moving
from worker.store.database import Session
from worker.store.moving import Taker

_REASON = "waits until those who moved are named by the list they moved to"
_MOST_LISTS = 100
"""So many lists are looked at for a circle; past that a list is written as if it were in one."""
_Takers = Mapping[Address, frozenset[Taker]]


@dataclass(frozen=True, slots=True)
class Moves:
    """What a list does about those who moved: it waits, keeps some in what it writes before it waits, or neither."""

    waiting: Waiting | None = None
    kept: frozenset[Address] = frozenset()
    others: frozenset[Address] = frozenset()
    """Whom the list names beside them, no fallback among these: it has members until they are dropped."""

    @property
    def put_off(self) -> Waiting | None:
        """How the run ends where nothing is to be written before the others are."""
        return None if self.kept else self.waiting

    def keeping(self, wanted: DesiredShared, shown: Alias | Rewrite | None) -> DesiredShared:
        """Return what is to be written for now to a list that is there: whom it names no more is not taken in again."""
        kept = self.kept & shown.destinations if shown is not None else frozenset()
        return replace(wanted, destinations=self.others | kept) if kept else wanted


def moves_from(session: Session, run: Run, view: SharedView, wanted: DesiredShared, named: frozenset[Address]) -> Moves:
    """Return what a list does about those whom it is to drop, and whom another that is about to be written takes in.

    ``named``: whom it named when it was last written.

    It waits, so that it is written once, unless that would be in a circle. Only a revocation, and what is new where the
    other fails, is written meanwhile. For what fails longer than for a mailbox to be made, nobody waits.
    """
    destinations = wanted.destinations or frozenset()
    takers = _takers(session, run, named - destinations)
    if not takers:
        return Moves()
    lists = frozenset().union(*takers.values())
    waiting = Waiting(max(run.now + jobs.FOR_THE_INBOX, min(each.due_at for each in lists)), _REASON)
    others = destinations & (view.members | view.staying)
    if others | takers.keys() == named:
        return Moves(waiting)  # nothing is to be written but that they are dropped
    is_urgent = run.lease.urgency == Urgency.REVOCATION
    kept = frozenset(each for each in takers if is_urgent or any(taker.failing_since for taker in takers[each]))
    if kept:
        return Moves(waiting, kept, others)
    return Moves() if _is_in_a_circle(session, run, view.key, {each.key for each in lists}) else Moves(waiting)


def lists_left(session: Session, taken_in: frozenset[Address]) -> list[SharedKey]:
    """Return the lists that wait until another names these mailboxes."""
    return moving.waiting(session, _REASON, taken_in) if taken_in else []


def _takers(session: Session, run: Run, mailboxes: Collection[Address]) -> _Takers:
    if not mailboxes:
        return {}
    since = run.now - run.execution.patience.creations
    found = moving.takers(session, mailboxes)
    awaited = {
        each: frozenset(taker for taker in lists if taker.failing_since is None or taker.failing_since > since)
        for each, lists in found.items()
    }
    return {each: lists for each, lists in awaited.items() if lists}


def _is_in_a_circle(session: Session, run: Run, key: SharedKey, ahead: Collection[SharedKey]) -> bool:
    """Tell whether one of the lists ahead waits for this one, by itself or by way of others."""
    seen, unseen = {key}, set(ahead)
    while unseen:
        seen |= unseen
        if len(seen) > _MOST_LISTS:
            return True
        everybody = frozenset().union(*moving.dropped(session, unseen).values())
        unseen = {taker.key for lists in _takers(session, run, everybody).values() for taker in lists}
        if key in unseen:
            return True
        unseen -= seen
    return False
