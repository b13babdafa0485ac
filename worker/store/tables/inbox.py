"""The inbox: every event that was told to us."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.states import EventState
from worker.store.tables.columns import Base, Id, only_where, word


class EventRow(Base):
    """The inbox: every event that was told to us, also those we refused."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    source: Mapped[str] = mapped_column(String(64))
    """Our name of the authenticated source."""
    ce_source: Mapped[str | None]
    ce_id: Mapped[str | None]
    type: Mapped[str | None]
    subject: Mapped[str | None]
    time: Mapped[datetime | None]
    received_at: Mapped[datetime]
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the event's canonical JSON: tells a duplicate from another body under the same key."""
    document: Mapped[dict[str, Any]]
    """The event as received; a body that was no JSON object is kept as {"raw": text}."""
    state: Mapped[EventState] = mapped_column(word(EventState))
    reason: Mapped[str | None]
    failures: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[datetime | None]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    applied_at: Mapped[datetime | None]
    reads_anew: Mapped[int | None] = mapped_column(Id)
    """The event that the same delivery was read as before its mapping was mended: what this one says takes its place,
    where both are about one subject."""

    __table_args__ = (
        # Rejected events hold no key: a sender may mend an event and send it again under the same id.
        Index("uq_events_key", "source", "ce_source", "ce_id", unique=True, **only_where("state <> 'rejected'")),
        Index("ix_events_accepted", "id", **only_where("state = 'accepted'")),
        Index("ix_events_parked", "id", **only_where("state = 'parked'")),
        Index("ix_events_rejected", "id", **only_where("state = 'rejected'")),
        Index("ix_events_dismissed", "id", **only_where("state = 'dismissed'")),
        Index("ix_events_person_id", "person_id", "id"),
        Index("ix_events_digest", "digest"),
        Index("ix_events_subject", "source", "subject"),
        Index("ix_events_reads_anew", "reads_anew", **only_where("reads_anew is not null")),
        # With the state, so that whoever counts what a source told lately reads no event for it.
        Index("ix_events_heard", "source", "received_at", "state"),
    )
