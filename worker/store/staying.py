"""Queries over who stays in a list for now: former members whom the list, as it was last written, still names."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from worker.mail import Address, SharedKey
from worker.store import jobs
from worker.store.addresses import Role
from worker.store.states import JobState
from worker.store.tables import AddressRow, JobRow, PersonRow

EMPLOYED = ("active", "suspended")
"""The phases of people who work here and will: nobody else is ever blocked."""


def named_by(row: AddressRow | None) -> frozenset[Address]:
    """Return the mailboxes that a list named when it was last written; none where it does not exist."""
    if row is None or row.exists_since is None:
        return frozenset()
    return frozenset(Address(each) for each in (row.written or {}).get("destinations", ()))


def unblocked_departed(session: Session, mailboxes: Collection[Address]) -> list[int]:
    """Return the people, in order, whose mailboxes among these exist and are not blocked, and who are leaving."""
    rows = session.scalars(
        select(AddressRow.person_id)
        .join(PersonRow, PersonRow.id == AddressRow.person_id)
        .where(
            AddressRow.address.in_(sorted(mailboxes)),
            AddressRow.role == Role.PRIMARY,
            AddressRow.held_to.is_(None),
            AddressRow.exists_since.is_not(None),
            AddressRow.blocked_at.is_(None),
            PersonRow.phase.not_in(EMPLOYED),
        )
        .order_by(AddressRow.person_id),
    )
    return [person_id for person_id in rows if person_id is not None]


def any_at_work(session: Session, mailboxes: Collection[Address]) -> bool:
    """Tell whether a worker is in the lane of a holder of these, or will be as soon as it is free."""
    at_work = (
        select(JobRow.id)
        .join(AddressRow, AddressRow.person_id == JobRow.person_id)
        .where(
            AddressRow.address.in_(sorted(mailboxes)),
            AddressRow.held_to.is_(None),
            JobRow.state.in_((JobState.QUEUED, JobState.RUNNING)),
        )
    )
    return session.scalar(at_work.limit(1)) is not None


def lists_at_work(session: Session) -> frozenset[SharedKey]:
    """Return the lists that have an outstanding job."""
    return frozenset(jobs.outstanding_on_lists(session))
