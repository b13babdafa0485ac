"""Activation: another policy becomes the active one, and what it says of groups and rewrites is carried out.

Members follow from people, who are all evaluated anew under another policy. What changes although nobody joins or
leaves is found here: what was taken out or renamed, a fallback, a pattern, who may write.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

from worker.mail import SharedKey
from worker.planning.urgency import Urgency
from worker.policy import GroupSection, Policy, PolicyInvalid, RewriteSection, load_policy
from worker.store import addresses, jobs, shared_addresses
from worker.store.database import Session
from worker.store.policies import activate, active_policy, lock_activation, store_policy
from worker.store.states import JobState
from worker.store.subjects import shared_subject, subject_of
from worker.store.tables import JobRow


def activate_policy(session: Session, body: str, now: datetime) -> Policy:
    """Keep a policy's text, make it the active one and refresh the jobs of what it changes. Idempotent.

    Raises PolicyInvalid, and changes nothing then.
    """
    policy = load_policy(body)
    store_policy(session, body, policy.hash, now)
    lock_activation(session)
    before = active_policy(session)
    if activate(session, policy.hash, now):
        outstanding = {key: row for row in jobs.outstanding_by_subject(session) if (key := subject_of(row).shared_key)}
        changed = _changed(before[1] if before else None, policy)
        for key in sorted({*changed, *_gone(session, policy, outstanding), *_held(outstanding)}):
            jobs.refresh(session, shared_subject(key), urgency=Urgency.CHANGE, now=now)
    return policy


def _changed(before: str | None, after: Policy) -> Iterator[SharedKey]:
    """Yield of what the policy says something else now, its members apart."""
    known = _lists(before)
    for key, section in after.lists.items():
        former = known.get(key)
        if former is None and section.fallback is None:
            continue  # it begins with its first member
        if former is None or former.model_copy(update={"members": section.members}) != section:
            yield key


def _lists(body: str | None) -> Mapping[SharedKey, GroupSection | RewriteSection]:
    """Return what a stored policy says of shared addresses and rewrites; nothing where this version refuses it."""
    try:
        return load_policy(body).lists if body is not None else {}
    except PolicyInvalid:
        return {}


def _gone(session: Session, policy: Policy, outstanding: Mapping[SharedKey, JobRow]) -> Iterator[SharedKey]:
    """Yield what the policy names no more and we made, or have a job to make."""
    ours = {row.address for row in shared_addresses.every(session) if addresses.is_ours(row)}
    yield from (key for key in {*ours, *outstanding} if key not in policy.lists)


def _held(outstanding: Mapping[SharedKey, JobRow]) -> Iterator[SharedKey]:
    """Yield what has a job that is held for something else than a brake: another policy may bring what it waits for."""
    yield from (key for key, row in outstanding.items() if row.state is JobState.HELD and row.hold_id is None)
