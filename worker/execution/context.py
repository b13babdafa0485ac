"""What execution works with, and how patient it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from tenacity.nap import sleep

from worker.bell import Bell
from worker.clock import Clock
from worker.migadu import CALL_DEADLINE, Hooks, MigaduClient
from worker.store.budget import CallBudget
from worker.store.database import Database

LEASE = 2 * CALL_DEADLINE
"""A lane is held this long beyond each call's beginning, so that a lease outlives every call sent under it."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How failures across runs are waited out."""

    first: timedelta = timedelta(minutes=1)
    longest: timedelta = timedelta(hours=6)
    give_up_after: timedelta = timedelta(days=2)
    """Failing for longer parks the job."""
    creations: timedelta = timedelta(minutes=15)
    """How long a shared address waits for mailboxes of members that are about to be made."""


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
    """A name that no other thread of any process has."""
    random_password: Callable[[], str]
    budget: CallBudget
    """What all that work on the database share."""
    dry_run: bool = False
    patience: Patience = Patience()
    sleep: Callable[[float], None] = sleep
    """Waits some seconds, where a revocation waits in place."""
