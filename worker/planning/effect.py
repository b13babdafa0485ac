"""What the host would hold after some steps: for pages of a dry run, and to prove plans against their purpose."""

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce
from typing import overload

from worker.mail import DOORS, Address, Alias, Identity, Mailbox
from worker.planning.observed import ObservedPerson, ObservedShared
from worker.planning.step import Operation, Step, StepFields

_NOT_READ_BACK = {"name", "password", "password_method"}


class MisplacedStep(ValueError):
    """The step cannot be made on what is there: a plan was applied to a subject it was not made for."""


@overload
def apply_steps(steps: Iterable[Step], observed: ObservedPerson) -> ObservedPerson: ...


@overload
def apply_steps(steps: Iterable[Step], observed: ObservedShared) -> ObservedShared: ...


def apply_steps(steps: Iterable[Step], observed: ObservedPerson | ObservedShared) -> ObservedPerson | ObservedShared:
    """Return what would be observed after the steps, our own ledger's part included.

    Placeholders stay placeholders. Raises MisplacedStep where a step does not fit what is there.
    """
    if isinstance(observed, ObservedShared):
        return reduce(_on_shared, steps, observed)
    return reduce(_on_person, steps, observed)


def _on_shared(observed: ObservedShared, step: Step) -> ObservedShared:
    match step.operation:
        case Operation.CREATE_ALIAS if observed.alias is None:
            return ObservedShared(Alias(step.target, _destinations(step)))
        case Operation.UPDATE_ALIAS if observed.alias is not None:
            return replace(observed, alias=Alias(step.target, _destinations(step)))
        case Operation.DELETE_ALIAS if observed.alias is not None:
            return ObservedShared(None)
        case _:
            raise MisplacedStep(f"{step.operation} of {step.target} does not fit the alias that is there, or is not")


def _destinations(step: Step) -> frozenset[Address]:
    listed = step.after["destinations"]
    return frozenset(map(Address, listed if isinstance(listed, tuple) else ()))


def _on_person(observed: ObservedPerson, step: Step) -> ObservedPerson:
    if observed.mailbox is not None:
        return _on_mailbox(observed, observed.mailbox, step)
    if step.operation is Operation.CREATE_MAILBOX:
        return ObservedPerson(_written(Mailbox(step.target, name=""), step.after))
    raise MisplacedStep(f"{step.operation} of {step.target} needs a mailbox, and there is none")


def _on_mailbox(observed: ObservedPerson, mailbox: Mailbox, step: Step) -> ObservedPerson:
    written = replace(observed, mailbox=_written(mailbox, step.after))
    match step.operation:
        case Operation.UPDATE_MAILBOX:
            return written
        case Operation.SUSPEND_MAILBOX:
            return replace(written, former_doors=_former_doors(observed, step))
        case Operation.BLOCK_MAILBOX:
            return replace(written, former_doors=_former_doors(observed, step), sealed=True)
        case Operation.REOPEN_MAILBOX:
            return replace(written, former_doors={}, sealed=False)
        case Operation.DELETE_MAILBOX:
            return ObservedPerson(None)
        case Operation.CREATE_IDENTITY | Operation.UPDATE_IDENTITY | Operation.DELETE_IDENTITY:
            return replace(observed, mailbox=replace(mailbox, identities=_identities(mailbox, step)))
        case _:
            raise MisplacedStep(f"{step.operation} of {step.target} does not fit a mailbox that is there")


def _former_doors(observed: ObservedPerson, step: Step) -> StepFields:
    # Closing again what drifted open must not forget the doors as they were before we first closed them.
    return observed.former_doors or {door: step.before.get(door) for door in DOORS}


def _written(mailbox: Mailbox, after: StepFields) -> Mailbox:
    fields = {name: value for name, value in after.items() if name not in _NOT_READ_BACK}
    return replace(mailbox, name=str(after.get("name", mailbox.name)), fields={**mailbox.fields, **fields})


def _identities(mailbox: Mailbox, step: Step) -> frozenset[Identity]:
    others = frozenset(identity for identity in mailbox.identities if identity.address != step.target)
    if step.operation is Operation.DELETE_IDENTITY:
        return others
    known = next((each for each in mailbox.identities if each.address == step.target), Identity(step.target, name=""))
    use = step.after.get("password_use", known.password_use)
    name = str(step.after.get("name", known.name))
    return others | {Identity(step.target, name, use if isinstance(use, str) else None)}
