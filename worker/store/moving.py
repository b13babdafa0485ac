"""Queries over moves from list to list: whom a list drops, and which lists take them in as soon as they are written."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from worker.mail import Address, SharedKey, bare, domain_of
from worker.store import addresses, jobs, memberships, staying
from worker.store.spelled import is_in
from worker.store.states import JobState
from worker.store.tables import JobRow

_GOING_ON = (JobState.QUEUED, JobState.RUNNING, JobState.WAITING)


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
    found = jobs.outstanding_on_lists(session, JobRow.state == JobState.WAITING, JobRow.reason == reason)
    return sorted(key for key, them in dropped(session, found).items() if them & mailboxes) if found else []


def takers(session: Session, mailboxes: Collection[Address]) -> Mapping[Address, frozenset[Taker]]:
    """Return what takes in each of these mailboxes: no list that is held or parked, for that needs a person first.

    A list names mailboxes of its own domain only.
    """
    gained = {
        key: {each for each in found if domain_of(each) == domain_of(bare(key))}
        for key, found in memberships.of_mailboxes(session, mailboxes).items()
    }
    at_work = _about_to_be_written(session, gained)
    held = addresses.keys_held(session, at_work) if at_work else {}
    found: dict[Address, set[Taker]] = defaultdict(set)
    for key, job in at_work.items():
        for each in gained[key] - staying.named_by(held.get(key)):
            found[each].add(Taker(key, job.run_at, job.failing_since))
    return {each: frozenset(lists) for each, lists in found.items()}


def _about_to_be_written(session: Session, shared: Collection[SharedKey]) -> Mapping[SharedKey, JobRow]:
    names = JobRow.subject_key.in_(sorted({bare(key) for key in shared}))
    found = jobs.outstanding_on_lists(session, names, is_in(JobRow.state, *_GOING_ON))
    return {key: row for key, row in found.items() if key in shared}
