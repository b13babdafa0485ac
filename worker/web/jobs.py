"""Jobs through the API: looking, retrying, dismissing, undoing."""

from typing import Annotated

from fastapi import APIRouter, Query

from worker.deployment import Deployment
from worker.execution import undo as undoing
from worker.execution import verbs
from worker.store import jobs
from worker.store.jobs import JobFilter
from worker.store.states import JobState
from worker.web.access import Here, Operator, Viewer, actor
from worker.web.dismissal import Dismissal
from worker.web.objects import JsonObject, job_detail, job_objects, listing
from worker.web.paging import After, Key, Limit
from worker.web.problems import Problem, verb_problems

router = APIRouter(prefix="/jobs", tags=["jobs"])


@router.get("")
def index(
    _: Viewer,
    here: Here,
    state: Annotated[list[JobState] | None, Query(description="may be repeated")] = None,
    person: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    after: After = 0,
    limit: Limit = 100,
) -> JsonObject:
    """Return jobs in the order in which they were made."""
    wanted = JobFilter(states=tuple(state or ()), person_id=person)
    with here.database.read() as session:
        rows = jobs.page(session, wanted, after=after, limit=limit + 1)
        return listing("jobs", job_objects(session, rows), limit=limit)


@router.get("/{job_id}")
def show(_: Viewer, job_id: Key, here: Here) -> JsonObject:
    """Return one job with its plan, its steps (before and after) and its attempts."""
    return _shown(here, job_id)


@router.post("/{job_id}/retry")
def retry(token: Operator, job_id: Key, here: Here) -> JsonObject:
    """Have a waiting, held or parked job run now."""
    with verb_problems():
        verbs.retry(here.database, here.clock, here.bell, job_id, actor(token))
    return _shown(here, job_id)


@router.post("/{job_id}/dismiss")
def dismiss(token: Operator, job_id: Key, here: Here, why: Dismissal | None = None) -> JsonObject:
    """End a job without its outcome."""
    with verb_problems():
        reason = (why or Dismissal()).reason
        verbs.dismiss(here.database, here.clock, here.bell, job_id, actor(token), reason=reason)
    return _shown(here, job_id)


@router.post("/{job_id}/undo")
def undo(token: Operator, job_id: Key, here: Here) -> JsonObject:
    """Restore what held before a job, by an operator's statement; the next evaluation goes by it."""
    with verb_problems():
        undoing.undo(here.intake, job_id, actor(token))
    return _shown(here, job_id)


def _shown(here: Deployment, job_id: int) -> JsonObject:
    with here.database.read() as session:
        row = jobs.get(session, job_id)
        if row is None:
            raise Problem(404, f"there is no job {job_id}")
        return job_detail(session, row)
