"""Drift through the API: what the latest reconcile of each domain found."""

from typing import Annotated

from fastapi import APIRouter, Query

from worker.planning.drift import Drift
from worker.store.drift import DriftFilter
from worker.web.access import Here, Viewer
from worker.web.drift_objects import drift_listing
from worker.web.objects import JsonObject
from worker.web.paging import After, Limit

router = APIRouter(prefix="/drift", tags=["drift"])


@router.get("")
def index(
    _: Viewer,
    here: Here,
    domain: Annotated[str | None, Query(max_length=253, description="only of this domain, in punycode")] = None,
    kind: Annotated[list[Drift] | None, Query(description="only of these kinds")] = None,
    after: After = 0,
    limit: Limit = 100,
) -> JsonObject:
    """Return what differs from what is wanted, as it was when the domains were read last."""
    with here.database.read() as session:
        return drift_listing(session, DriftFilter(domain, tuple(kind or ())), after=after, limit=limit)
