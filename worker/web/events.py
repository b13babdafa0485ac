"""Events through the API: from senders with a token of their own, and as operators look at them and decide."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from worker.deployment import Deployment
from worker.execution import event_verbs
from worker.execution import undo as undoing
from worker.sources import OPERATOR, BodyInvalid, Parsed
from worker.store import events, inbox
from worker.store.states import EventState
from worker.store.tokens import Token
from worker.web.access import Here, Operator, Sender, Viewer, actor, sees_personal_data
from worker.web.bodies import body_from
from worker.web.cloud_events import documents
from worker.web.dismissal import Dismissal
from worker.web.handshake import agree
from worker.web.inbox import receive, unreadable
from worker.web.objects import JsonObject, event_detail, event_object, listing
from worker.web.paging import After, Key, Limit
from worker.web.problems import Problem, verb_problems
from worker.web.reading import raw_of_api

router = APIRouter(prefix="/events", tags=["events"])


async def speaking(token: Sender) -> str:
    """Return the source that the token speaks for. Raises Problem 403."""
    if token.source is None or token.source == OPERATOR:  # whoever speaks as the operator outranks every source
        raise Problem(403, "this token speaks for no source that may send events")
    return token.source


Speaking = Annotated[str, Depends(speaking)]


async def sent(source: Speaking, request: Request, here: Here) -> bytes:
    """Return what the source sends. Raises Problem 415, 413, 408."""
    return await body_from(source, request, here.tallies)


@router.post("", status_code=202)
def submit(source: Speaking, request: Request, here: Here, body: Annotated[bytes, Depends(sent)]) -> JsonObject:
    """Accept canonical CloudEvents in structured, batch or binary mode, all or none, as the token's source."""
    raw = raw_of_api(request.headers, body)
    try:
        told = documents(request.headers.items(), body)
    except BodyInvalid as error:
        raise unreadable(here, source, raw, error) from error
    return receive(here, source, Parsed(tuple(told)), raw)


@router.options("")
async def handshake(request: Request) -> Response:
    """Agree to deliveries (CloudEvents webhooks, 4)."""
    return agree(request.headers)


@router.get("")
def index(
    _: Viewer,
    here: Here,
    state: Annotated[list[EventState] | None, Query(description="may be repeated")] = None,
    after: After = 0,
    limit: Limit = 100,
) -> JsonObject:
    """Return events in the order in which they were received, without their documents."""
    with here.database.read() as session:
        rows = inbox.page(session, state or (), after=after, limit=limit + 1)
    return listing("events", [event_object(row) for row in rows], limit=limit)


@router.get("/{event_id}")
def show(token: Viewer, event_id: Key, here: Here) -> JsonObject:
    """Return one event, whether its jobs are settled and, for operators, the document as it was received."""
    return _shown(here, event_id, token)


@router.post("/{event_id}/retry")
def retry(token: Operator, event_id: Key, here: Here) -> JsonObject:
    """Have an event applied now that was parked or dismissed, or that failed and waits."""
    with verb_problems():
        event_verbs.retry(here.database, here.clock, here.bell, event_id, actor(token))
    return _shown(here, event_id, token)


@router.post("/{event_id}/dismiss")
def dismiss(token: Operator, event_id: Key, here: Here, why: Dismissal | None = None) -> JsonObject:
    """Give a parked event up: it counts nowhere, and is kept."""
    with verb_problems():
        reason = (why or Dismissal()).reason
        event_verbs.dismiss(here.database, here.clock, event_id, actor(token), reason=reason)
    return _shown(here, event_id, token)


@router.post("/{event_id}/undo")
def undo(token: Operator, event_id: Key, here: Here) -> JsonObject:
    """Undo the job that came of an event, by an operator's statement."""
    with verb_problems():
        undoing.undo_event(here.intake, event_id, actor(token))
    return _shown(here, event_id, token)


def _shown(here: Deployment, event_id: int, token: Token) -> JsonObject:
    with here.database.read() as session:
        row = events.get(session, event_id)
        if row is None:
            raise Problem(404, f"there is no event {event_id}")
        return event_detail(session, row, personal=sees_personal_data(token))
