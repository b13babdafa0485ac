"""Who is quiet: people of whom an evaluation would change nothing, found for many at once.

A preview of everybody evaluates the others alone: that is twenty queries each.
"""

from collections.abc import Sequence

from worker.intake import Intake
from worker.intake.evaluate import wanted_hash
from worker.policy import PersonView, Policy, desired, needs_address
from worker.policy.desired_person import needs_other_domain
from worker.store import jobs, memberships
from worker.store.database import Session
from worker.store.lines import link_of
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
