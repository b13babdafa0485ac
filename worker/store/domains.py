"""Queries over mail domains: when the addresses of each were last read into the ledger."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.store.tables import DomainRow


def domain_read_at(session: Session, domain: str) -> datetime | None:
    """Return when a domain's addresses were last read into the ledger."""
    row = session.get(DomainRow, domain)
    return row.indexed_at if row else None


def lock_domain(session: Session, domain: str) -> None:
    """Let one transaction at a time ask or note whether a domain was read, until it ends.

    SQLite's writing transactions exclude each other anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("select pg_advisory_xact_lock(hashtext(:name))"), {"name": f"mailroster.domain.{domain}"})


def set_domain_read(session: Session, domain: str, now: datetime) -> None:
    """Note that a domain's addresses were read."""
    session.merge(DomainRow(name=domain, indexed_at=now))
