"""Order: what of a plan may still be made when some step of it could not be.

A plan is ordered: who is to be kept out first, then what is gained, then what is taken away. A step that was left out,
because the object it is about keeps failing, must not stop the rest, and the rest must not go ahead as if it were made.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Self

from worker.mail import DOORS, Address
from worker.planning.fields import any_open
from worker.planning.plan import Plan
from worker.planning.step import ON_ALIASES, ON_FORWARDINGS, ON_REWRITES, Operation, Step

CLOSINGS = frozenset(
    {Operation.BLOCK_MAILBOX, Operation.SUSPEND_MAILBOX, Operation.BLOCK_IDENTITY, Operation.SUSPEND_IDENTITY}
)
"""What keeps somebody out."""
_DOORS_ALONE = {
    Operation.BLOCK_MAILBOX: Operation.SUSPEND_MAILBOX,
    Operation.BLOCK_IDENTITY: Operation.SUSPEND_IDENTITY,
}
_STANDS_OR_FALLS = frozenset({Operation.CREATE_MAILBOX, Operation.DELETE_MAILBOX})
"""All that comes after one of these is about a mailbox that is there, or about one that is gone."""
_LOSSES = frozenset(
    {
        Operation.DELETE_MAILBOX,
        Operation.DELETE_IDENTITY,
        Operation.DELETE_ALIAS,
        Operation.DELETE_REWRITE,
        Operation.RELEASE_ADDRESS,
    }
)
"""What is taken away comes last, and late it does no harm; so it waits until all before it is made."""


@dataclass(frozen=True, slots=True)
class HostObject:
    """One object at the mail host, by what it is and where."""

    noun: str
    target: Address
    mailbox: Address | None = None
    """The mailbox that an identity or a forwarding is in."""

    @classmethod
    def of(cls, step: Step) -> Self:
        """Return what a step is about."""
        return cls(_noun(step), step.target, step.mailbox)

    def is_of(self, step: Step) -> bool:
        """Tell whether a step is about this object."""
        return self == HostObject.of(step)

    def __str__(self) -> str:
        if self.mailbox is None:
            return f"{self.noun} {self.target}"
        return f"{self.noun} {'to ' if self.noun == 'forwarding' else ''}{self.target} of {self.mailbox}"


def may_be_made(step: Step, left_out: Collection[Step]) -> bool:
    """Tell whether a step may be made though earlier ones of its plan were left out."""
    if left_out and step.operation in _LOSSES:
        return False
    return not any(needs(step, other) for other in left_out)


def needs(step: Step, other: Step) -> bool:
    """Tell whether a step of a plan can be made only after another one of it."""
    if other.operation in _STANDS_OR_FALLS or other.target == step.target:
        return True  # an alias may be in the way at the very address of a mailbox or an identity
    # The ledger knows one forwarding of a mailbox as ours, so the former must be gone before the next is made.
    return step.operation in ON_FORWARDINGS and other.operation in ON_FORWARDINGS


def doors_first(plan: Plan, failing: Collection[HostObject]) -> Plan:
    """Return a plan that closes the doors alone before it blocks what the host has failed to block.

    There are mailboxes that answer 500 for weeks to a new password and to nothing else (`migadu-behaviour.md` 2.13).
    Whose doors are closed cannot use the old one; the block is still wanted, and is tried on.
    """
    return replace(plan, steps=tuple(chain.from_iterable(_doors_first(step, failing) for step in plan.steps)))


def _doors_first(step: Step, failing: Collection[HostObject]) -> Iterator[Step]:
    alone = _DOORS_ALONE.get(step.operation)
    if alone is not None and any_open(step.before) and HostObject.of(step) in failing:
        doors = {name: value for name, value in step.after.items() if name in DOORS}
        yield replace(step, operation=alone, after=doors, brake=None)
        step = replace(step, before={**step.before, **doors})  # or closed doors would be taken for a new password
    yield step


def _noun(step: Step) -> str:
    if step.operation in ON_REWRITES:
        return "rewrite"
    if step.operation in ON_ALIASES:
        return "alias"
    if step.mailbox is None:
        return "mailbox"
    return "forwarding" if step.operation in ON_FORWARDINGS else "identity"
