"""The one call that each operation is. Passwords are made here, at the last moment, and are kept nowhere."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import assert_never

from worker.mail import Address, FieldValue
from worker.migadu import MigaduClient
from worker.planning.step import RANDOM_PASSWORD, Operation, Step


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a plan only has placeholders for."""

    random_password: Callable[[], str]
    recovery: str | None = None
    """Where an invitation goes."""


def make(client: MigaduClient, step: Step, secrets: Secrets) -> tuple[str, ...]:
    """Make a step's call and return the names of fields that the host ignored. Raises MigaduError."""
    match step.operation:
        case Operation.DELETE_MAILBOX:
            client.delete_mailbox(step.target)
        case Operation.DELETE_IDENTITY:
            client.delete_identity(_mailbox(step), step.target)
        case Operation.DELETE_ALIAS:
            client.delete_alias(step.target)
        case (
            Operation.CREATE_MAILBOX
            | Operation.UPDATE_MAILBOX
            | Operation.SUSPEND_MAILBOX
            | Operation.REOPEN_MAILBOX
            | Operation.BLOCK_MAILBOX
        ):
            return _write_mailbox(client, step, secrets)
        case Operation.CREATE_IDENTITY:
            return client.create_identity(_mailbox(step), step.target, str(step.after["name"])).ignored
        case Operation.UPDATE_IDENTITY:
            return client.update_identity(_mailbox(step), step.target, _fields(step.after)).ignored
        case Operation.CREATE_ALIAS:
            return client.create_alias(step.target, _destinations(step)).ignored
        case Operation.UPDATE_ALIAS:
            return client.update_alias(step.target, _destinations(step)).ignored
        case _:
            assert_never(step.operation)
    return ()


def _write_mailbox(client: MigaduClient, step: Step, secrets: Secrets) -> tuple[str, ...]:
    if step.operation is Operation.CREATE_MAILBOX:
        return _create_mailbox(client, step, secrets)
    password = secrets.random_password() if step.after.get("password") == RANDOM_PASSWORD else None
    return client.update_mailbox(step.target, _fields(step.after), password=password).ignored


def _create_mailbox(client: MigaduClient, step: Step, secrets: Secrets) -> tuple[str, ...]:
    name, fields = str(step.after["name"]), _fields(step.after)
    fields.pop("name")
    fields.pop("password_recovery_email", None)
    if step.after.get("password") == RANDOM_PASSWORD:
        return client.create_mailbox(step.target, name, password=secrets.random_password(), fields=fields).ignored
    assert secrets.recovery is not None, "an invitation is planned only where a personal address is known"
    return client.create_mailbox(step.target, name, invitation_to=secrets.recovery, fields=fields).ignored


def _fields(after: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    return {name: value for name, value in after.items() if name not in ("password", "password_method")}


def _mailbox(step: Step) -> Address:
    assert step.mailbox is not None, "a step on an identity names its mailbox"
    return step.mailbox


def _destinations(step: Step) -> tuple[Address, ...]:
    listed = step.after["destinations"]
    return tuple(Address(each) for each in listed) if isinstance(listed, tuple) else ()
