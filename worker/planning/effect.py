"""What the host would hold after some steps: for pages of a dry run, and to prove plans against their purpose."""

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce
from typing import overload

from worker.mail import DOORS, Address, Alias, Forwarding, Identity, Mailbox, Rewrite, domain_of, local_part_of
from worker.planning.observed import ClosedLogin, ObservedPerson, ObservedRewrite, ObservedShared
from worker.planning.step import Operation, Step, StepFields

_NOT_READ_BACK = {"name", "password", "password_method"}
_ON_ADDRESSES = (Operation.CREATE_ALIAS, Operation.UPDATE_ALIAS, Operation.DELETE_ALIAS, Operation.RELEASE_ADDRESS)
_CONFIRMED = "(as the host says)"
"""Stands for the time at which a forwarding was confirmed: no plan can know whether it will need to be."""


class MisplacedStep(ValueError):
    """The step cannot be made on what is there: a plan was applied to a subject it was not made for."""


@overload
def apply_steps(steps: Iterable[Step], observed: ObservedPerson) -> ObservedPerson: ...


@overload
def apply_steps(steps: Iterable[Step], observed: ObservedShared) -> ObservedShared: ...


@overload
def apply_steps(steps: Iterable[Step], observed: ObservedRewrite) -> ObservedRewrite: ...


def apply_steps(
    steps: Iterable[Step], observed: ObservedPerson | ObservedShared | ObservedRewrite
) -> ObservedPerson | ObservedShared | ObservedRewrite:
    """Return what would be observed after the steps, our own ledger's part included.

    Placeholders stay placeholders. Raises MisplacedStep where a step does not fit what is there.
    """
    if isinstance(observed, ObservedShared):
        return reduce(_on_shared, steps, observed)
    if isinstance(observed, ObservedRewrite):
        return reduce(_on_rewrite, steps, observed)
    return reduce(_on_person, steps, observed)


def _on_shared(observed: ObservedShared, step: Step) -> ObservedShared:
    match step.operation:
        case Operation.CREATE_ALIAS if observed.alias is None:
            return ObservedShared(_as_written(Alias(step.target, frozenset()), step))
        case Operation.UPDATE_ALIAS if observed.alias is not None:
            return replace(observed, alias=_as_written(observed.alias, step))
        case Operation.DELETE_ALIAS if observed.alias is not None:
            return ObservedShared(None)
        case _:
            raise MisplacedStep(f"{step.operation} of {step.target} does not fit the alias that is there, or is not")


def _as_written(alias: Alias, step: Step) -> Alias:
    fields = {name: value for name, value in step.after.items() if name != "destinations"}
    return replace(alias, destinations=_destinations(alias, step), fields={**alias.fields, **fields})


def _destinations(shown: Alias | Rewrite, step: Step) -> frozenset[Address]:
    listed = step.after.get("destinations")
    return frozenset(map(Address, listed)) if isinstance(listed, tuple) else shown.destinations


def _on_rewrite(observed: ObservedRewrite, step: Step) -> ObservedRewrite:
    match step.operation:
        case Operation.CREATE_REWRITE if observed.rewrite is None:
            new = Rewrite(domain_of(step.target), local_part_of(step.target), "", frozenset())
            return ObservedRewrite(_rewritten(new, step))
        case Operation.UPDATE_REWRITE if observed.rewrite is not None:
            return replace(observed, rewrite=_rewritten(observed.rewrite, step))
        case Operation.DELETE_REWRITE if observed.rewrite is not None:
            return ObservedRewrite(None)
        case _:
            raise MisplacedStep(f"{step.operation} of {step.target} does not fit the rewrite that is there, or is not")


def _rewritten(rewrite: Rewrite, step: Step) -> Rewrite:
    rule, order = step.after.get("local_part_rule"), step.after.get("order_num")
    return replace(
        rewrite,
        local_part_rule=rule if isinstance(rule, str) else rewrite.local_part_rule,
        order_num=order if isinstance(order, int) else rewrite.order_num,
        destinations=_destinations(rewrite, step),
    )


def _on_person(observed: ObservedPerson, step: Step) -> ObservedPerson:
    if step.operation in _ON_ADDRESSES:
        return _on_address(observed, step)
    if observed.mailbox is not None:
        return _on_mailbox(observed, observed.mailbox, step)
    if step.operation is Operation.CREATE_MAILBOX:
        return _bare(observed, _written(Mailbox(step.target, name=""), step.after))
    raise MisplacedStep(f"{step.operation} of {step.target} needs a mailbox, and there is none")


def _on_address(observed: ObservedPerson, step: Step) -> ObservedPerson:
    others = frozenset(alias for alias in observed.aliases if alias.address != step.target)
    stands = others != observed.aliases
    ours = observed.our_aliases - {step.target}
    match step.operation:
        case Operation.CREATE_ALIAS if not stands:
            return replace(observed, aliases=others | {_alias(step)}, our_aliases=ours | {step.target})
        case Operation.UPDATE_ALIAS if stands:
            return replace(observed, aliases=others | {_alias(step)})
        case Operation.DELETE_ALIAS if stands:
            return replace(observed, aliases=others, our_aliases=ours)
        case Operation.RELEASE_ADDRESS if not (stands and step.target in observed.our_aliases):
            return replace(observed, held=observed.held - {step.target})
        case _:
            raise MisplacedStep(f"{step.operation} of {step.target} does not fit the alias that is there, or is not")


def _on_mailbox(observed: ObservedPerson, mailbox: Mailbox, step: Step) -> ObservedPerson:
    written = replace(observed, mailbox=_written(mailbox, step.after))
    match step.operation:
        case Operation.UPDATE_MAILBOX:
            return written
        case Operation.SUSPEND_MAILBOX | Operation.BLOCK_MAILBOX:
            sealed = observed.sealed or step.operation is Operation.BLOCK_MAILBOX
            return replace(written, former_doors=_former_doors(observed, step), sealed=sealed)
        case Operation.REOPEN_MAILBOX:
            return replace(written, former_doors={}, sealed=False)
        case Operation.SET_AUTOREPLY | Operation.END_AUTOREPLY:
            begins = step.operation is Operation.SET_AUTOREPLY
            return replace(written, former_autoreply={**step.before, **observed.former_autoreply} if begins else {})
        case Operation.DELETE_MAILBOX:
            return _bare(observed, None)
        case _:
            return _inside_mailbox(observed, mailbox, step)


def _inside_mailbox(observed: ObservedPerson, mailbox: Mailbox, step: Step) -> ObservedPerson:
    if step.operation in (Operation.CREATE_FORWARDING, Operation.DELETE_FORWARDING):
        return _forwarding(observed, mailbox, step)
    return _on_identity(observed, mailbox, step)


def _on_identity(observed: ObservedPerson, mailbox: Mailbox, step: Step) -> ObservedPerson:
    changed = replace(observed, mailbox=replace(mailbox, identities=_identities(mailbox, step)))
    login = observed.logins.get(step.target, ClosedLogin())
    others = {address: other for address, other in observed.logins.items() if address != step.target}
    former = login.former_doors or {door: step.before.get(door) for door in DOORS}
    match step.operation:
        case Operation.UPDATE_IDENTITY:
            return changed
        case Operation.BLOCK_IDENTITY:
            return replace(changed, logins={**others, step.target: ClosedLogin(sealed=True, former_doors=former)})
        case Operation.SUSPEND_IDENTITY:
            return replace(changed, logins={**others, step.target: replace(login, former_doors=former)})
        case Operation.CREATE_IDENTITY | Operation.REOPEN_IDENTITY | Operation.DELETE_IDENTITY:
            return replace(changed, logins=others)
        case _:
            raise MisplacedStep(f"{step.operation} of {step.target} does not fit a mailbox that is there")


def _bare(observed: ObservedPerson, mailbox: Mailbox | None) -> ObservedPerson:
    """Return what is observed with another mailbox, or none: what was known of the former one went with it."""
    return ObservedPerson(mailbox, aliases=observed.aliases, our_aliases=observed.our_aliases, held=observed.held)


def _former_doors(observed: ObservedPerson, step: Step) -> StepFields:
    # Closing again what drifted open must not forget the doors as they were before we first closed them.
    return observed.former_doors or {door: step.before.get(door) for door in DOORS}


def _written(mailbox: Mailbox, after: StepFields) -> Mailbox:
    fields = {name: value for name, value in after.items() if name not in _NOT_READ_BACK}
    return replace(mailbox, name=str(after.get("name", mailbox.name)), fields={**mailbox.fields, **fields})


def _alias(step: Step) -> Alias:
    return _as_written(Alias(step.target, frozenset()), step)


def _forwarding(observed: ObservedPerson, mailbox: Mailbox, step: Step) -> ObservedPerson:
    others = frozenset(each for each in mailbox.forwardings if each.address != step.target)
    if step.operation is Operation.DELETE_FORWARDING:
        return replace(observed, mailbox=replace(mailbox, forwardings=others), forwards_to=None)
    made = Forwarding(step.target, confirmed_at=_CONFIRMED)
    return replace(observed, mailbox=replace(mailbox, forwardings=others | {made}), forwards_to=step.target)


def _identities(mailbox: Mailbox, step: Step) -> frozenset[Identity]:
    others = frozenset(identity for identity in mailbox.identities if identity.address != step.target)
    if step.operation is Operation.DELETE_IDENTITY:
        return others
    known = next((each for each in mailbox.identities if each.address == step.target), Identity(step.target, name=""))
    use = step.after.get("password_use", known.password_use)
    fields = {name: value for name, value in step.after.items() if name not in {*_NOT_READ_BACK, "password_use"}}
    return others | {
        replace(
            known,
            name=str(step.after.get("name", known.name)),
            password_use=use if isinstance(use, str) else None,
            fields={**known.fields, **fields},
        )
    }
