"""Evidence: before what cannot be undone, a person is folded anew from the stored events (`design.md` 3, Time)."""

from dataclasses import replace
from datetime import datetime

from worker.execution.context import Execution
from worker.policy import NoMailbox, Policy, desired
from worker.roster import profile
from worker.store.refolding import folded, told_of
from worker.store.views import person_view


def agrees(execution: Execution, person_id: int, policy: Policy, now: datetime, wanted: NoMailbox) -> bool:
    """Tell whether all that was ever accepted about a person, applied or not yet, asks for what cannot be undone.

    That is for no mailbox, and for as much of what follows: addresses that are handed over, or given up.
    """
    with execution.database.read() as session:
        anew = profile(folded(person_id, told_of(session, person_id)), execution.precedence)
        view = person_view(session, person_id, execution.precedence)
    state = desired(replace(view, profile=anew), policy, now).state.mailbox
    if not isinstance(state, NoMailbox):
        return False
    return wanted.aliases <= state.aliases and (state.release or not wanted.release)
