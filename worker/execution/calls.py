"""The one call that each step is. Passwords are made here, at the last moment, and are kept nowhere."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from worker.mail import Alias, FieldValue, Identity, Mailbox
from worker.migadu import (
    Invitation,
    MigaduClient,
    Password,
    Place,
    Write,
    alias_at,
    create,
    delete,
    identity_at,
    mailbox_at,
    update,
)
from worker.planning.step import RANDOM_PASSWORD, Operation, Step

_PLACEHOLDERS = ("password", "password_method", "password_recovery_email")
"""What a plan shows of a credential; the real ones go into the call alone."""

_ON_ALIASES = (Operation.CREATE_ALIAS, Operation.UPDATE_ALIAS, Operation.DELETE_ALIAS)


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a plan only has placeholders for."""

    random_password: Callable[[], str]
    recovery: str | None = None
    """Where an invitation goes."""


def make(client: MigaduClient, step: Step, secrets: Secrets) -> tuple[str, ...]:
    """Make a step's call and return the names of fields that the host ignored. Raises MigaduError."""
    return client.send(write_of(step, secrets)).ignored


def write_of(step: Step, secrets: Secrets) -> Write[Mailbox | Identity | Alias]:
    """Return the change at the mail host that a step is."""
    match step.operation:
        case Operation.CREATE_MAILBOX:
            return create(mailbox_at(step.target), _fields(step), _first_credential(step, secrets))
        case Operation.UPDATE_MAILBOX | Operation.SUSPEND_MAILBOX | Operation.REOPEN_MAILBOX | Operation.BLOCK_MAILBOX:
            return update(mailbox_at(step.target), _fields(step), _new_password(step, secrets))
        case Operation.CREATE_IDENTITY | Operation.CREATE_ALIAS:
            return create(_place(step), _fields(step))
        case Operation.UPDATE_IDENTITY | Operation.UPDATE_ALIAS:
            return update(_place(step), _fields(step))
        case Operation.DELETE_MAILBOX | Operation.DELETE_IDENTITY | Operation.DELETE_ALIAS:
            return delete(_place(step))
        case _:
            assert_never(step.operation)


def _place(step: Step) -> Place[Mailbox | Identity | Alias]:
    if step.mailbox is not None:
        return identity_at(step.mailbox, step.target)
    return alias_at(step.target) if step.operation in _ON_ALIASES else mailbox_at(step.target)


def _fields(step: Step) -> dict[str, FieldValue]:
    return {name: value for name, value in step.after.items() if name not in _PLACEHOLDERS}


def _first_credential(step: Step, secrets: Secrets) -> Password | Invitation:
    if not _invites(step):
        return Password(secrets.random_password())
    assert secrets.recovery is not None, "an invitation is planned only where a personal address is known"
    return Invitation(secrets.recovery)


def _new_password(step: Step, secrets: Secrets) -> Password | None:
    return Password(secrets.random_password()) if step.after.get("password") == RANDOM_PASSWORD else None


def _invites(step: Step) -> bool:
    return step.after.get("password_method") == "invitation"
