"""Whether this process lives, whether it can do its work, and how the deployment fares."""

from collections.abc import Callable
from typing import cast

from fastapi import APIRouter, Request

from worker.store import schema
from worker.store.progress import stalled_since
from worker.store.schema import SchemaOutdated
from worker.web.access import Here, Viewer
from worker.web.objects import JsonObject, instant
from worker.web.problems import Problem
from worker.web.source_objects import source_objects
from worker.web.status_object import status_object

BrokerAnswers = Callable[[], bool]
"""Tells whether the broker can be reached; called in a thread of its own, and should answer within seconds."""

router = APIRouter(tags=["health"])
status_router = APIRouter(tags=["status"])


@router.get("/healthz")
async def healthz() -> JsonObject:
    """Answer as long as the process lives; nothing else is asked."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz(request: Request, here: Here) -> JsonObject:
    """Answer 200 if events can be accepted: a database with the right schema. A broker that is down only degrades."""
    try:
        schema.require_current(here.database)
    except SchemaOutdated as error:
        raise Problem(503, str(error)) from error
    broker_answers = cast("BrokerAnswers | None", request.app.state.broker_answers)
    if broker_answers is not None and not broker_answers():
        return {"status": "degraded", "reason": "the broker does not answer; events are accepted and wait for a sweep"}
    return {"status": "ready"}


@status_router.get("/status")
def status(_: Viewer, here: Here) -> JsonObject:
    """Return how the deployment fares: work by state, pauses, holds, workers, sources, policy, schema.

    ``stalledSince`` is null as long as what is due is being done, whoever lives.
    """
    revision, now = schema.current(here.database), here.clock.now()
    with here.database.read() as session:
        sources = source_objects(session, here.sources.by_name, now)
        stalled = stalled_since(session, here.budget, now)
        shown = status_object(session, now, schema=revision)
    return shown | {"sources": sources, "stalledSince": instant(stalled)}
