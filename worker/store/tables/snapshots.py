"""Snapshots: when a source stated all it knows, and who was absent from it."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.tables.columns import Base, Id


class SnapshotRow(Base):
    """A roster that was read to its end, and whose differences are in the inbox."""

    __tablename__ = "snapshots"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    source: Mapped[str] = mapped_column(String(64))
    taken_at: Mapped[datetime]
    complete: Mapped[bool]
    """It was to hold everybody."""
    counted: Mapped[bool]
    """Who is absent from it was counted: complete, and no repetition of one that was."""
    population: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of what it states."""

    __table_args__ = (Index("ix_snapshots_source", "source", "taken_at"),)


class AbsenceRow(Base):
    """Somebody a source has employed, and who is absent from its newest complete snapshots."""

    __tablename__ = "absences"

    source: Mapped[str] = mapped_column(String(64), primary_key=True)
    subject: Mapped[str] = mapped_column(String(256), primary_key=True)
    count: Mapped[int]
    """From how many in a row."""
    since: Mapped[datetime]
    """When the first of them was taken."""
