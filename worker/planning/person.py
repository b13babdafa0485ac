"""Planning for a person: one mailbox with its identities.

The order is revocation first, then gains, then losses, so that a job that stops half-way has kept the wrong people out
and has not yet taken anything away.
"""

from collections.abc import Iterator, Mapping
from typing import assert_never

from worker.mail import DOORS, Address, FieldValue, Mailbox
from worker.planning.fields import RECOVERY, any_open, differing, doors_of
from worker.planning.observed import ObservedPerson
from worker.planning.plan import Plan
from worker.planning.step import RANDOM_PASSWORD, Brake, Operation, Step
from worker.policy.state import Access, Credential, Missing, NoMailbox, PersonState, Untouched, WantedMailbox

PERSONAL_ADDRESS = "(personal address)"
"""Stands in a plan where the executor puts ``recovery_of``; the address itself is never part of a plan."""

NEW_PASSWORD_NEEDED = "the password was replaced when the mailbox was blocked: set a new one"  # noqa: S105 - a sentence

_CLOSED: Mapping[str, FieldValue] = dict.fromkeys(DOORS, False)


def plan_person(desired: PersonState, observed: ObservedPerson) -> Plan:
    """Return the steps that take a person's mailbox from observed to desired.

    Deterministic. Planning again on what the steps leave behind gives the empty plan. A mailbox that is not ours, and a
    state that asks for nothing, give an empty plan with a note. Identities that are not wanted stay: they may be the
    person's own.
    """
    match desired:
        case Untouched(why) | Missing(why):
            return Plan(note=why)
        case NoMailbox() | WantedMailbox():
            return _plan_known(desired, observed)
        case _:
            assert_never(desired)


def recovery_of(desired: WantedMailbox) -> str | None:
    """Return what the executor puts where a creation says PERSONAL_ADDRESS. Personal: never shown or logged."""
    if desired.recovery is not None:
        return desired.recovery
    by_policy = desired.fields.get(RECOVERY)
    return by_policy if isinstance(by_policy, str) else None


def _plan_known(desired: NoMailbox | WantedMailbox, observed: ObservedPerson) -> Plan:
    mailbox = observed.mailbox
    if mailbox is None:
        return Plan(tuple(_creation(desired)) if isinstance(desired, WantedMailbox) and desired.create else ())
    if not observed.ours:
        return Plan(note=f"{mailbox.address} is not ours: it was neither made nor adopted here, so nothing is changed")
    if isinstance(desired, NoMailbox):
        return Plan((_deletion(mailbox),))
    return Plan(tuple(_change(desired, mailbox, observed)), _note(desired, observed))


def _creation(desired: WantedMailbox) -> Iterator[Step]:
    after: dict[str, FieldValue] = {"name": desired.name, **_shown(desired.fields), **_first_password(desired)}
    yield Step(Operation.CREATE_MAILBOX, desired.address, before={}, after=after)
    if desired.access is not Access.OPEN:
        # Made with its doors as the policy has them, then closed: so the way back knows which doors there were.
        found = {door: after.get(door) for door in DOORS}
        yield _closing(desired, desired.address, found)
    for identity in sorted(desired.identities - {desired.address}):
        yield _new_identity(identity, desired.address, desired.name)


def _first_password(desired: WantedMailbox) -> dict[str, FieldValue]:
    # Nobody is invited to a mailbox that is blocked at once.
    if desired.credential is Credential.INVITATION and desired.access is not Access.BLOCKED:
        return {"password_method": "invitation", RECOVERY: PERSONAL_ADDRESS}
    return {"password": RANDOM_PASSWORD}


def _deletion(mailbox: Mailbox) -> Step:
    # The host deletes the identities with their mailbox (`migadu-behaviour.md` 5); no calls are spent on them.
    before: dict[str, FieldValue] = {"name": mailbox.name, **_shown(mailbox.fields)}
    return Step(Operation.DELETE_MAILBOX, mailbox.address, before, after={}, brake=Brake.DELETE)


def _change(desired: WantedMailbox, mailbox: Mailbox, observed: ObservedPerson) -> Iterator[Step]:
    if _must_close(desired.access, mailbox, observed):
        yield _closing(desired, mailbox.address, doors_of(mailbox))
    if _must_reopen(desired, observed):
        yield _reopening(desired, mailbox, observed)
    yield from _update(desired, mailbox, observed)
    yield from _identities(desired, mailbox)


def _must_close(access: Access, mailbox: Mailbox, observed: ObservedPerson) -> bool:
    match access:
        case Access.OPEN:
            return False
        case Access.SUSPENDED:
            return any_open(mailbox)
        case Access.BLOCKED:
            return any_open(mailbox) or not observed.sealed
        case _:
            assert_never(access)


def _closing(desired: WantedMailbox, target: Address, found: Mapping[str, FieldValue]) -> Step:
    if desired.access is Access.SUSPENDED:
        return Step(Operation.SUSPEND_MAILBOX, target, before=found, after=_CLOSED)
    after: dict[str, FieldValue] = {**_CLOSED, "password": RANDOM_PASSWORD}
    brake = Brake.IMMEDIATE if desired.immediate else Brake.BLOCK
    return Step(Operation.BLOCK_MAILBOX, target, before=found, after=after, brake=brake)


def _must_reopen(desired: WantedMailbox, observed: ObservedPerson) -> bool:
    return desired.access is Access.OPEN and (observed.sealed or bool(observed.former_doors))


def _reopening(desired: WantedMailbox, mailbox: Mailbox, observed: ObservedPerson) -> Step:
    after = {door: observed.former_doors.get(door) is not False for door in DOORS} | _managed_doors(desired)
    return Step(Operation.REOPEN_MAILBOX, mailbox.address, before=doors_of(mailbox), after=after)


def _note(desired: WantedMailbox, observed: ObservedPerson) -> str | None:
    return NEW_PASSWORD_NEEDED if observed.sealed and _must_reopen(desired, observed) else None


def _update(desired: WantedMailbox, mailbox: Mailbox, observed: ObservedPerson) -> Iterator[Step]:
    wanted = {name: value for name, value in desired.fields.items() if name not in DOORS and name != RECOVERY}
    if desired.access is Access.OPEN and not _must_reopen(desired, observed):
        wanted |= _managed_doors(desired)
    changed = differing(wanted, mailbox.fields)
    before: dict[str, FieldValue] = {name: mailbox.fields.get(name) for name in changed}
    after = {name: wanted[name] for name in changed}
    if mailbox.name != desired.name:
        before["name"], after["name"] = mailbox.name, desired.name
    if after:
        yield Step(Operation.UPDATE_MAILBOX, mailbox.address, before, after)


def _identities(desired: WantedMailbox, mailbox: Mailbox) -> Iterator[Step]:
    found = {identity.address: identity for identity in mailbox.identities}
    wanted = desired.identities - {mailbox.address}
    for new in sorted(wanted - found.keys()):
        yield _new_identity(new, mailbox.address, desired.name)
    for known in sorted(wanted & found.keys()):
        before, after = {"name": found[known].name}, {"name": desired.name}
        if before != after:
            yield Step(Operation.UPDATE_IDENTITY, known, before, after, mailbox=mailbox.address)


def _new_identity(new: Address, mailbox: Address, name: str) -> Step:
    # "none" receives, and sends through the mailbox's own login: a login of its own would outlive a suspension.
    after: dict[str, FieldValue] = {"name": name, "password_use": "none"}
    return Step(Operation.CREATE_IDENTITY, new, before={}, after=after, mailbox=mailbox)


def _managed_doors(desired: WantedMailbox) -> dict[str, bool]:
    return {door: value for door in DOORS if isinstance(value := desired.fields.get(door), bool)}


def _shown(fields: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    return {name: PERSONAL_ADDRESS if name == RECOVERY and value else value for name, value in fields.items()}
