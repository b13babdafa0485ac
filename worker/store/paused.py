"""What the mail host is not asked for a while, and why: everything, creations of mailboxes, or single objects."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from worker.store import gate, pauses, quarantines
from worker.store.database import database_now
from worker.store.gate import ClosedGate
from worker.store.pauses import PauseKind
from worker.store.tables import PauseRow, QuarantineRow

OBJECT = "object"
"""The kind of a pause that is about a single object."""
_WHAT = {PauseKind.CREATIONS: "creations of mailboxes"}


@dataclass(frozen=True, slots=True)
class Paused:
    """One thing that is not asked for. All of them end by themselves, with the first success after ``until``."""

    kind: str
    """throttled or account (everything), creations, or object."""
    what: str
    since: datetime
    until: datetime
    active: bool
    """Not over, or not known to be: a closed gate and an object in quarantine wait for a success."""
    probing: bool
    """A single call is under way to see whether it is over."""
    reason: str
    job_id: int | None = None
    """The job that is about it, where it is one object."""

    def __str__(self) -> str:
        of = f" (job {self.job_id})" if self.job_id is not None else ""
        return f"{self.what}{of} until {self.until:%Y-%m-%d %H:%M} UTC: {self.reason}"


def what_is_paused(session: Session, now: datetime, *, at_most: int) -> list[Paused]:
    """Return what is not asked for, the widest first; of single objects the oldest ``at_most``."""
    closed = gate.closed(session)
    return [
        *([_closed(closed, database_now(session))] if closed is not None else []),
        *(_pause(row, now) for row in pauses.all_of(session)),
        *(_quarantined(row) for row in quarantines.left_alone(session, at_most=at_most)),
    ]


def _closed(closed: ClosedGate, now: datetime) -> Paused:
    """Tell of a closed gate; beyond ``until`` it is as closed as before, but for a probe."""
    return Paused(
        kind=closed.closing.value,
        what="all calls",
        since=closed.since,
        until=closed.until,
        active=True,
        probing=closed.is_probed(now),
        reason=closed.reason,
    )


def _pause(row: PauseRow, now: datetime) -> Paused:
    """Tell of a pause; one that is over stays until the first success after it."""
    return Paused(
        kind=row.kind,
        what=_WHAT[PauseKind(row.kind)],
        since=row.since,
        until=row.until,
        active=row.until > now,
        probing=False,
        reason=row.reason,
    )


def _quarantined(row: QuarantineRow) -> Paused:
    assert row.until is not None, "only those are asked for that are left alone"
    return Paused(
        kind=OBJECT,
        what=str(quarantines.object_of(row)),
        since=row.since,
        until=row.until,
        active=True,
        probing=False,
        reason=quarantines.what_failed(row),
        job_id=row.job_id,
    )
