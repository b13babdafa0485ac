"""What sources sent: their deliveries as they came, sealed, and counts of what leaves no row in the inbox."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.tables.columns import Base, Id


class DeliveryRow(Base):
    """One authenticated delivery as it came, encrypted, for as long as it may be replayed."""

    __tablename__ = "deliveries"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    source: Mapped[str] = mapped_column(String(64))
    """Our name of the authenticated source."""
    channel: Mapped[str] = mapped_column(String(16))
    """The way it came in, which says how its body is read."""
    received_at: Mapped[datetime]
    sealed: Mapped[str]
    """What came, as only the keys of the settings open it."""
    events: Mapped[list[Any]]
    """The ids of the events it was read as, whenever it was: accepted, refused or known before."""

    __table_args__ = (
        Index("ix_deliveries_received_at", "received_at"),
        Index("ix_deliveries_source", "source", "received_at", "id"),
        {"sqlite_autoincrement": True},  # whoever writes an id down shall not find another delivery under it later
    )


class DeliverySubjectRow(Base):
    """A subject that a delivery speaks of: by these it is found when somebody is erased."""

    __tablename__ = "delivery_subjects"

    delivery_id: Mapped[int] = mapped_column(ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True)
    subject: Mapped[str] = mapped_column(String(256), primary_key=True)
    source: Mapped[str] = mapped_column(String(64))

    __table_args__ = (Index("ix_delivery_subjects_subject", "source", "subject"),)


class SourceTallyRow(Base):
    """How often something happened to a source's deliveries in one minute, and of refusals behind a good one apart."""

    __tablename__ = "source_tallies"

    source: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    minute: Mapped[datetime] = mapped_column(primary_key=True)
    count: Mapped[int]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    said: Mapped[str | None]
    """The latest reason: of ours, never of what was sent."""

    __table_args__ = (Index("ix_source_tallies_minute", "minute"),)
