"""The mail host as all share it: pauses, the slots of the call budget, and the gate."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.tables.columns import Base, Id


class PauseRow(Base):
    """A reason for which one kind of call is not made for a while: creations, where the plan is full."""

    __tablename__ = "pauses"

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    since: Mapped[datetime]
    until: Mapped[datetime]
    pauses: Mapped[int]
    """How many in a row, for growing pauses."""
    reason: Mapped[str]


class SlotRow(Base):
    """A slot of the call budget: whoever calls the mail host holds one. There are as many as the limit has calls.

    Goes by the database's clock.
    """

    __tablename__ = "call_slots"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kept: Mapped[bool]
    """For revocations only."""
    busy_until: Mapped[datetime]
    """When its last call was answered; while one is under way, when that can be at the latest."""
    takings: Mapped[int]
    """How often it was taken, so that an answer that comes late does not free what somebody else has taken."""

    __table_args__ = (Index("ix_call_slots_busy_until", "kept", "busy_until"),)


class GateRow(Base):
    """The gate before the mail host: its one row says that it is closed for all calls. By the database's clock."""

    __tablename__ = "call_gate"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str]
    since: Mapped[datetime]
    """When it was closed first."""
    closed_at: Mapped[datetime]
    """When it was closed last: what was sent before says nothing about the time after."""
    until: Mapped[datetime]
    """From then on a single call may probe whether the host serves again."""
    closings: Mapped[int]
    """How many in a row, for growing pauses."""
    probe_until: Mapped[datetime | None]
    """A probe is under way, and until then nobody else may try."""
