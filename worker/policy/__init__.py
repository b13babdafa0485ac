"""What people should have: the policy file, naming, and ``desired``, the pure function at the heart of everything.

Nothing here knows what is observed at a mail host, what a job is or what time it is.
"""

from worker.policy.advice import Advice, Hint, advice
from worker.policy.desired import desired
from worker.policy.desired_person import needs_address, needs_other_domain
from worker.policy.display import display_name
from worker.policy.document import (
    BrakeWindow,
    Existing,
    GroupSection,
    Policy,
    ReconcileSection,
    Renaming,
    RewriteSection,
    StageAction,
)
from worker.policy.drift_terms import DriftAction
from worker.policy.file import PolicyInvalid, load_policy
from worker.policy.groups import groups_of
from worker.policy.mailboxes import is_yet_to_be_blocked
from worker.policy.naming import NoUsableName, UnknownDomain, candidates, fits, home_of, pinned_address
from worker.policy.offset import Offset
from worker.policy.roster_advice import RosterLook
from worker.policy.schema import policy_schema
from worker.policy.stand_in import NOBODY_STANDS_IN, stand_in, takeover_address
from worker.policy.state import (
    Access,
    Credential,
    Decision,
    DesiredPerson,
    DesiredShared,
    Erased,
    Missing,
    NoMailbox,
    PersonState,
    Untouched,
    WantedMailbox,
)
from worker.policy.timeline import Change, irreversible_at, served, timeline
from worker.policy.view import Manager, PersonView, SharedView

__all__ = [
    "NOBODY_STANDS_IN",
    "Access",
    "Advice",
    "BrakeWindow",
    "Change",
    "Credential",
    "Decision",
    "DesiredPerson",
    "DesiredShared",
    "DriftAction",
    "Erased",
    "Existing",
    "GroupSection",
    "Hint",
    "Manager",
    "Missing",
    "NoMailbox",
    "NoUsableName",
    "Offset",
    "PersonState",
    "PersonView",
    "Policy",
    "PolicyInvalid",
    "ReconcileSection",
    "Renaming",
    "RewriteSection",
    "RosterLook",
    "SharedView",
    "StageAction",
    "UnknownDomain",
    "Untouched",
    "WantedMailbox",
    "advice",
    "candidates",
    "desired",
    "display_name",
    "fits",
    "groups_of",
    "home_of",
    "irreversible_at",
    "is_yet_to_be_blocked",
    "load_policy",
    "needs_address",
    "needs_other_domain",
    "pinned_address",
    "policy_schema",
    "served",
    "stand_in",
    "takeover_address",
    "timeline",
]
