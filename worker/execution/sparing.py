"""Sparing: what a lane leaves alone of its plan, because the policy protects it, or because somebody else changed it.

The latter only where the policy says so, and where the lane runs for another reason.
"""

from worker.mail import Mailbox
from worker.planning.drift import Terms, spare
from worker.planning.plan import Plan
from worker.planning.protection import guarded
from worker.policy import Access, DriftAction, PersonState, Policy, WantedMailbox
from worker.store import addresses
from worker.store.database import Session
from worker.store.drift import known_objects


def spared(
    session: Session, plan: Plan, policy: Policy, *, mailbox: Mailbox | None = None, closed: bool = False
) -> Plan:
    """Return what is to be done of a plan.

    ``mailbox``: as it was found, for a person's plan. ``closed``: they are kept out, so no open door is left alone.
    """
    plan = guarded(plan, policy.protected, mailbox)
    actions = {policy.reconcile.default, *policy.reconcile.fields.values()}
    if not plan.steps or actions == {DriftAction.REPAIR}:
        return plan
    held = addresses.keys_held(session, [step.key for step in plan.steps])
    return spare(plan, known_objects(list(held.values())), Terms(policy.reconcile, closed=closed))


def is_closed(state: PersonState) -> bool:
    """Tell whether a person is kept out: nobody may get into their mailbox, or it is to be gone."""
    return not (isinstance(state, WantedMailbox) and state.access is Access.OPEN)
