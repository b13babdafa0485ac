"""Queries over the shared addresses and rewrites of ours in the address ledger: the lists that jobs write."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from worker.mail import Address, SharedKey, domain_of
from worker.store.addresses import OURS, SHARED_ROLES
from worker.store.tables import AddressRow


def in_domain(session: Session, domain: str) -> list[SharedKey]:
    """Return the keys of the shared addresses and rewrites that are held in a domain."""
    return [row.address for row in every(session) if row.domain == domain]


def existing(session: Session) -> list[SharedKey]:
    """Return the shared addresses and rewrites of ours that exist, in order."""
    rows = session.scalars(
        select(AddressRow.address)
        .where(
            AddressRow.role.in_(SHARED_ROLES),
            AddressRow.provenance.in_(OURS),
            AddressRow.exists_since.is_not(None),
            AddressRow.held_to.is_(None),
        )
        .order_by(AddressRow.address),
    )
    return list(rows)


def naming(session: Session, address: Address) -> list[SharedKey]:
    """Return the lists of ours, shared addresses and rewrites, that name a mailbox as they were last written.

    A list names mailboxes of its own domain only, so no others are read.
    """
    rows = session.scalars(
        select(AddressRow)
        .where(
            AddressRow.domain == domain_of(address),
            AddressRow.role.in_(SHARED_ROLES),
            AddressRow.held_to.is_(None),
            AddressRow.exists_since.is_not(None),
        )
        .order_by(AddressRow.address),
    )
    return [row.address for row in rows if address in (row.written or {}).get("destinations", ())]


def every(session: Session) -> list[AddressRow]:
    """Return every shared address and rewrite that we hold, whether it exists or not."""
    ours = AddressRow.role.in_(SHARED_ROLES), AddressRow.held_to.is_(None)
    return list(session.scalars(select(AddressRow).where(*ours).order_by(AddressRow.address)))
