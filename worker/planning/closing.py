"""Closing and reopening: the mailbox itself, and the identities that let somebody in on their own.

An identity signs in with a password of its own or with the mailbox's (`migadu-behaviour.md` 1.4), and its flags are its
own. So a mailbox that is closed while one of them is open is not closed.
"""

from collections.abc import Iterator, Mapping
from typing import assert_never

from worker.mail import DOORS, FieldValue, Identity, Mailbox
from worker.planning.fields import any_open, doors_of
from worker.planning.observed import ClosedLogin, ObservedPerson
from worker.planning.step import RANDOM_PASSWORD, Brake, Operation, Step
from worker.policy.state import Access, WantedMailbox

NEW_PASSWORD_NEEDED = (
    "the password was replaced when the mailbox was blocked: set a new one with `mailroster people reset-password`"  # noqa: S105 - a sentence
)

_CLOSED: Mapping[str, FieldValue] = dict.fromkeys(DOORS, False)
_NO_LOGIN = "none"
_LOGIN_OF_THE_MAILBOX = "mailbox"


def closing(desired: WantedMailbox, mailbox: Mailbox, observed: ObservedPerson) -> Iterator[Step]:
    """Yield the steps that keep somebody out, the mailbox first; none where the mailbox is to be open."""
    if desired.access is Access.OPEN:
        return
    if any_open(mailbox.fields) or (desired.access is Access.BLOCKED and not observed.sealed):
        yield _close_mailbox(desired, mailbox)
    for identity in sorted(mailbox.identities, key=lambda each: each.address):
        yield from _close_identity(desired.access, identity, mailbox, observed)


def reopening(desired: WantedMailbox, mailbox: Mailbox, observed: ObservedPerson) -> Iterator[Step]:
    """Yield the steps that give back what we closed; none where nothing is closed or it is to stay so."""
    if must_reopen(desired, observed):
        after = _given_back(observed.former_doors) | managed_doors(desired)
        yield Step(Operation.REOPEN_MAILBOX, mailbox.address, before=doors_of(mailbox.fields), after=after)
    if desired.access is not Access.OPEN:
        return
    for identity in sorted(mailbox.identities, key=lambda each: each.address):
        login = observed.logins.get(identity.address, ClosedLogin())
        if login.is_closed:
            after = _given_back(login.former_doors)
            yield _on_identity(Operation.REOPEN_IDENTITY, identity, mailbox, after)


def must_reopen(desired: WantedMailbox, observed: ObservedPerson) -> bool:
    """Tell whether the mailbox itself is closed by us and is to be open."""
    return desired.access is Access.OPEN and (observed.sealed or bool(observed.former_doors))


def managed_doors(desired: WantedMailbox) -> dict[str, bool]:
    """Return the doors that the policy manages, as it wants them."""
    return {door: value for door in DOORS if isinstance(value := desired.fields.get(door), bool)}


def closes_last_door(after: Mapping[str, FieldValue], mailbox: Mailbox) -> bool:
    """Tell whether what is written to an open mailbox leaves no door open, so that it keeps out as a block does."""
    return any_open(mailbox.fields) and not any_open({**mailbox.fields, **after})


def credential_note(desired: WantedMailbox, mailbox: Mailbox, observed: ObservedPerson) -> str | None:
    """Return what has to be said after a return from a block: nobody knows the passwords that it set."""
    if desired.access is not Access.OPEN or not observed.sealed:
        return None
    others = sorted(one.address for one in mailbox.identities if _login(one, observed).sealed)
    return f"{NEW_PASSWORD_NEEDED}; so were those of {', '.join(others)}" if others else NEW_PASSWORD_NEEDED


def _close_mailbox(desired: WantedMailbox, mailbox: Mailbox) -> Step:
    found = doors_of(mailbox.fields)
    match desired.access:
        case Access.SUSPENDED:
            return Step(Operation.SUSPEND_MAILBOX, mailbox.address, before=found, after=_CLOSED)
        case Access.BLOCKED:
            after: dict[str, FieldValue] = {**_CLOSED, "password": RANDOM_PASSWORD}
            brake = Brake.IMMEDIATE if desired.immediate else Brake.BLOCK
            return Step(Operation.BLOCK_MAILBOX, mailbox.address, before=found, after=after, brake=brake)
        case Access.OPEN:
            raise ValueError("an open mailbox is not closed")
        case _:
            assert_never(desired.access)


def _close_identity(access: Access, identity: Identity, mailbox: Mailbox, observed: ObservedPerson) -> Iterator[Step]:
    """Yield the step that closes an identity. No brake counts it: it goes with the block of its mailbox.

    One whose use the host does not show is taken for one with a password of its own.
    """
    if identity.password_use == _NO_LOGIN:
        return
    is_open = any_open(identity.fields)
    if access is Access.BLOCKED and identity.password_use != _LOGIN_OF_THE_MAILBOX:
        if is_open or not _login(identity, observed).sealed:
            after: dict[str, FieldValue] = {**_CLOSED, "password": RANDOM_PASSWORD}
            yield _on_identity(Operation.BLOCK_IDENTITY, identity, mailbox, after)
    elif is_open:
        yield _on_identity(Operation.SUSPEND_IDENTITY, identity, mailbox, _CLOSED)


def _on_identity(operation: Operation, identity: Identity, mailbox: Mailbox, after: Mapping[str, FieldValue]) -> Step:
    return Step(operation, identity.address, doors_of(identity.fields), after, mailbox=mailbox.address)


def _login(identity: Identity, observed: ObservedPerson) -> ClosedLogin:
    return observed.logins.get(identity.address, ClosedLogin())


def _given_back(former: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    return {door: former.get(door) is not False for door in DOORS}
