"""What intake works with: the database, the clock, the bell and how much each source may say."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from worker.bell import Bell
from worker.clock import Clock
from worker.roster import OPERATOR
from worker.store.database import Database

__all__ = ["OPERATOR", "Intake"]


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
