"""Erasing: what becomes of somebody whom a source, or the policy's stage ``purge``, asks to erase.

Erasing comes last. It neither blocks nor deletes: whatever the other stages do is done first.
"""

from dataclasses import dataclass, replace

from worker.policy.document import Policy, StageAction
from worker.policy.handover import both, released
from worker.policy.state import DesiredPerson, Erased, Missing, NoMailbox, PersonState, Untouched, WantedMailbox
from worker.policy.view import PersonView

LEAVE_FIRST = "to be erased, somebody who works here must leave first: state person.left or person.joining_cancelled"
NEVER_DELETED = "to be erased, the mailbox must go first: add a stage with delete-mailbox to leaving.stages"


@dataclass(frozen=True, slots=True)
class Ending:
    """How far somebody's time here has come to its end."""

    departing: bool
    """The last word on their employment is that it ends, or there is none."""
    gone: bool
    """And that is past."""
    over: bool
    """And so is every stage of leaving, this one apart."""


def to_be_erased(view: PersonView, policy: Policy, state: DesiredPerson, ending: Ending) -> DesiredPerson:
    """Return what somebody to be erased should have, given what they should have otherwise.

    Somebody who works here keeps what they have, and the job is held with what must be said first; so is that of
    somebody whose mailbox the policy never deletes. Nothing is made for anybody. Addresses that still receive are given
    up before, also where the policy has no stage for it.
    """
    if not ending.departing:
        return replace(state, mailbox=_held(view, state.mailbox, LEAVE_FIRST))
    if view.mailbox_exists:
        never = ending.gone and policy.leaving.offset_of(StageAction.DELETE_MAILBOX) is None
        return replace(state, mailbox=_held(view, state.mailbox, NEVER_DELETED)) if never else state
    if not ending.gone or (not ending.over and view.received):
        return state if isinstance(state.mailbox, NoMailbox) else replace(state, mailbox=Untouched("to be erased"))
    return DesiredPerson(released() if view.received else Erased(), phase=state.phase)


def _held(view: PersonView, mailbox: PersonState, why: str) -> PersonState:
    if isinstance(mailbox, WantedMailbox) and view.mailbox_exists:
        return replace(mailbox, unexpressed=both(mailbox.unexpressed, why))
    return Missing(why)
