"""Addresses: the ledger, memberships in shared ones, domains that were read, and drift that was found there."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.tables.columns import Base, Id, only_where


class AddressRow(Base):
    """The address ledger: who held which address from when to when, in which role, and how we came by it."""

    __tablename__ = "addresses"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    address: Mapped[str] = mapped_column(String(254))
    domain: Mapped[str] = mapped_column(String(253))
    role: Mapped[str] = mapped_column(String(16))
    """primary, identity, alias, shared, rewrite, foreign. Of a rewrite the address is `rewrite:NAME@DOMAIN`."""
    provenance: Mapped[str] = mapped_column(String(16))
    """reserved (not made yet), created, adopted, foreign."""
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    """The job that created or adopted it."""
    held_from: Mapped[datetime]
    held_to: Mapped[datetime | None]
    exists_since: Mapped[datetime | None]
    """When the mail host last confirmed that it came to exist; None while it does not."""
    blocked_at: Mapped[datetime | None]
    """When our block was confirmed and the password became random; None once reopened. Stays when what was blocked is
    deleted, because the later stages count from it, until it is made anew."""
    former_fields: Mapped[dict[str, Any] | None]
    """For the way back: the doors before we closed them, the autoreply before a stage wrote its own."""
    forwards_to: Mapped[str | None] = mapped_column(String(254))
    """Of a mailbox: where the forwarding leads that we made."""
    alias_to: Mapped[str | None] = mapped_column(String(254))
    """Of a person's address: what the alias names that we made there; None while none of ours stands there."""
    instead_of: Mapped[str | None] = mapped_column(String(254))
    """Of an adopted mailbox: the address that the policy would have given to the name that its holder had then. While
    it still would, they need no further address."""
    withdrawn_at: Mapped[datetime | None]
    """When the job that added it was undone: it goes, where it exists, and is then given up."""
    written: Mapped[dict[str, Any] | None]
    """The fields as we last wrote them or saw them as they are wanted: what differs was somebody else. No secrets."""

    __table_args__ = (
        # One namespace per domain for mailboxes, identities and aliases (migadu-behaviour.md 2, "Namespaces").
        Index("uq_addresses_held", "address", unique=True, **only_where("held_to is null")),
        Index("ix_addresses_address", "address"),
        Index("ix_addresses_person_id", "person_id"),
        Index("ix_addresses_domain", "domain", "role"),
        # The mailboxes of people that exist: what the brakes count.
        Index(
            "ix_addresses_population",
            "id",
            **only_where("role = 'primary' and held_to is null and exists_since is not null"),
        ),
    )


class MembershipRow(Base):
    """Who belongs to which shared address or rewrite (`rewrite:NAME@DOMAIN`), as last evaluated.

    It marks exactly the aliases and rewrites that a change touches.
    """

    __tablename__ = "memberships"

    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    address: Mapped[str] = mapped_column(String(254), primary_key=True)
    since: Mapped[datetime]

    __table_args__ = (Index("ix_memberships_address", "address", "person_id"),)


class DomainRow(Base):
    """A domain whose addresses were read into the ledger."""

    __tablename__ = "domains"

    name: Mapped[str] = mapped_column(String(253), primary_key=True)
    indexed_at: Mapped[datetime]


class ReadingRow(Base):
    """A reconcile of a domain: when the host was read, and how much was compared. The newest finished one counts."""

    __tablename__ = "drift_readings"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    domain: Mapped[str] = mapped_column(String(253))
    read_at: Mapped[datetime]
    """When its lists were asked for."""
    finished_at: Mapped[datetime | None]
    people: Mapped[int]
    """How many people were compared."""
    shared: Mapped[int]
    """How many shared addresses were compared."""

    __table_args__ = (Index("ix_drift_readings_domain", "domain", "id"),)


class DriftRow(Base):
    """One difference that a reconcile found, or an object that is none of ours."""

    __tablename__ = "drift"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    reading_id: Mapped[int] = mapped_column(ForeignKey("drift_readings.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(16))
    """stale, foreign-hand, missing, unmanaged."""
    subject_kind: Mapped[str | None] = mapped_column(String(16))
    subject_key: Mapped[str | None] = mapped_column(String(254))
    """Whose it is; None of what is unmanaged."""
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    noun: Mapped[str] = mapped_column(String(16))
    address: Mapped[str] = mapped_column(String(254))
    mailbox: Mapped[str | None] = mapped_column(String(254))
    field: Mapped[str | None] = mapped_column(String(64))
    """None: the object itself."""
    wanted: Mapped[Any | None] = mapped_column(JSON)
    found: Mapped[Any | None] = mapped_column(JSON)
    written: Mapped[Any | None] = mapped_column(JSON)
    action: Mapped[str | None] = mapped_column(String(16))
    """repair or report; None of what is never touched."""
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    """The job that takes care of it: outstanding when the host was read, or queued as a repair."""
    note: Mapped[str | None]

    __table_args__ = (
        Index("ix_drift_reading_id", "reading_id", "id"),
        Index("ix_drift_person_id", "person_id", **only_where("person_id is not null")),
    )
