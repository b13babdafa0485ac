"""The one call that each step is. Passwords are made here, at the last moment, and are kept nowhere."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from worker.mail import Alias, FieldValue, Forwarding, Identity, Mailbox, Rewrite, domain_of, local_part_of
from worker.migadu import (
    Invitation,
    MigaduClient,
    Password,
    Place,
    Write,
    alias_at,
    create,
    delete,
    forwarding_at,
    identity_at,
    mailbox_at,
    rewrite_at,
    update,
)
from worker.planning.step import ON_ALIASES, ON_FORWARDINGS, ON_REWRITES, RANDOM_PASSWORD, Operation, Step

_PLACEHOLDERS = ("password", "password_method", "password_recovery_email")
"""What a plan shows of a credential; the real ones go into the call alone."""

Object = Mailbox | Identity | Alias | Rewrite | Forwarding
"""What a step changes at the mail host."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a plan only has placeholders for."""

    random_password: Callable[[], str]
    recovery: str | None = None
    """Where an invitation goes."""


@dataclass(frozen=True, slots=True)
class Made:
    """What the host showed after a step's call."""

    ignored: tuple[str, ...] = ()
    """Names of fields that it did not take over."""
    unconfirmed: bool = False
    """It is a forwarding that its recipient must confirm before mail flows."""


def make(client: MigaduClient, step: Step, secrets: Secrets) -> Made:
    """Make a step's call and return what came of it. Raises MigaduError."""
    written = client.send(write_of(step, secrets))
    unconfirmed = isinstance(written.value, Forwarding) and written.value.confirmed_at is None
    return Made(written.ignored, unconfirmed)


def write_of(step: Step, secrets: Secrets) -> Write[Object]:
    """Return the change at the mail host that a step is. Raises ValueError for one that is none."""
    match step.operation:
        case Operation.CREATE_MAILBOX:
            return create(mailbox_at(step.target), _fields(step), _first_credential(step, secrets))
        case Operation.RESET_PASSWORD:
            return update(mailbox_at(step.target), {}, Password(secrets.random_password()))
        case (
            Operation.CREATE_IDENTITY | Operation.CREATE_ALIAS | Operation.CREATE_FORWARDING | Operation.CREATE_REWRITE
        ):
            return create(_place(step), _fields(step))
        case (
            Operation.UPDATE_MAILBOX
            | Operation.SUSPEND_MAILBOX
            | Operation.REOPEN_MAILBOX
            | Operation.BLOCK_MAILBOX
            | Operation.SET_AUTOREPLY
            | Operation.END_AUTOREPLY
            | Operation.UPDATE_IDENTITY
            | Operation.BLOCK_IDENTITY
            | Operation.SUSPEND_IDENTITY
            | Operation.REOPEN_IDENTITY
            | Operation.UPDATE_ALIAS
            | Operation.UPDATE_REWRITE
        ):
            return update(_place(step), _fields(step), _new_password(step, secrets))
        case (
            Operation.DELETE_MAILBOX
            | Operation.DELETE_IDENTITY
            | Operation.DELETE_ALIAS
            | Operation.DELETE_FORWARDING
            | Operation.DELETE_REWRITE
        ):
            return delete(_place(step))
        case Operation.RELEASE_ADDRESS | Operation.ERASE_PERSON:
            raise ValueError(f"{step.operation} is no call")
        case _:
            assert_never(step.operation)


def _place(step: Step) -> Place[Object]:
    if step.mailbox is not None:
        inside = forwarding_at if step.operation in ON_FORWARDINGS else identity_at
        return inside(step.mailbox, step.target)
    if step.operation in ON_REWRITES:
        return rewrite_at(domain_of(step.target), local_part_of(step.target))
    return alias_at(step.target) if step.operation in ON_ALIASES else mailbox_at(step.target)


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
