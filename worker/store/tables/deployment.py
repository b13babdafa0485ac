"""The deployment: policies, tokens, the audit, and the workers that were seen."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.tables.columns import Base, Id, only_where


class PolicyRow(Base):
    """A policy file, known by the hash of what it says. One is active."""

    __tablename__ = "policies"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    body: Mapped[str]
    stored_at: Mapped[datetime]
    activated_at: Mapped[datetime | None]
    active: Mapped[bool]

    __table_args__ = (Index("uq_policies_active", "active", unique=True, **only_where("active")),)


class TokenRow(Base):
    """An access token: shown once, stored as a digest."""

    __tablename__ = "tokens"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    source: Mapped[str | None] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class AuditRow(Base):
    """What operators did, by whom and when."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(64))
    act: Mapped[str] = mapped_column(String(64))
    target: Mapped[str]
    detail: Mapped[dict[str, Any]]

    __table_args__ = (Index("ix_audit_target", "target", "id"),)


class WorkerRow(Base):
    """A worker process and when it last showed progress."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
