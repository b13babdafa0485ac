"""Hints: of whom a source said that they changed, so that their record is asked for there."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.states import HintState
from worker.store.tables.columns import Base, Id, only_where, word


class HintRow(Base):
    """Somebody of whom a source's record is to be asked for; outstanding at most once for each (source, subject)."""

    __tablename__ = "hints"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    source: Mapped[str] = mapped_column(String(64))
    """Our name of the authenticated source."""
    subject: Mapped[str]
    occurred_at: Mapped[datetime]
    """When the newest of the deliveries happened that this row stands for."""
    words: Mapped[list[Any]]
    """What the deliveries said had happened: [type, instant], the newest of each aspect."""
    state: Mapped[HintState] = mapped_column(word(HintState))
    generation: Mapped[int]
    """Counted up by each delivery: one that came during a fetch has the record fetched once more."""
    fence: Mapped[int] = mapped_column(default=0)
    """Counted up by each claim: the answer to an older one is void."""
    slot: Mapped[int | None]
    """Which of the source's fetches under way this is: each number is had by one at a time."""
    lease_until: Mapped[datetime | None]
    """By the database's clock."""
    run_at: Mapped[datetime]
    """When it may be fetched."""
    failures: Mapped[int] = mapped_column(default=0)
    """How many fetches failed in a row."""
    failing_since: Mapped[datetime | None]
    reason: Mapped[str | None]
    """What came of the last fetch, where a person should know."""
    heard_at: Mapped[datetime]
    """When the newest delivery came."""
    settled_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_hints_outstanding", "source", "subject", unique=True, **only_where("state <> 'settled'")),
        Index("uq_hints_slot", "source", "slot", unique=True, **only_where("state = 'fetching'")),
        Index("ix_hints_due", "source", "run_at", "id", **only_where("state = 'waiting'")),
        Index("ix_hints_parked", "source", "id", **only_where("state = 'parked'")),
        Index("ix_hints_settled", "settled_at", **only_where("state = 'settled'")),
        Index("ix_hints_subject", "source", "subject"),
    )


class HintKeyRow(Base):
    """A delivery's key, hashed, because senders choose what is in it: the same delivery is noted once."""

    __tablename__ = "hint_keys"

    source: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    hint_id: Mapped[int | None] = mapped_column(ForeignKey("hints.id"))
    heard_at: Mapped[datetime]

    __table_args__ = (Index("ix_hint_keys_hint_id", "hint_id"), Index("ix_hint_keys_heard_at", "heard_at"))


class HintPauseRow(Base):
    """A source that is not asked for records for a while, because it refuses us or wants to be left alone."""

    __tablename__ = "hint_pauses"

    source: Mapped[str] = mapped_column(String(64), primary_key=True)
    since: Mapped[datetime]
    until: Mapped[datetime]
    pauses: Mapped[int]
    """How many in a row, for growing pauses."""
    is_refusal: Mapped[bool]
    """It does not accept our credentials, which a person must mend."""
    reason: Mapped[str]
