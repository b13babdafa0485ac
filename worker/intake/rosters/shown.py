"""What became of a roster, as a document: for result files beside it, and for scripts. It holds no facts of people."""

from dataclasses import asdict

from worker.events import utc_text
from worker.intake.rosters.importing import Imported
from worker.intake.rosters.refusals import RosterRefused
from worker.intake.rosters.tally import MOST_LISTED


def imported_object(imported: Imported) -> dict[str, object]:
    """Return an import as JSON values; lists are those of the first few."""
    tally, absences = imported.differences, imported.absences
    return {
        "taken_at": utc_text(imported.taken_at),
        "rows": imported.rows,
        "differences": dict(sorted(tally.by_type.items())),
        "attributes": dict(sorted(tally.by_attribute.items())),
        "first": [asdict(difference) for difference in tally.first],
        "accepted": imported.accepted,
        "absent": None
        if absences is None
        else {
            "employed": absences.employed,
            "number": len(absences.absent),
            "first": list(absences.absent[:MOST_LISTED]),
            "counted": absences.counted,
            "leaving": len(absences.leaving),
        },
    }


def refused_object(refused: RosterRefused) -> dict[str, object]:
    """Return a refusal as JSON values: the first faults, and how many there are."""
    return {
        "rows": refused.rows,
        "fault_count": refused.fault_count,
        "faults": [asdict(fault) for fault in refused.faults],
    }
