"""Holds through the API: what the brakes stopped, and the decision on it."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from worker.deployment import Deployment
from worker.execution import verbs
from worker.store.holds import HoldState, find_hold, list_holds
from worker.web.access import Approver, Here, Viewer, actor
from worker.web.objects import JsonObject, hold_object, jobs_of_hold
from worker.web.paging import Key
from worker.web.problems import Problem, verb_problems

router = APIRouter(prefix="/holds", tags=["holds"])


class Approval(BaseModel):
    """What an approver has seen."""

    model_config = ConfigDict(extra="forbid")

    plan: str = Field(pattern=r"^[0-9a-f]{64}$", description="the hold's `plan`: the hash of what it stops")


@router.get("")
def index(
    _: Viewer,
    here: Here,
    state: Annotated[HoldState | None, Query(description="open, unless another is named")] = HoldState.OPEN,
) -> JsonObject:
    """Return the holds of one state with the jobs they stop."""
    with here.database.read() as session:
        found = list_holds(session, state)
        return {"holds": [hold_object(hold, jobs_of_hold(session, hold)) for hold in found], "next": None}


@router.post("/{hold_id}/approve")
def approve(token: Approver, hold_id: Key, here: Here, seen: Approval) -> JsonObject:
    """Let pass what a brake stopped, if it still is what the approver saw."""
    with verb_problems():
        verbs.approve_hold(here.database, here.clock, here.bell, hold_id, actor(token), plan=seen.plan)
    return _shown(here, hold_id)


@router.post("/{hold_id}/reject")
def reject(token: Approver, hold_id: Key, here: Here) -> JsonObject:
    """Dismiss the jobs that a brake stopped."""
    with verb_problems():
        verbs.reject_hold(here.database, here.clock, here.bell, hold_id, actor(token))
    return _shown(here, hold_id)


def _shown(here: Deployment, hold_id: int) -> JsonObject:
    with here.database.read() as session:
        hold = find_hold(session, hold_id)
        if hold is None:
            raise Problem(404, f"there is no hold {hold_id}")
        return hold_object(hold, jobs_of_hold(session, hold))
