"""From an event to jobs: accepting what sources tell, folding it into people, and marking the subjects it touches.

No call to a mail host is made here, and nothing waits for one.
"""

from worker.intake.accept import EventsRefused, accept, offer, refuse
from worker.intake.activation import activate_policy
from worker.intake.admission import Admission, admit
from worker.intake.apply import apply_next
from worker.intake.context import OPERATOR, Intake
from worker.intake.hints import Taken, note_hints, take
from worker.intake.hydrate import hydrate_next
from worker.intake.offers import Offer, Receipt, Receipts, commit_each, commit_together
from worker.intake.parked import retry_parked
from worker.intake.statements import NothingToTakeBack, UnknownPerson, call_back, state_of_person

__all__ = [
    "OPERATOR",
    "Admission",
    "EventsRefused",
    "Intake",
    "NothingToTakeBack",
    "Offer",
    "Receipt",
    "Receipts",
    "Taken",
    "UnknownPerson",
    "accept",
    "activate_policy",
    "admit",
    "apply_next",
    "call_back",
    "commit_each",
    "commit_together",
    "hydrate_next",
    "note_hints",
    "offer",
    "refuse",
    "retry_parked",
    "state_of_person",
    "take",
]
