"""Admission: whether the policy of a file comes into force at once, or waits for somebody who approves it.

What the change of policy alone would bring about is counted first. Beyond the brakes of the policy in force it becomes
a hold, and that policy stays. Whatever is let in, the brakes still count each block and deletion that comes of it.
"""

from dataclasses import dataclass
from datetime import datetime

import structlog

from worker.intake.activation import activate_policy
from worker.intake.context import Intake
from worker.intake.policy_change import change_of_policy
from worker.planning.policy_change import PolicyChange
from worker.policy import Policy, PolicyInvalid, load_policy
from worker.store.database import Session
from worker.store.holds import HoldChanged
from worker.store.policies import active_policy, lock_activation, policy_text, store_policy
from worker.store.policy_holds import hold_policy, lapse_policy_holds, rejection_of

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Admission:
    """What became of a policy that wants to come into force."""

    in_force: Policy
    """The policy that counts now: the new one, or the one before."""
    kept_out: str | None = None
    """Why it is not the new one; None where it is."""


def admit(intake: Intake, body: str) -> Admission:
    """Keep a policy's text, and put it into force unless that alone exceeds the brakes. Raises PolicyInvalid.

    The first policy, and one after a text that this version cannot read, comes into force at once. Several processes
    that start together with one file make one hold. Idempotent.
    """
    new = load_policy(body)
    while True:
        with intake.database.read() as session:
            before = active_policy(session)
            rejected = rejection_of(session, new.hash, before[0]) if before else None
        in_force = _readable(before)
        differs = in_force is not None and in_force.hash != new.hash and rejected is None
        change = change_of_policy(intake, in_force, new) if in_force and differs else None
        with intake.database.write() as session:
            lock_activation(session)
            if active_policy(session) == before:  # else another process was faster, and the counts are of no use
                return _decide(session, body, in_force, change, rejected, intake.clock.now())


def let_in(session: Session, change: PolicyChange, now: datetime) -> None:
    """Put a policy into force that was held. Raises HoldChanged if it would no longer replace the same one."""
    lock_activation(session)
    active = active_policy(session)
    if active is None or active[0] != change.in_force:
        raise HoldChanged("another policy has come into force since; start a worker to have this one looked at again")
    activate_policy(session, policy_text(session, change.policy), now)


def _readable(active: tuple[str, str] | None) -> Policy | None:
    try:
        return load_policy(active[1]) if active else None
    except PolicyInvalid:
        _log.warning("the policy in force was written for another version; the new one takes its place")
        return None


def _decide(
    session: Session,
    body: str,
    in_force: Policy | None,
    change: PolicyChange | None,
    rejected: int | None,
    now: datetime,
) -> Admission:
    new = load_policy(body)
    store_policy(session, body, new.hash, now)
    if in_force is not None and rejected is not None:
        lapse_policy_holds(session, now)  # over another text, which the file no longer has
        kept_out = f"it was rejected (hold {rejected}), so policy {in_force.hash[:12]} stays in force: change the file"
        _log.warning("policy kept out", policy=new.hash, why=kept_out)
        return Admission(in_force, kept_out)
    if in_force is not None and change is not None and change.exceeds:
        hold_id = hold_policy(session, change, now)
        kept_out = f"it is held (hold {hold_id}), and policy {in_force.hash[:12]} stays in force: it {change}"
        _log.warning("policy kept out", policy=new.hash, why=kept_out)
        return Admission(in_force, kept_out)
    lapse_policy_holds(session, now)
    activate_policy(session, body, now)
    return Admission(new)
