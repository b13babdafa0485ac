"""Hints that are settled: known while their deliveries may be repeated, then forgotten, because they name people."""

from datetime import datetime

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from worker.store.spelled import is_in
from worker.store.states import HintState
from worker.store.tables import HintKeyRow, HintRow


def any_older(session: Session, before: datetime) -> bool:
    """Tell whether a hint was settled before an instant."""
    return session.scalar(_older(before).limit(1)) is not None


def forget_older(session: Session, before: datetime, *, limit: int) -> int:
    """Delete the hints that were settled longest ago, before an instant, with their keys. Returns how many hints.

    Passes over what another transaction has in hand. Locks hints, then keys, as erasing does.
    """
    ids = list(session.scalars(_older(before).limit(limit).with_for_update(skip_locked=True)))
    if ids:
        session.execute(delete(HintKeyRow).where(HintKeyRow.hint_id.in_(ids)))
        session.execute(delete(HintRow).where(HintRow.id.in_(ids)))
    return len(ids)


def _older(before: datetime) -> Select[int]:
    settled = is_in(HintRow.state, HintState.SETTLED)
    return select(HintRow.id).where(settled, HintRow.settled_at < before).order_by(HintRow.settled_at)
