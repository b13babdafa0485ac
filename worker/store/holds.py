"""Holds: what a trip of a brake stopped, the jobs it covers, and the hash that an approval must name.

One trip is one hold over the plans of many jobs, decided once. So is what waits for a source that must agree and does
not answer. A policy that is kept out is a hold, too, over no jobs.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from worker.planning.policy_change import PolicyChange, counts_from
from worker.planning.step import Brake
from worker.store import jobs, people
from worker.store.exclusion import one_at_a_time
from worker.store.spelled import is_in
from worker.store.states import JobState
from worker.store.tables import HoldRow, JobRow

POLICY = "policy"
"""Stands in a row for the brake and the source where a policy is held."""
AGREEMENT = "agreement"
"""Stands in a row for the brake where the source does not answer that must agree to what cannot be undone."""

_STOPPED = (JobState.HELD, JobState.QUEUED, JobState.RUNNING, JobState.WAITING)
"""Jobs that a hold stops, and those that were refreshed meanwhile and have not come to their brake again."""


class HoldState(StrEnum):
    """What became of a hold."""

    OPEN = "open"
    """Its jobs, or its policy, wait for a decision."""
    APPROVED = "approved"
    """An approver let its jobs pass, or its policy in; final."""
    REJECTED = "rejected"
    """An approver stopped its jobs, or keeps its policy out; final."""
    LAPSED = "lapsed"
    """Its jobs went another way before anybody decided, as when people came back, or its policy did; final."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One trip of a brake, as an approver sees it."""

    id: int
    brake: Brake | None
    """None where it is a policy that is held, or where a source must agree."""
    source: str
    """Whose statements tripped it, or who must agree; "policy" where a policy is held."""
    state: HoldState
    opened_at: datetime
    counted: int
    """Objects of this brake already intended in its window."""
    allowed: int
    """How many the window allows."""
    population: int
    decided_at: datetime | None
    decided_by: str | None
    job_ids: tuple[int, ...]
    """The jobs it stops now; empty once it was decided."""
    hash: str
    """Names those jobs and their braked steps: when either changes between the look and the approval, so does it."""
    policy: PolicyChange | None = None
    """The policy that is kept out, what stays in force instead, and what was counted."""

    @property
    def kind(self) -> str:
        """What holds: "brake", "agreement" or "policy"."""
        if self.policy is not None:
            return POLICY
        return "brake" if self.brake else AGREEMENT


@dataclass(frozen=True, slots=True)
class Trip:
    """A brake that stops a plan: what it counted against what it allows."""

    brake: Brake
    source: str
    counted: int
    """What was intended within its window already."""
    allowed: int
    population: int
    to_come: int = 0
    """What else has a job that is about to be counted."""

    @property
    def rest(self) -> str:
        """The end of a sentence that says how many were counted already; empty where nothing else is to come."""
        return f", this one and {self.to_come} more to come" if self.to_come else ""


class HoldChanged(RuntimeError):
    """The hold is not open, or its plans are not those that the approver saw."""


def open_or_join(session: Session, trip: Trip, now: datetime) -> int:
    """Return the open hold of this brake and source, opened if there is none. Called under the brake's lock."""
    return _open_or_join(
        session,
        HoldRow(
            brake=trip.brake,
            source=trip.source,
            state=HoldState.OPEN,
            opened_at=now,
            counted=trip.counted,
            allowed=trip.allowed,
            population=trip.population,
        ),
    )


def await_agreement(session: Session, source: str, now: datetime) -> int:
    """Return the open hold over what this source must agree to, opened if there is none."""
    one_at_a_time(session, ["holds.agreement"])
    new = HoldRow(brake=AGREEMENT, source=source, state=HoldState.OPEN, opened_at=now)
    new.counted = new.allowed = new.population = 0
    return _open_or_join(session, new)


def _open_or_join(session: Session, row: HoldRow) -> int:
    same = select(HoldRow.id).where(HoldRow.brake == row.brake, HoldRow.source == row.source)
    known = session.scalar(same.where(is_in(HoldRow.state, HoldState.OPEN)))
    if known is not None:
        return known
    session.add(row)
    session.flush()
    return row.id


def stopping(session: Session, job: JobRow) -> HoldRow | None:
    """Return the hold that stopped a job the last time, where nobody has decided it since."""
    row = session.get(HoldRow, job.hold_id) if job.hold_id is not None else None
    return row if row is not None and row.state == HoldState.OPEN else None


def close_empty(session: Session, now: datetime) -> int:
    """Let holds lapse that stop no job any more. Returns how many."""
    stopped = select(JobRow.id).where(JobRow.hold_id == HoldRow.id, is_in(JobRow.state, *_STOPPED)).exists()
    over_jobs = HoldRow.policy_hash.is_(None)
    empty = select(HoldRow).where(is_in(HoldRow.state, HoldState.OPEN), over_jobs, ~stopped)
    rows = session.scalars(empty.with_for_update(skip_locked=True)).all()
    for row in rows:
        row.state, row.decided_at = HoldState.LAPSED, now
    return len(rows)


def approve(session: Session, hold_id: int, seen_hash: str, actor: str, now: datetime) -> int:
    """Let the plans of a hold pass, once. Returns how many jobs go on.

    Raises HoldChanged if it is not open, or if its plans are not those whose hash the approver names.
    """
    row, held = _opened(session, hold_id)
    if _holds(session, [row])[0].hash != seen_hash:
        raise HoldChanged(f"hold {hold_id}: what it stops has changed since you looked; look at it again")
    for job in held:
        job.approved_hash = job.braked_hash
        jobs.requeue(job, now)
    row.state, row.decided_at, row.decided_by = HoldState.APPROVED, now, actor
    return len(held)


def reject(session: Session, hold_id: int, actor: str, now: datetime) -> int:
    """Dismiss the jobs of a hold. Returns how many. Raises HoldChanged if it is not open."""
    people.want_anew(session, [job.person_id for job in _held(session, hold_id) if job.person_id is not None])
    row, held = _opened(session, hold_id)
    for job in held:
        jobs.dismiss(session, job, now, f"hold {hold_id} was rejected")
    row.state, row.decided_at, row.decided_by = HoldState.REJECTED, now, actor
    return len(held)


def _opened(session: Session, hold_id: int) -> tuple[HoldRow, list[JobRow]]:
    row = session.get(HoldRow, hold_id, with_for_update=True, populate_existing=True)
    if row is None or row.state != HoldState.OPEN:
        raise HoldChanged(f"hold {hold_id} is not open")
    return row, _held(session, hold_id, lock=True)


def _held(session: Session, hold_id: int, *, lock: bool = False) -> list[JobRow]:
    held = select(JobRow).where(JobRow.hold_id == hold_id, JobRow.state == JobState.HELD).order_by(JobRow.id)
    return list(session.scalars(held.with_for_update() if lock else held))


def list_holds(session: Session, state: HoldState | None = HoldState.OPEN) -> list[Hold]:
    """Return the holds of one state, or of all, oldest first."""
    wanted = select(HoldRow).order_by(HoldRow.id)
    if state is not None:
        wanted = wanted.where(HoldRow.state == state)
    return _holds(session, session.scalars(wanted).all())


def find_hold(session: Session, hold_id: int) -> Hold | None:
    """Return one hold, decided or not."""
    row = session.get(HoldRow, hold_id, populate_existing=True)
    return None if row is None else _holds(session, [row])[0]


def _holds(session: Session, rows: Iterable[HoldRow]) -> list[Hold]:
    rows = list(rows)
    stopped: dict[int | None, list[tuple[int, str]]] = {row.id: [] for row in rows}
    covered = select(JobRow.hold_id, JobRow.id, JobRow.braked_hash).order_by(JobRow.id)
    for hold_id, job_id, braked_hash in session.execute(
        covered.where(JobRow.hold_id.in_(stopped), JobRow.state == JobState.HELD),
    ):
        stopped[hold_id].append((job_id, braked_hash or ""))
    return [_hold(row, stopped[row.id]) for row in rows]


def _hold(row: HoldRow, covered: list[tuple[int, str]]) -> Hold:
    policy = _policy(row)
    return Hold(
        id=row.id,
        brake=None if row.brake in (POLICY, AGREEMENT) else Brake(row.brake),
        source=row.source,
        state=HoldState(row.state),
        opened_at=row.opened_at,
        counted=row.counted,
        allowed=row.allowed,
        population=row.population,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        job_ids=tuple(job_id for job_id, _ in covered),
        hash=policy.hash if policy else _hash(covered),
        policy=policy,
    )


def _policy(row: HoldRow) -> PolicyChange | None:
    if row.policy_hash is None or row.in_force_hash is None:
        return None
    return PolicyChange(row.policy_hash, row.in_force_hash, counts_from(row.policy_counts or {}))


def _hash(covered: list[tuple[int, str]]) -> str:
    return hashlib.sha256("\n".join(f"{job_id}:{braked}" for job_id, braked in covered).encode()).hexdigest()
