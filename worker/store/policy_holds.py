"""Holds over a policy: one that is kept out because what it would bring about alone is more than the brakes allow.

They are rows of the same table as the other holds, and are listed, approved and rejected with them. At most one is
open. A rejection counts for as long as the policy that was in force then still is.
"""

from datetime import datetime

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from worker.planning.policy_change import PolicyChange, counts_document
from worker.store.holds import POLICY, HoldState
from worker.store.spelled import is_in
from worker.store.tables import HoldRow


def hold_policy(session: Session, change: PolicyChange, now: datetime) -> int:
    """Return the open hold over this policy, its counts these, opened if there is none. Called under activation's lock.

    A hold over another policy, or from under another one in force, lapses: what was asked then is not asked any more.
    """
    row = session.scalars(_open().with_for_update()).one_or_none()
    if row is not None and (row.policy_hash, row.in_force_hash) != (change.policy, change.in_force):
        lapse_policy_holds(session, now)
        row = None
    if row is None:
        row = HoldRow(brake=POLICY, source=POLICY, state=HoldState.OPEN, opened_at=now)
        session.add(row)
    worst = change.worst
    row.policy_hash, row.in_force_hash = change.policy, change.in_force
    row.policy_counts = counts_document(change.counts)
    row.counted, row.allowed, row.population = worst.would, worst.allowed, worst.population
    session.flush()
    return row.id


def lapse_policy_holds(session: Session, now: datetime) -> None:
    """Let the open hold over a policy lapse, if there is one: another one came into force, or nobody wants it now."""
    open_ones = update(HoldRow).where(HoldRow.brake == POLICY, is_in(HoldRow.state, HoldState.OPEN))
    session.execute(open_ones.values(state=HoldState.LAPSED, decided_at=now))
    session.flush()


def rejection_of(session: Session, policy_hash: str, in_force: str) -> int | None:
    """Return the hold that was rejected for this very change of policy; None where the last word was another one."""
    row = session.scalars(
        select(HoldRow)
        .where(HoldRow.brake == POLICY, HoldRow.policy_hash == policy_hash, HoldRow.in_force_hash == in_force)
        .order_by(HoldRow.id.desc())
        .limit(1),
    ).one_or_none()
    return row.id if row is not None and row.state == HoldState.REJECTED else None


def open_policy_hold(session: Session, policy_hash: str) -> int | None:
    """Return the open hold over this policy."""
    return session.scalar(_open().with_only_columns(HoldRow.id).where(HoldRow.policy_hash == policy_hash))


def _open() -> Select[HoldRow]:
    return select(HoldRow).where(HoldRow.brake == POLICY, is_in(HoldRow.state, HoldState.OPEN))
