"""Events through the API: from senders with a token of their own, and one event as operators look at it."""

from fastapi import APIRouter, Request

from worker.sources import OPERATOR, BodyInvalid
from worker.store import events
from worker.web.access import Here, Sender, Viewer, sees_personal_data
from worker.web.bodies import JsonBody
from worker.web.cloud_events import documents
from worker.web.inbox import receive, unreadable
from worker.web.objects import JsonObject, event_detail
from worker.web.paging import Key
from worker.web.problems import Problem

router = APIRouter(prefix="/events", tags=["events"])


@router.post("", status_code=202)
def submit(token: Sender, request: Request, here: Here, body: JsonBody) -> JsonObject:
    """Accept canonical CloudEvents in structured, batch or binary mode, all or none, as the token's source."""
    if token.source is None or token.source == OPERATOR:  # whoever speaks as the operator outranks every source
        raise Problem(403, "this token speaks for no source that may send events")
    try:
        told = documents(request.headers.items(), body)
    except BodyInvalid as error:
        raise unreadable(here, token.source, body, error) from error
    return receive(here, token.source, told)


@router.get("/{event_id}")
def show(token: Viewer, event_id: Key, here: Here) -> JsonObject:
    """Return one event, whether its jobs are settled and, for operators, the document as it was received."""
    with here.database.read() as session:
        row = events.get(session, event_id)
        if row is None:
            raise Problem(404, f"there is no event {event_id}")
        return event_detail(session, row, personal=sees_personal_data(token))
