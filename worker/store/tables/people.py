"""People: what is looked up of them, what sources stated, who was merged, and what is left of the erased."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.tables.columns import Base, Id, only_where


class PersonRow(Base):
    """A person: what is looked up and listed; what sources stated of them is in ``records``."""

    __tablename__ = "people"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    created_at: Mapped[datetime]
    name: Mapped[str] = mapped_column(default="")
    phase: Mapped[str] = mapped_column(String(16), default="")
    employee_number: Mapped[str | None]
    work_email: Mapped[str | None]
    next_change_at: Mapped[datetime | None]
    """When ``desired`` must be asked again."""
    next_step: Mapped[str | None]
    wanted_hash: Mapped[str | None] = mapped_column(String(64))
    """Hash of what was last found to be desired: an event that changes nothing makes no job."""
    policy_hash: Mapped[str | None] = mapped_column(String(64))
    """The policy this person was last evaluated under."""
    evaluated_at: Mapped[datetime | None]
    manager_source: Mapped[str | None] = mapped_column(String(64))
    manager_subject: Mapped[str | None] = mapped_column(String(256))
    """With ``manager_source`` the record that this person's manager is stated to have, whether there is one or not."""
    takeover_address: Mapped[str | None] = mapped_column(String(254))
    """The address at which this person can take over for others now; None while they cannot."""
    erased_at: Mapped[datetime | None]
    """When everything personal was removed; this row then only says that there was somebody."""
    line_due_at: Mapped[datetime | None]
    """Since then there is something that others have not heard: those below of how this person stands in line, or
    records that wait of an address that is this person's now. None: they have heard all."""
    irreversible_at: Mapped[datetime | None]
    """When the first change comes that nobody can undo, as far as is known; None where none comes by time alone."""

    __table_args__ = (
        Index(None, "employee_number"),
        Index(None, "work_email"),
        Index(None, "name"),
        Index(None, "phase"),
        Index("ix_people_due", "next_change_at", **only_where("next_change_at is not null")),
        Index("ix_people_policy_hash", "policy_hash", "id"),
        Index("ix_people_manager", "manager_source", "manager_subject", **only_where("manager_subject is not null")),
        Index("ix_people_line_due", "line_due_at", **only_where("line_due_at is not null")),
    )


class RecordRow(Base):
    """What one source stated under one subject. Without a person it waits unmatched."""

    __tablename__ = "records"

    source: Mapped[str] = mapped_column(String(64), primary_key=True)
    subject: Mapped[str] = mapped_column(String(256), primary_key=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"), index=True)
    document: Mapped[dict[str, Any]]
    employee_number: Mapped[str | None]
    work_email: Mapped[str | None]
    why_unmatched: Mapped[str | None]
    pinned_at: Mapped[datetime | None]
    """When an operator decided whose it is: no identifier that is stated later decides that again."""
    updated_at: Mapped[datetime]

    __table_args__ = (
        Index(None, "subject"),
        # Records that wait for their person are looked up by what links them.
        Index("ix_records_unmatched_number", "employee_number", **only_where("person_id is null")),
        Index("ix_records_unmatched_email", "work_email", **only_where("person_id is null")),
    )


class MergeRow(Base):
    """What an operator decided about whose records are whose, with what is needed to take it back exactly."""

    __tablename__ = "merges"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    """merge or split."""
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    """Who was kept."""
    other_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    """Who was merged into them, or split off."""
    at: Mapped[datetime]
    former: Mapped[dict[str, Any]]
    """The records that changed their person, and of each row that changed what it held before."""
    undone_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_merges_person_id", "person_id", "id"),
        Index("ix_merges_other_id", "other_id", "id"),
    )


class ErasedRow(Base):
    """What is left of erased people: keyed hashes, by which something about them is recognised."""

    __tablename__ = "erased"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    until: Mapped[datetime]
    """What happened until then, and whatever is no joining after it, is about somebody who was erased."""
    released_at: Mapped[datetime | None]
    """Of an address under which mail was received: since when it may count as given up."""


class ErasureKeyRow(Base):
    """The key of those hashes: one row, made once."""

    __tablename__ = "erasure_key"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    key: Mapped[str] = mapped_column(String(64))
