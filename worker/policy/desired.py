"""``desired``: the pure function from what is known of a subject to what it should have."""

from datetime import datetime
from typing import overload

from worker.policy.desired_person import desired_person
from worker.policy.desired_shared import desired_shared
from worker.policy.document import Policy
from worker.policy.state import Decision, DesiredPerson, DesiredShared
from worker.policy.view import PersonView, SharedView


@overload
def desired(view: PersonView, policy: Policy, now: datetime) -> Decision[DesiredPerson]: ...
@overload
def desired(view: SharedView, policy: Policy, now: datetime) -> Decision[DesiredShared]: ...
def desired(
    view: PersonView | SharedView, policy: Policy, now: datetime
) -> Decision[DesiredPerson] | Decision[DesiredShared]:
    """Return what a subject should have at ``now`` (aware), and the instant at which that next differs.

    Pure: the same view, policy and instant always give the same answer. It is constant from ``now`` until just before
    ``valid_until`` and differs there; None means that time alone changes nothing.
    """
    if isinstance(view, PersonView):
        return desired_person(view, policy, now)
    return desired_shared(view, policy)
