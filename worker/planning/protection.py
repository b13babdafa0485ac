"""Protection: what of a plan is left undone, because it would touch an address that the policy protects.

Nobody is given such an address; but what somebody has may be protected later, and so may a list that the policy names
no more. To be named as a destination touches no address.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace

from worker.mail import Address, Mailbox, called, domain_of, local_part_of, takes_mail_of
from worker.planning.order import needs
from worker.planning.plan import Plan
from worker.planning.step import ON_FORWARDINGS, ON_REWRITES, Brake, Operation, Step
from worker.policy.handover import both


def never_touched(address: Address) -> str:
    """Return the sentence that stops us at an address that the policy protects."""
    return f"{address} is protected by the policy: it is never touched"


def guarded(plan: Plan, protected: Collection[Address], mailbox: Mailbox | None = None) -> Plan:
    """Return a plan without what would touch a protected address, and without what needs that. Pure.

    What is left undone leaves the plan unfinished; a list that is to go may as well stay, which is a note. Addresses
    are given up together or not at all: of whoever has lost the primary one, no lane would look after the others.
    ``mailbox``: the one that the plan is about: its deletion takes the identities in it along.
    """
    keeps_addresses = any(
        each.operation is Operation.RELEASE_ADDRESS and each.target in protected for each in plan.steps
    )
    kept: list[Step] = []
    left: list[Step] = []
    unfinished, note = plan.unfinished, plan.note
    for step in plan.steps:
        why = next(_reasons(step, protected, mailbox), None)
        is_kept_with_it = keeps_addresses and step.operation is Operation.RELEASE_ADDRESS
        if why is None and not is_kept_with_it and not any(needs(step, other) for other in left):
            kept.append(step)
            continue
        left.append(step)
        if step.brake is Brake.LISTS:
            note = both(note, why)
        else:
            unfinished = both(unfinished, why)
    return replace(plan, steps=tuple(kept), note=note, unfinished=unfinished) if left else plan


def _reasons(step: Step, protected: Collection[Address], mailbox: Mailbox | None) -> Iterator[str]:
    """Yield a sentence for each protected address that a step would touch."""
    if step.operation in ON_REWRITES:
        for address in _of_rewrite(step, protected):
            yield f"{called(step.key)} takes mail of {address}, which is protected by the policy: it is not touched"
        return
    if step.operation is Operation.ERASE_PERSON:
        return  # its target names the person, and nothing at that address changes
    yield from map(never_touched, sorted(_at(step).intersection(protected)))
    if step.operation is Operation.DELETE_MAILBOX and mailbox is not None:
        for address in sorted({identity.address for identity in mailbox.identities}.intersection(protected)):
            yield f"{step.target} is not deleted, for its identity {address} is protected by the policy"


def _at(step: Step) -> set[Address]:
    """Return the addresses whose object a step is about; a forwarding's own is somebody else's, and only named."""
    of_the_object = set[Address]() if step.operation in ON_FORWARDINGS else {step.target}
    return of_the_object | ({step.mailbox} if step.mailbox is not None else set())


def _of_rewrite(step: Step, protected: Collection[Address]) -> list[Address]:
    """Return whose mail a rewrite takes, before the step or after it."""
    rules = [rule for each in (step.before, step.after) if isinstance(rule := each.get("local_part_rule"), str)]
    domain = domain_of(step.target)
    return sorted(
        address
        for address in protected
        if domain_of(address) == domain and any(takes_mail_of(rule, local_part_of(address)) for rule in rules)
    )
