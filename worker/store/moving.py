"""Queries over moves from list to list: whom a list drops, and which lists take them in as soon as they are written."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from worker.mail import Address, SharedKey, bare, domain_of
from worker.store import addresses, memberships, staying
from worker.store.addresses import Role
from worker.store.spelled import is_in
from worker.store.states import JobState
from worker.store.subjects import SubjectKind, subject_of
from worker.store.tables import AddressRow, JobRow, MembershipRow

_LISTS = (SubjectKind.SHARED, SubjectKind.REWRITE)


@dataclass(frozen=True, slots=True)
class Taker:
    """A list that is about to be written, and takes in somebody whom it does not name yet."""

    key: SharedKey
    due_at: datetime
    failing_since: datetime | None


def dropped(session: Session, shared: Collection[SharedKey]) -> Mapping[SharedKey, frozenset[Address]]:
    """Return whom each of these lists names, as it was last written, though they belong to it no more."""
    members = memberships.members_at_host(session, sorted(shared))
    held = addresses.keys_held(session, shared)
    return {each: staying.named_by(held.get(each)) - members[each] for each in shared}


def waiting(session: Session, reason: str, mailboxes: frozenset[Address]) -> list[SharedKey]:
    """Return the lists, in order, that wait for this reason before they drop one of these mailboxes."""
    rows = session.scalars(
        select(JobRow).where(
            JobRow.subject_kind.in_(_LISTS),
            JobRow.finished_at.is_(None),
            JobRow.state == JobState.WAITING,
            JobRow.reason == reason,
        ),
    )
    found = {key for row in rows if (key := subject_of(row).shared_key) is not None}
    return sorted(key for key, them in dropped(session, found).items() if them & mailboxes) if found else []


def takers(session: Session, mailboxes: Collection[Address]) -> Mapping[Address, frozenset[Taker]]:
    """Return what takes in each of these mailboxes: no list that is held or parked, for that needs a person first.

    A list names mailboxes of its own domain only.
    """
    gained = {
        key: {each for each in found if domain_of(each) == domain_of(bare(key))}
        for key, found in _belonging(session, mailboxes).items()
    }
    jobs = _about_to_be_written(session, gained)
    held = addresses.keys_held(session, jobs) if jobs else {}
    found: dict[Address, set[Taker]] = defaultdict(set)
    for key, job in jobs.items():
        for each in gained[key] - staying.named_by(held.get(key)):
            found[each].add(Taker(key, job.run_at, job.failing_since))
    return {each: frozenset(lists) for each, lists in found.items()}


def _belonging(session: Session, mailboxes: Collection[Address]) -> Mapping[SharedKey, set[Address]]:
    rows = session.execute(
        select(MembershipRow.address, AddressRow.address)
        .join(AddressRow, MembershipRow.person_id == AddressRow.person_id)
        .where(
            AddressRow.address.in_(sorted(mailboxes)),
            AddressRow.role == Role.PRIMARY,
            AddressRow.held_to.is_(None),
            AddressRow.exists_since.is_not(None),
        ),
    )
    found: dict[SharedKey, set[Address]] = defaultdict(set)
    for key, mailbox in rows:
        found[key].add(Address(mailbox))
    return found


def _about_to_be_written(session: Session, shared: Collection[SharedKey]) -> Mapping[SharedKey, JobRow]:
    rows = session.scalars(
        select(JobRow).where(
            JobRow.subject_kind.in_(_LISTS),
            JobRow.subject_key.in_(sorted({bare(key) for key in shared})),
            JobRow.finished_at.is_(None),
            is_in(JobRow.state, JobState.QUEUED, JobState.RUNNING, JobState.WAITING),
        ),
    )
    found = {subject_of(row).shared_key: row for row in rows}
    return {key: row for key, row in found.items() if key is not None and key in shared}
