"""Brakes: sliding windows over what was intended, which stop mass changes before the first call of a plan."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from worker.mail import Address, SharedKey, bare
from worker.planning.plan import Plan
from worker.planning.step import Brake
from worker.policy import Policy, SharedView, desired
from worker.store import addresses, holds, memberships, shared_addresses, staying, steps
from worker.store.database import Session
from worker.store.holds import Trip
from worker.store.tables import JobRow


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


def undecided(session: Session, job: JobRow, plan: Plan) -> int | None:
    """Return the hold over deletions that stopped this job the last time and that nobody has decided since.

    What cannot be taken back does not pass because time has: another stage that falls due, or an event that changes
    nothing of it, has the job looked at again when the window has room.
    """
    if not any(step.brake is Brake.DELETE for step in plan.braked):
        return None
    hold = holds.stopping(session, job)
    return hold.id if hold is not None and hold.brake == Brake.DELETE else None


def not_decided(hold_id: int) -> str:
    """Return the sentence that stops a deletion over which nobody has decided."""
    return f"whether this is deleted has not been decided: approve or reject hold {hold_id}"


def _tripped(
    session: Session,
    brake: Brake,
    plan: Plan,
    cause: Cause,
    policy: Policy,
    now: datetime,
) -> Trip | None:
    steps.lock_brake(session, brake, cause.source)
    since = now - policy.brakes.window(brake.value).per.length
    targets = {step.target for step in plan.braked if step.brake is brake}
    seen = _lists(session, cause, targets, policy, since, now) if brake is Brake.LISTS else None
    if seen is None:
        counted = steps.braked_count(session, brake, cause.source, since=since, but=(cause.job_id, targets))
        seen = _Seen(counted, addresses.population(session))
    allowed = policy.brakes.allowed(brake.value, seen.population)
    if seen.counted + seen.to_come + len(targets) <= allowed:
        return None
    return Trip(brake, cause.source, seen.counted, allowed, seen.population, seen.to_come)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a brake counts besides the plan itself."""

    counted: int
    population: int
    to_come: int = 0


def _lists(
    session: Session, cause: Cause, targets: Collection[Address], policy: Policy, since: datetime, now: datetime
) -> _Seen:
    """Count lists: those that go soon with those that went, so that of many that go at once not even the first does.

    One that is back is not gone. Their share is one of all lists that there were when the window began.
    """
    existing = shared_addresses.existing(session)
    there = frozenset(map(bare, existing))
    went = steps.braked_targets(session, Brake.LISTS, cause.source, since=since) - there
    going = _going(session, existing, policy, now)
    return _Seen(len(went), len(went | there), len(going - {*targets}))


def _going(session: Session, existing: Collection[SharedKey], policy: Policy, now: datetime) -> frozenset[Address]:
    """Return those of existing lists that have a job and should not exist; who stays for now does not keep them."""
    at_work = sorted(staying.lists_at_work(session).intersection(existing))
    members = memberships.members_at_host(session, at_work)
    wanted = {key: desired(SharedView(key, members[key]), policy, now).state.destinations for key in at_work}
    return frozenset(bare(key) for key in at_work if not wanted[key]) - policy.protected
