"""Rosters: a file as a snapshot of what its source states; the differences become events, absences are counted.

Reading is ``sources``', folding and all that follows is the inbox's: here a file is compared, accepted and remembered.
"""

from worker.intake.rosters.absences import Absences
from worker.intake.rosters.importing import Imported, import_roster
from worker.intake.rosters.order import Order
from worker.intake.rosters.refusals import ImportRunning, Interrupted, RosterRefused, Truncated
from worker.intake.rosters.tally import Difference, Tally
from worker.intake.rosters.watching import FolderWatch

__all__ = [
    "Absences",
    "Difference",
    "FolderWatch",
    "ImportRunning",
    "Imported",
    "Interrupted",
    "Order",
    "RosterRefused",
    "Tally",
    "Truncated",
    "import_roster",
]
