"""Evidence: before what cannot be undone, a person is folded anew from the stored events (`design.md` 3, Time)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from worker.policy import Erased, NoMailbox, PersonState, Policy, desired
from worker.roster import profile
from worker.store.database import Session
from worker.store.refolding import folded, told_of
from worker.store.views import person_view


def agrees(
    session: Session,
    precedence: Mapping[str, int],
    person_id: int,
    policy: Policy,
    now: datetime,
    wanted: NoMailbox,
) -> bool:
    """Tell whether all that was ever accepted about a person, applied or not yet, asks for what cannot be undone.

    That is for no mailbox, and for as much of what follows: addresses that are handed over, or given up.
    """
    state = _wanted_anew(session, precedence, person_id, policy, now)
    if not isinstance(state, NoMailbox):
        return False
    return wanted.aliases <= state.aliases and (state.release or not wanted.release)


def agrees_on_erasure(
    session: Session, precedence: Mapping[str, int], person_id: int, policy: Policy, now: datetime
) -> bool:
    """Tell whether all that was ever accepted about a person asks to erase them, in the transaction that does so."""
    return isinstance(_wanted_anew(session, precedence, person_id, policy, now), Erased)


def _wanted_anew(
    session: Session, precedence: Mapping[str, int], person_id: int, policy: Policy, now: datetime
) -> PersonState:
    anew = profile(folded(person_id, told_of(session, person_id)), precedence)
    view = person_view(session, person_id, precedence)
    return desired(replace(view, profile=anew), policy, now).state.mailbox
