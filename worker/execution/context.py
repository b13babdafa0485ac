"""What execution works with, and how patient it is."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event

from tenacity.nap import sleep

from worker.bell import Bell
from worker.clock import Clock
from worker.execution.indexes import Indexes
from worker.migadu import CALL_DEADLINE, Hooks, MigaduClient, elapsed_s
from worker.store.budget import CallBudget
from worker.store.database import Database

LEASE = 2 * CALL_DEADLINE
"""A lane is held this long from each call's permit on, and the call's deadline counts from before that: so a lease
outlives every call sent under it, however long its worker is suspended in between."""
_GROWTH = 2
_LONGEST_EXPONENT = 16


@dataclass(frozen=True, slots=True)
class Patience:
    """How failures across runs are waited out."""

    first: timedelta = timedelta(minutes=1)
    longest: timedelta = timedelta(hours=6)
    give_up_after: timedelta = timedelta(days=2)
    """Failing for longer parks the job."""
    creations: timedelta = timedelta(minutes=15)
    """How long a shared address waits for mailboxes of members that are about to be made."""

    def pause(self, failures: int) -> timedelta:
        """Return how long to wait after so many failures in a row."""
        grown: timedelta = self.first * _GROWTH ** min(failures - 1, _LONGEST_EXPONENT)
        return min(grown, self.longest)


@dataclass(frozen=True, slots=True)
class Execution:
    """The collaborators of this room."""

    database: Database
    clock: Clock
    bell: Bell
    precedence: Mapping[str, int]
    connect: Callable[[Hooks], MigaduClient]
    """Gives this thread's client, which tells its attempts to the hooks."""
    worker: str
    """A name that no other process has."""
    random_password: Callable[[], str]
    budget: CallBudget
    """What all that work on the database share."""
    askable: Collection[str] = ()
    """The sources that can be asked for records, and are asked once more before what cannot be undone."""
    dry_run: bool = False
    patience: Patience = Patience()
    raw_kept: timedelta = timedelta(days=30)
    """How long deliveries are kept to be replayed."""
    sleep: Callable[[float], None] = sleep
    """Waits some seconds, where a revocation waits in place."""
    elapsed_s: Callable[[], float] = elapsed_s
    """The clock by which the deadlines of calls go."""
    stopping: Event = field(default_factory=Event)
    """Set once this process is to end: the call under way is finished and written down, and none is begun any more."""
    indexes: Indexes = field(default_factory=Indexes)
    """What domains held a moment ago."""


class GivesWay(RuntimeError):
    """The call is not made, nothing of it was sent, and the lane is given back.

    GivesWay
    ├── Stopping
    └── Overtaken
    """


class Stopping(GivesWay):
    """This process is to end."""


class Overtaken(GivesWay):
    """A revocation waits for a worker."""
