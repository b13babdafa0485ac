"""The autoreply that a stage of leaving writes, and the person's own that is given back afterwards."""

from collections.abc import Iterator

from worker.mail import FieldValue, Mailbox
from worker.planning.fields import differing
from worker.planning.observed import ObservedPerson
from worker.planning.step import Operation, Step, StepFields
from worker.policy.state import WantedMailbox

AUTOREPLY = ("autorespond_active", "autorespond_body", "autorespond_expires_on", "autorespond_subject")
"""The fields of an autoreply."""

_END = "autorespond_expires_on"


def is_ours(desired: WantedMailbox, observed: ObservedPerson) -> bool:
    """Tell whether the autoreply is a stage's business now, and so not that of the policy's mailbox fields."""
    return bool(desired.autoreply or observed.former_autoreply)


def autoreply_steps(desired: WantedMailbox, mailbox: Mailbox, observed: ObservedPerson) -> Iterator[Step]:
    """Yield the step, if one is needed, that writes the wanted autoreply or gives back the former one.

    It is a call of its own, so that a host that takes no autoreply any more (`migadu-behaviour.md` 1.3) lets everything
    else pass.
    """
    changed = differing(desired.autoreply, mailbox.fields)
    if desired.autoreply and changed:
        # All of them, so that what is kept for the way back is complete; the end only where there is one to take away.
        after = {name: value for name, value in desired.autoreply.items() if name != _END or name in changed}
        yield Step(Operation.SET_AUTOREPLY, mailbox.address, _found(mailbox, after), after)
    if not desired.autoreply and observed.former_autoreply:
        after = {**observed.former_autoreply, **_managed(desired)}
        yield Step(Operation.END_AUTOREPLY, mailbox.address, _found(mailbox, after), after)


def _managed(desired: WantedMailbox) -> dict[str, FieldValue]:
    return {name: value for name, value in desired.fields.items() if name in AUTOREPLY}


def _found(mailbox: Mailbox, after: StepFields) -> StepFields:
    return {name: mailbox.fields.get(name) for name in after}
