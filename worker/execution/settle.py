"""Settle: steps whose fate is not known are decided by what the host shows, never by guessing or repeating.

"Absent" needs two looks, the second after the deadline of the call, because a call whose sender died may still arrive.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum, auto

from worker.execution.context import CALL_DEADLINE
from worker.execution.effects import enter
from worker.execution.outcomes import Held, Waiting
from worker.mail import Alias, Mailbox
from worker.planning.step import Operation, Step
from worker.store import steps
from worker.store.database import Session
from worker.store.states import StepState
from worker.store.tables import StepRow

SEEN_FREE_WITHIN = timedelta(minutes=1)
"""A create of unknown fate is ours only if the address was seen free so shortly before sending (`design.md` 4)."""

_NOT_READABLE = frozenset({"password", "password_method", "password_recovery_email", "password_use"})


class Found(Enum):
    """What reading back says of a step."""

    APPLIED = auto()
    NOT_APPLIED = auto()
    SOMEBODY_ELSES = auto()
    """Something is there, but not what we sent."""


def settle(
    session: Session,
    rows: list[StepRow],
    found: Callable[[Step], Found],
    now: datetime,
) -> Waiting | Held | None:
    """Decide unsettled steps by what was read. Returns None when all are decided, else how the run must end."""
    for row in rows:
        match found(steps.to_step(row)):
            case Found.APPLIED if _seen_free(row):
                steps.set_state(row, StepState.CONFIRMED, now, "confirmed by reading back")
                enter(session, steps.to_step(row), row.job_id, now)
            case Found.APPLIED | Found.SOMEBODY_ELSES:
                return Held(f"{row.target} exists, and it cannot be told whether we made it: adopt it, or free it")
            case Found.NOT_APPLIED if now >= steps.settle_after(row, CALL_DEADLINE):
                steps.set_state(row, StepState.INTENDED, now, "reading back showed that it was not applied")
            case Found.NOT_APPLIED:
                return Waiting(steps.settle_after(row, CALL_DEADLINE), "an unanswered call may still arrive")
    return None


def in_mailbox(step: Step, mailbox: Mailbox | None) -> Found:
    """Say what a person's mailbox shows of a step."""
    if step.operation is Operation.DELETE_MAILBOX:
        return Found.NOT_APPLIED if mailbox else Found.APPLIED
    if mailbox is None:
        return Found.NOT_APPLIED
    match step.operation:
        case Operation.CREATE_MAILBOX:
            return Found.APPLIED if _shows(step, mailbox) else Found.SOMEBODY_ELSES
        case Operation.CREATE_IDENTITY | Operation.UPDATE_IDENTITY:
            names = {identity.address: identity.name for identity in mailbox.identities}
            return Found.APPLIED if names.get(step.target) == step.after.get("name") else Found.NOT_APPLIED
        case Operation.DELETE_IDENTITY:
            there = step.target in {identity.address for identity in mailbox.identities}
            return Found.NOT_APPLIED if there else Found.APPLIED
        case _:
            # A change that shows nothing new (a password alone) is made again: repeating it does no harm.
            return Found.APPLIED if _shows(step, mailbox) and _differs(step) else Found.NOT_APPLIED


def in_alias(step: Step, alias: Alias | None) -> Found:
    """Say what a shared address shows of a step."""
    if step.operation is Operation.DELETE_ALIAS:
        return Found.NOT_APPLIED if alias else Found.APPLIED
    if alias is None:
        return Found.NOT_APPLIED
    if set(alias.destinations) == set(_listed(step)):
        return Found.APPLIED
    return Found.SOMEBODY_ELSES if step.operation is Operation.CREATE_ALIAS else Found.NOT_APPLIED


def _seen_free(row: StepRow) -> bool:
    if not row.operation.startswith("create-") or row.operation == Operation.CREATE_IDENTITY:
        return True  # what stands inside a mailbox of ours was put there by us
    sent_at = row.sent_at or row.intended_at
    return row.seen_free_at is not None and sent_at - row.seen_free_at <= SEEN_FREE_WITHIN


def _shows(step: Step, mailbox: Mailbox) -> bool:
    shown = {**mailbox.fields, "name": mailbox.name}
    return all(shown.get(name) == value for name, value in step.after.items() if name not in _NOT_READABLE)


def _differs(step: Step) -> bool:
    return any(step.before.get(name) != value for name, value in step.after.items() if name not in _NOT_READABLE)


def _listed(step: Step) -> tuple[str, ...]:
    listed = step.after.get("destinations")
    return listed if isinstance(listed, tuple) else ()
