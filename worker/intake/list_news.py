"""Telling lists: who stayed in a list for now is to be taken out, because what came first is done."""

from datetime import datetime

from worker.mail import Address, SharedKey, bare, domain_of
from worker.planning.urgency import Urgency
from worker.policy import PersonView
from worker.store import addresses, jobs, memberships, shared_addresses, staying
from worker.store.database import Session
from worker.store.states import JobState
from worker.store.subjects import Subject, shared_subject


def take_out(session: Session, view: PersonView, groups: frozenset[SharedKey], now: datetime) -> int:
    """Have somebody taken out of the lists in which they stayed until they were blocked. Returns out of how many.

    ``groups``: what names them rightly, or is being written anyway. A list that is held or parked knows nothing new by
    this, and is not to slip past its brake.
    """
    behind = sorted(set(shared_addresses.naming(session, view.address)) - groups) if view.address else ()
    subjects = [subject for key in behind if not _needs_a_person(session, subject := shared_subject(key))]
    for subject in subjects:
        jobs.refresh(session, subject, urgency=Urgency.REVOCATION, now=now)
    return len(subjects)


def tell_lists_left(session: Session, named: frozenset[Address], now: datetime) -> None:
    """Have the lists written that still name whom another list of the domain names now (``named``), and should not.

    They wait for that; one that a worker is in has looked before, perhaps, and is looked at again.
    """
    domain = domain_of(next(iter(named)))
    at_work = {
        key: state
        for key, state in staying.lists_at_work(session).items()
        if state in (JobState.WAITING, JobState.RUNNING) and domain_of(bare(key)) == domain
    }
    listed = {key: staying.named_by(row) & named for key, row in addresses.keys_held(session, at_work).items()}
    members = memberships.members_at_host(session, [key for key, found in listed.items() if found])
    for key in sorted(each for each in members if listed[each] - members[each]):
        if not jobs.wake(session, shared_subject(key), now) and at_work[key] is JobState.RUNNING:
            jobs.refresh(session, shared_subject(key), urgency=Urgency.CHANGE, now=now)


def _needs_a_person(session: Session, subject: Subject) -> bool:
    job = jobs.outstanding(session, subject)
    return job is not None and job.state in (JobState.HELD, JobState.PARKED)
