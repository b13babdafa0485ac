"""Planning for a person: one mailbox with its identities, and the aliases at their addresses.

The order is revocation first, then gains, then losses, so that a job that stops half-way has kept the wrong people out
and has not yet taken anything away.
"""

from collections.abc import Iterator, Mapping
from typing import assert_never

from worker.mail import DOORS, Address, FieldValue, Identity, Mailbox
from worker.planning.autoreply import AUTOREPLY, autoreply_steps, is_ours
from worker.planning.closing import (
    closes_last_door,
    closing,
    credential_note,
    managed_doors,
    must_reopen,
    reopening,
)
from worker.planning.effect import apply_steps
from worker.planning.fields import RECOVERY, differing
from worker.planning.handover import (
    alias_in_the_way,
    confirmation_needed,
    foreign_aliases,
    forwarding_steps,
    hand_over_steps,
    own_alias_steps,
    unconfirmed,
)
from worker.planning.observed import ObservedPerson
from worker.planning.plan import Plan
from worker.planning.step import RANDOM_PASSWORD, Brake, Operation, Step
from worker.policy.handover import both
from worker.policy.state import Access, Credential, Erased, Missing, NoMailbox, PersonState, Untouched, WantedMailbox

PERSONAL_ADDRESS = "(personal address)"
"""Stands in a plan where the executor puts ``recovery_of``; the address itself is never part of a plan."""


def plan_person(desired: PersonState, observed: ObservedPerson) -> Plan:
    """Return the steps that take a person's mailbox from observed to desired.

    Deterministic. Planning again on what the steps leave behind gives the empty plan. A mailbox that is not ours, and a
    state that asks for nothing, give an empty plan with a note. Identities that are not wanted stay: they may be the
    person's own.
    """
    match desired:
        case Untouched(why) | Missing(why):
            return Plan(note=why)
        case Erased():
            return Plan(note="everything personal is erased, which is no call")
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
    if mailbox is not None and not observed.ours:
        return Plan(note=f"{mailbox.address} is not ours: it was neither made nor adopted here, so nothing is changed")
    if isinstance(desired, NoMailbox):
        return _without_mailbox(desired, observed)
    if mailbox is not None:
        return _with_mailbox(desired, mailbox, observed)
    if not desired.create:
        return Plan()
    unfinished = both(desired.unexpressed, foreign_aliases(desired.aliases, observed))
    return Plan(tuple(_creation(desired, observed)), unfinished=unfinished)


def _without_mailbox(desired: NoMailbox, observed: ObservedPerson) -> Plan:
    deletion = () if observed.mailbox is None else (_deletion(observed.mailbox),)
    unfinished = both(desired.unexpressed, foreign_aliases(desired.aliases, observed))
    return Plan((*deletion, *hand_over_steps(desired, observed)), unfinished=unfinished)


def _with_mailbox(desired: WantedMailbox, mailbox: Mailbox, observed: ObservedPerson) -> Plan:
    unfinished = both(desired.unexpressed, foreign_aliases(desired.aliases, observed))
    waits_for = unconfirmed(desired, mailbox)
    if waits_for is not None:
        unfinished = both(unfinished, confirmation_needed(mailbox.address, waits_for))
    return Plan(
        tuple(_change(desired, mailbox, observed)),
        note=credential_note(desired, mailbox, observed),
        unfinished=unfinished,
        look_again=waits_for is not None,
    )


def _creation(desired: WantedMailbox, observed: ObservedPerson) -> Iterator[Step]:
    first = [*alias_in_the_way(desired.address, observed), _new_mailbox(desired)]
    yield from first
    # Made with its doors as the policy has them, then closed where need be: so the way back knows which there were.
    made = apply_steps(first, observed)
    if made.mailbox is not None:
        yield from _change(desired, made.mailbox, made)


def _new_mailbox(desired: WantedMailbox) -> Step:
    after: dict[str, FieldValue] = {"name": desired.name, **_shown(desired.fields), **_first_password(desired)}
    return Step(Operation.CREATE_MAILBOX, desired.address, before={}, after=after)


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
    yield from closing(desired, mailbox, observed)
    yield from reopening(desired, mailbox, observed)
    yield from _update(desired, mailbox, observed)
    yield from autoreply_steps(desired, mailbox, observed)
    yield from _identities(desired, mailbox, observed)
    yield from own_alias_steps(desired, mailbox.address, observed)
    yield from forwarding_steps(desired, mailbox, observed)


def _update(desired: WantedMailbox, mailbox: Mailbox, observed: ObservedPerson) -> Iterator[Step]:
    others = (*DOORS, RECOVERY, *(AUTOREPLY if is_ours(desired, observed) else ()))
    wanted = {name: value for name, value in desired.fields.items() if name not in others}
    if desired.access is Access.OPEN and not must_reopen(desired, observed):
        wanted |= managed_doors(desired)
    changed = differing(wanted, mailbox.fields)
    before: dict[str, FieldValue] = {name: mailbox.fields.get(name) for name in changed}
    after = {name: wanted[name] for name in changed}
    if mailbox.name != desired.name:
        before["name"], after["name"] = mailbox.name, desired.name
    if after:
        brake = Brake.BLOCK if closes_last_door(after, mailbox) else None
        yield Step(Operation.UPDATE_MAILBOX, mailbox.address, before, after, brake=brake)


def _identities(desired: WantedMailbox, mailbox: Mailbox, observed: ObservedPerson) -> Iterator[Step]:
    found = {identity.address: identity for identity in mailbox.identities}
    wanted = desired.identities - {mailbox.address}
    for new in sorted(wanted - found.keys()):
        yield from alias_in_the_way(new, observed)
        yield _new_identity(new, mailbox.address, desired.name)
    for known in sorted(wanted & found.keys()):
        before, after = {"name": found[known].name}, {"name": desired.name}
        if before != after:
            yield Step(Operation.UPDATE_IDENTITY, known, before, after, mailbox=mailbox.address)
    for former in sorted(desired.withdrawn):
        yield from alias_in_the_way(former, observed)
        if former in found:
            yield _withdrawal(found[former], mailbox.address)


def _new_identity(new: Address, mailbox: Address, name: str) -> Step:
    # "none" receives, and sends through the mailbox's own login: a login of its own would outlive a suspension.
    after: dict[str, FieldValue] = {"name": name, "password_use": "none"}
    return Step(Operation.CREATE_IDENTITY, new, before={}, after=after, mailbox=mailbox)


def _withdrawal(identity: Identity, mailbox: Address) -> Step:
    before: dict[str, FieldValue] = {"name": identity.name, "password_use": identity.password_use}
    return Step(Operation.DELETE_IDENTITY, identity.address, before, after={}, mailbox=mailbox)


def _shown(fields: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    return {name: PERSONAL_ADDRESS if name == RECOVERY and value else value for name, value in fields.items()}
