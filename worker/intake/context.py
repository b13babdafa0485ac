"""What intake works with: the database, the clock, the bell and how much each source may say."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from worker.bell import Bell
from worker.clock import Clock
from worker.intake.sealing import Sealer
from worker.intake.tallying import Tallies
from worker.roster import OPERATOR
from worker.sources.hydration import Hydration
from worker.store.database import Database

__all__ = ["OPERATOR", "Evaluating", "Intake"]


class Evaluating(Protocol):
    """What it takes to say what somebody should have now; intake and execution both have it."""

    @property
    def clock(self) -> Clock:
        """The business time."""

    @property
    def precedence(self) -> Mapping[str, int]:
        """Source name to how much its word weighs."""


@dataclass(frozen=True, slots=True)
class Intake:
    """The collaborators of this room."""

    database: Database
    clock: Clock
    bell: Bell
    precedence: Mapping[str, int]
    """Source name to how much its word weighs."""
    creators: Collection[str]
    """The sources whose events may make a person."""
    sealer: Sealer | None = None
    """Seals deliveries to be kept; without one none is."""
    tallies: Tallies | None = None
    """Where what leaves no row is counted; without one it is not."""
    hydration: Hydration = field(default_factory=lambda: Hydration({}))
    """Asks the sources that only tell who changed for records."""
