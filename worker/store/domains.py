"""Queries over mail domains: when the addresses of each were last read into the ledger."""

from datetime import datetime

from sqlalchemy.orm import Session

from worker.store.exclusion import one_at_a_time
from worker.store.tables import DomainRow


def domain_read_at(session: Session, domain: str) -> datetime | None:
    """Return when a domain's addresses were last read into the ledger."""
    row = session.get(DomainRow, domain)
    return row.indexed_at if row else None


def lock_domain(session: Session, domain: str) -> None:
    """Let one transaction at a time ask or note whether a domain was read, until it ends."""
    one_at_a_time(session, [f"domain.{domain}"])


def set_domain_read(session: Session, domain: str, now: datetime) -> None:
    """Note that a domain's addresses were read."""
    session.merge(DomainRow(name=domain, indexed_at=now))
