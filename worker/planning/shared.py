"""Planning for a shared address: one alias, whose whole list of destinations is written at once."""

from worker.mail import Address, Alias, domain_of
from worker.planning.observed import ObservedShared
from worker.planning.plan import Plan
from worker.planning.step import Operation, Step, StepFields
from worker.policy.state import DesiredShared


def plan_shared(address: Address, desired: DesiredShared, observed: ObservedShared) -> Plan:
    """Return the one step, or none, that takes a shared address from observed to desired.

    Deterministic. An alias without destinations is deleted, because the host refuses an empty list. An alias that is
    not ours gives an empty plan with a note. No step on an alias has a brake: its mail can be handed over again.
    """
    alias = observed.alias
    if alias is None:
        steps = (_creation(address, desired.destinations),) if desired.destinations else ()
        return Plan(steps, _left_out(address, desired))
    if not observed.ours:
        return Plan(note=f"{alias.address} is not ours: it was neither made nor adopted here, so nothing is changed")
    if not desired.destinations:
        return Plan((Step(Operation.DELETE_ALIAS, alias.address, _listed(alias.destinations), after={}),))
    if desired.destinations == alias.destinations:
        return Plan(note=_left_out(address, desired))
    return Plan((_rewriting(alias, desired.destinations),), _left_out(address, desired))


def _left_out(address: Address, desired: DesiredShared) -> str | None:
    if not desired.left_out:
        return None
    return f"members left out, because an alias of {domain_of(address)} reaches only mailboxes there: " + ", ".join(
        sorted(desired.left_out)
    )


def _creation(address: Address, destinations: frozenset[Address]) -> Step:
    return Step(Operation.CREATE_ALIAS, address, before={}, after=_listed(destinations))


def _rewriting(alias: Alias, destinations: frozenset[Address]) -> Step:
    return Step(Operation.UPDATE_ALIAS, alias.address, _listed(alias.destinations), _listed(destinations))


def _listed(destinations: frozenset[Address]) -> StepFields:
    return {"destinations": tuple(sorted(destinations))}
