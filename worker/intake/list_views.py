"""What the policy is shown of lists: the members that exist, and who stays though the roster says that they left.

Whoever is gone and still gets into their mailbox, because a brake or anything else stops the block, stays in the lists
that name them: the mail goes on to be read by who reads it until somebody decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.mail import Address, SharedKey
from worker.planning.urgency import Urgency
from worker.policy import PersonState, PersonView, Policy, SharedView, desired, is_yet_to_be_blocked
from worker.store import addresses, jobs, memberships, shared_addresses, staying
from worker.store.database import Session
from worker.store.states import JobState
from worker.store.subjects import Subject, shared_subject
from worker.store.views import person_views


@dataclass(frozen=True, slots=True)
class Terms:
    """By what it is decided who stays."""

    policy: Policy
    precedence: Mapping[str, int]
    now: datetime


def list_view(session: Session, key: SharedKey, terms: Terms) -> SharedView:
    """Return a shared address or a rewrite as ``list_views`` does."""
    return list_views(session, [key], terms)[key]


def list_views(session: Session, shared: Sequence[SharedKey], terms: Terms) -> Mapping[SharedKey, SharedView]:
    """Return the views of many shared addresses and rewrites, in as many queries as for one."""
    members = memberships.members_at_host(session, shared)
    held = addresses.keys_held(session, shared)
    former = {each: staying.named_by(held.get(each)) - members[each] for each in shared}
    stay = _yet_to_be_blocked(session, frozenset().union(*former.values()), terms)
    return {each: SharedView(each, members[each], staying=former[each] & stay) for each in shared}


def stays_listed(view: PersonView, state: PersonState, policy: Policy) -> bool:
    """Tell whether somebody stays in the lists that name them, whatever the roster says.

    What is protected is never blocked, so nobody waits for that.
    """
    return is_yet_to_be_blocked(view, state) and view.address not in policy.protected


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


def _yet_to_be_blocked(session: Session, former: frozenset[Address], terms: Terms) -> frozenset[Address]:
    """Return those of former members who are gone and whose block is not confirmed."""
    if not former:
        return frozenset()
    views = person_views(session, staying.unblocked_departed(session, former), terms.precedence).values()
    return frozenset(
        view.address
        for view in views
        if view.address and stays_listed(view, desired(view, terms.policy, terms.now).state.mailbox, terms.policy)
    )


def _needs_a_person(session: Session, subject: Subject) -> bool:
    job = jobs.outstanding(session, subject)
    return job is not None and job.state in (JobState.HELD, JobState.PARKED)
