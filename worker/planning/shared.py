"""Planning for a shared address or a rewrite: one object, whose whole list of destinations is written at once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from worker.mail import Address, Alias, FieldValue, Rewrite, SharedKey, agreeing, bare, counted, domain_of
from worker.mail.fields import took
from worker.planning.observed import ObservedRewrite, ObservedShared
from worker.planning.plan import Plan
from worker.planning.step import Brake, Operation, Step
from worker.policy.state import DesiredShared


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is done to one kind of object, and which of its fields a plan shows."""

    create: Operation
    update: Operation
    delete: Operation
    fields: tuple[str, ...]


_ALIAS = _Kind(
    Operation.CREATE_ALIAS, Operation.UPDATE_ALIAS, Operation.DELETE_ALIAS, fields=("destinations", "is_internal")
)
_REWRITE = _Kind(
    Operation.CREATE_REWRITE,
    Operation.UPDATE_REWRITE,
    Operation.DELETE_REWRITE,
    fields=("destinations", "local_part_rule", "order_num"),
)


def plan_shared(target: Address, desired: DesiredShared, observed: ObservedShared | ObservedRewrite) -> Plan:
    """Return the one step, or none, that takes a shared address or a rewrite (NAME@DOMAIN) from observed to desired.

    Deterministic; an update writes only what differs. What has no destinations is deleted, because the host refuses an
    empty list. What is not ours gives an empty plan with a note. A deletion has a brake: mail to a list that is gone is
    refused to its sender, and nothing brings that back. Other steps have none: somebody of ours gets the mail.
    """
    kind, shown = _of(observed)
    if shown is None:
        return Plan(_creation(kind, target, desired), left_out_note(target, desired))
    if not observed.ours:
        return Plan(note=f"{target} is not ours: it was neither made nor adopted here, so nothing is changed")
    if not desired.destinations:
        found = {name: shown.writable[name] for name in kind.fields if shown.writable.get(name) is not None}
        return Plan((Step(kind.delete, target, found, after={}, brake=Brake.LISTS),), left_out_note(target, desired))
    return Plan(_update(kind, target, desired, shown), left_out_note(target, desired))


def left_out_note(target: Address, desired: DesiredShared) -> str | None:
    """Return the sentence that says how many members get no mail from here, and why; None where all do."""
    number = len(desired.left_out)
    if not number:
        return None
    who = f"{counted(number, 'member')} {agreeing(number, 'is', 'are')}"
    return f"{who} left out: {why_left_out(target)}"


def lists_without(address: str | None, keys: Iterable[SharedKey]) -> list[SharedKey]:
    """Return which of their lists do not name a member, because their mailbox is in another domain."""
    return [key for key in keys if address is not None and domain_of(bare(key)) != domain_of(Address(address))]


def why_left_out(target: Address) -> str:
    """Return why a list names nobody whose mailbox is in another domain (`migadu-behaviour.md` 1.6)."""
    return f"the mail host hands mail of {domain_of(target)} only to mailboxes of {domain_of(target)}"


def _of(observed: ObservedShared | ObservedRewrite) -> tuple[_Kind, Alias | Rewrite | None]:
    if isinstance(observed, ObservedShared):
        return _ALIAS, observed.alias
    return _REWRITE, observed.rewrite


def _creation(kind: _Kind, target: Address, desired: DesiredShared) -> tuple[Step, ...]:
    return (Step(kind.create, target, before={}, after=_wanted(desired)),) if desired.destinations else ()


def _update(kind: _Kind, target: Address, desired: DesiredShared, shown: Alias | Rewrite) -> tuple[Step, ...]:
    found, wanted = shown.writable, _wanted(desired)
    after = {name: value for name, value in wanted.items() if not took(name, value, found.get(name))}
    return (Step(kind.update, target, {name: found.get(name) for name in after}, after),) if after else ()


def _wanted(desired: DesiredShared) -> Mapping[str, FieldValue]:
    return {"destinations": tuple(sorted(desired.destinations or ())), **desired.fields}
