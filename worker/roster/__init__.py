"""Who works here: folding events into what each source states of a person, and reading one truth from it.

Pure values and functions; where records are kept, and what a person should get, is decided elsewhere.
"""

from worker.roster.document import from_document, to_document
from worker.roster.employment import Employment, employment_of
from worker.roster.erasing import erased_until
from worker.roster.folding import fold
from worker.roster.linking import Ambiguous, Link, Linked, NewPerson, Unmatched, link
from worker.roster.person import Person, Profile, Said, manager_of_operator, profile, spoken
from worker.roster.record import OPERATOR, EmploymentKind, EmploymentStatement, Record, Stated, Version
from worker.roster.undoing import NoWayBack, Restoring, way_back
from worker.roster.withdrawing import WITHDRAWN

__all__ = [
    "OPERATOR",
    "WITHDRAWN",
    "Ambiguous",
    "Employment",
    "EmploymentKind",
    "EmploymentStatement",
    "Link",
    "Linked",
    "NewPerson",
    "NoWayBack",
    "Person",
    "Profile",
    "Record",
    "Restoring",
    "Said",
    "Stated",
    "Unmatched",
    "Version",
    "employment_of",
    "erased_until",
    "fold",
    "from_document",
    "link",
    "manager_of_operator",
    "profile",
    "spoken",
    "to_document",
    "way_back",
]
