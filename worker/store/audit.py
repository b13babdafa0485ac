"""The audit: what operators did, kept for good. What the program does by itself is told by jobs, steps and attempts."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from worker.store.tables import AuditRow

Detail = Mapping[str, str | int | bool | None]
"""A few plain values that explain an act; never a secret, and of people their keys only."""


@dataclass(frozen=True, slots=True)
class Act:
    """One act of one operator."""

    id: int
    at: datetime
    actor: str
    """``token:7``, ``cli:root`` or the like."""
    act: str
    """A verb and its kind: ``job.retry``, ``hold.approve``, ``token.revoke``."""
    target: str
    """The key of what was acted upon."""
    detail: Detail


def record(
    session: Session,
    actor: str,
    act: str,
    target: str,
    detail: Detail,
    now: datetime,
) -> None:
    """Write an act down, in the transaction of the act itself, so that neither is there without the other."""
    session.add(AuditRow(at=now, actor=actor, act=act, target=target, detail=dict(detail)))
    session.flush()


def latest_acts(session: Session, limit: int = 100) -> list[Act]:
    """Return the newest acts, newest first."""
    return [_act(row) for row in session.scalars(select(AuditRow).order_by(AuditRow.id.desc()).limit(limit))]


def acts_on(session: Session, targets: Collection[str]) -> list[Act]:
    """Return the acts on these, the oldest first."""
    mine = select(AuditRow).where(AuditRow.target.in_(targets))
    return [_act(row) for row in session.scalars(mine.order_by(AuditRow.id))]


def _act(row: AuditRow) -> Act:
    return Act(id=row.id, at=row.at, actor=row.actor, act=row.act, target=row.target, detail=row.detail)
