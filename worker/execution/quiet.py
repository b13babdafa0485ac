"""Who is quiet: people of whom an evaluation would change nothing, or comes about by nothing, found for many at once.

A preview of everybody evaluates the others alone: that is twenty queries each.
"""

from collections.abc import Sequence
from datetime import datetime

from worker.intake import Intake
from worker.intake.evaluate import wanted_hash
from worker.policy import PersonView, Policy, desired, needs_address
from worker.policy.desired_person import needs_other_domain
from worker.store import jobs, memberships
from worker.store.database import Session
from worker.store.lines import link_of
from worker.store.states import JobState
from worker.store.tables import PersonRow
from worker.store.views import person_views


def not_quiet(session: Session, intake: Intake, policy: Policy, rows: Sequence[PersonRow]) -> list[int]:
    """Return whom of these people an evaluation may change something of, in order. Locks nothing."""
    ids = [row.id for row in rows]
    views = person_views(session, ids, intake.precedence)
    members = memberships.of_people(session, ids)
    busy = jobs.people_with_outstanding(session, ids)
    now = intake.clock.now()

    def is_quiet(row: PersonRow, view: PersonView) -> bool:
        if row.id in busy or not view.mailbox_exists or view.profile.manager != link_of(row):
            return False
        if needs_address(view, policy, now) or needs_other_domain(view, policy, now):
            return False
        state = desired(view, policy, now).state
        return state.groups == members[row.id] and wanted_hash(state.mailbox, view.address) == row.wanted_hash

    return [row.id for row in rows if not is_quiet(row, views[row.id])]


def given_up(session: Session, policy: Policy, rows: Sequence[PersonRow], now: datetime) -> frozenset[int]:
    """Return whom of these people nothing looks at again: an operator dismissed their last job, and no date has come.

    An event, another policy or ``jobs retry`` asks for all of it again.
    """
    left = [
        row.id
        for row in rows
        if row.wanted_hash is None
        and row.policy_hash == policy.hash
        and (row.next_change_at is None or row.next_change_at > now)
    ]
    newest = jobs.newest_of_people(session, left) if left else {}
    return frozenset(person_id for person_id, job in newest.items() if job.state is JobState.DISMISSED)
