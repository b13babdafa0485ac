"""Why a roster was not imported.

RosterError
├── RosterRefused    something in it is wrong
│   └── Truncated    it lacks too many people to be complete
├── StillWritten     it is not all there yet
├── ImportRunning    another roster of its source is being imported
└── Interrupted      the program ends; the same file again goes on where this one stopped
"""

from collections.abc import Sequence
from datetime import datetime

from worker.mail import agreeing
from worker.sources.roster_files import Fault


class RosterError(Exception):
    """A roster was not imported, or not to its end."""


class RosterRefused(RosterError):
    """Nothing of the file was accepted."""

    def __init__(self, faults: Sequence[Fault], fault_count: int, rows: int) -> None:
        """Keep the first faults, their number, and how many rows were read."""
        super().__init__(_sentence(faults, fault_count, rows))
        self.faults = tuple(faults)
        self.fault_count = fault_count
        self.rows = rows


class Truncated(RosterRefused):
    """A complete roster lacks so many of the people its source has employed that it is taken for a part of one."""

    def __init__(self, *, listed: int, employed: int, floor: float, rows: int) -> None:
        """Keep the figures."""
        why = (
            f"of the {employed:,} people whom this source has employed it lists {listed:,} ({listed / employed:.0%}), "
            f"and a complete roster must list {floor:.0%}: it is taken as truncated and counts for nothing"
        )
        super().__init__([Fault(None, None, why)], 1, rows)


class StillWritten(RosterError):
    """Somebody wrote to the file while it was read. Nothing of it was accepted."""


class ImportRunning(RosterError):
    """Another roster of the same source is being imported, and this one is to be compared with what that one states."""

    def __init__(self, source: str, since: datetime | None) -> None:
        """Tell since when, where that is known."""
        began = f", since {since:%Y-%m-%d %H:%M:%S} UTC" if since else ""
        super().__init__(f"another import of {source} is running{began}: try again when it has ended")


class Interrupted(RosterError):
    """The program ends. What was accepted is accepted, and the same file again brings the rest."""


def _sentence(faults: Sequence[Fault], fault_count: int, rows: int) -> str:
    if fault_count == 1:
        return f"the file is refused: {faults[0]}"
    return f"the file is refused: {fault_count:,} faults in {rows:,} {agreeing(rows, 'row', 'rows')}"
