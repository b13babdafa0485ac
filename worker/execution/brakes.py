"""Brakes: sliding windows over what was intended, which stop mass changes before the first call of a plan."""

from dataclasses import dataclass
from datetime import datetime

from worker.planning.plan import Plan
from worker.planning.step import Brake
from worker.policy import Policy
from worker.store import addresses, shared_addresses, steps
from worker.store.database import Session
from worker.store.holds import Trip


@dataclass(frozen=True, slots=True)
class Cause:
    """Who is behind a plan: brakes count per source whose statement caused it."""

    job_id: int
    source: str


def tripped(session: Session, plan: Plan, cause: Cause, policy: Policy, now: datetime) -> Trip | None:
    """Return the first brake that this plan would trip, counted under that brake's lock until the transaction ends."""
    for brake in sorted({step.brake for step in plan.braked if step.brake}):
        if (trip := _tripped(session, brake, plan, cause, policy, now)) is not None:
            return trip
    return None


def population_of(session: Session, brake: Brake) -> int:
    """Return how many objects there are of what a brake counts: what its share is a share of."""
    return len(shared_addresses.existing(session)) if brake is Brake.LISTS else addresses.population(session)


def _tripped(
    session: Session,
    brake: Brake,
    plan: Plan,
    cause: Cause,
    policy: Policy,
    now: datetime,
) -> Trip | None:
    steps.lock_brake(session, brake, cause.source)
    window = policy.brakes.window(brake.value)
    since = now - window.per.length
    targets = {step.target for step in plan.braked if step.brake is brake}
    counted = steps.braked_count(session, brake, cause.source, since=since, but=(cause.job_id, targets))
    population = population_of(session, brake)
    allowed = window.allowed(population)
    if counted + len(targets) <= allowed:
        return None
    return Trip(brake=brake, source=cause.source, counted=counted, allowed=allowed, population=population)
