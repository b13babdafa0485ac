"""Settling: waiting until nothing is left that could be done now, for as long as there is any progress."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from worker.deployment import Deployment
from worker.store import events, jobs, people
from worker.store.policies import active_policy
from worker.store.states import JobState

PATIENCE_S = 45.0
"""So long may nothing move before we give up."""
_LOOK_EVERY_S = 0.05
_MOST_COUNTED = 100_000


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the work is, as one consistent look at the database showed it."""

    done: int
    """Jobs that have ended, well or not."""
    under_way: int
    """Jobs that are due or running."""
    to_apply: bool
    """An event or a person waits to be looked at."""

    @property
    def settled(self) -> bool:
        """Nothing is left that could be done now."""
        return not self.under_way and not self.to_apply


def settle(deployment: Deployment, watch: Callable[[Standing], None], *, patience_s: float = PATIENCE_S) -> bool:
    """Wait until all is done that can be done now; False if nothing moved for too long. ``watch`` sees each look."""
    never, seen = Event(), None
    give_up_at = time.monotonic() + patience_s
    while True:
        standing = look(deployment)
        watch(standing)
        if standing.settled:
            return True
        if standing != seen:
            seen, give_up_at = standing, time.monotonic() + patience_s
        if time.monotonic() >= give_up_at:
            return False
        never.wait(_LOOK_EVERY_S)


def look(deployment: Deployment) -> Standing:
    """Look once."""
    with deployment.database.read() as session:
        by_state = jobs.count(session)  # this first read fixes what the transaction sees, so ``now`` is later than all
        now = deployment.clock.now()
        policy = active_policy(session)
        due = jobs.due_count(session, now, at_most=_MOST_COUNTED)
        to_apply = events.any_accepted(session, now) or bool(policy and people.any_due(session, now, policy[0]))
    running = by_state.get(JobState.RUNNING, 0)
    return Standing(sum(by_state.values()) - due - running, due + running, to_apply)
