"""What must change: desired held against observed gives ordered steps, their cost in calls and a stable hash.

Pure; who makes the calls, and what became of them, is the business of ``execution``.
"""

from worker.planning.cost import cost_s
from worker.planning.drift import Drift, drift_of, spare
from worker.planning.effect import apply_steps
from worker.planning.observed import ClosedLogin, ObservedPerson, ObservedRewrite, ObservedShared
from worker.planning.person import PERSONAL_ADDRESS, plan_person, recovery_of
from worker.planning.plan import Plan
from worker.planning.protection import guarded
from worker.planning.shared import plan_shared
from worker.planning.step import RANDOM_PASSWORD, Brake, Operation, Step, StepFields
from worker.planning.urgency import Urgency

__all__ = [
    "PERSONAL_ADDRESS",
    "RANDOM_PASSWORD",
    "Brake",
    "ClosedLogin",
    "Drift",
    "ObservedPerson",
    "ObservedRewrite",
    "ObservedShared",
    "Operation",
    "Plan",
    "Step",
    "StepFields",
    "Urgency",
    "apply_steps",
    "cost_s",
    "drift_of",
    "guarded",
    "plan_person",
    "plan_shared",
    "recovery_of",
    "spare",
]
