"""Webhooks: one path per configured source; nothing in a body is looked at before its signature was verified."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from worker.deployment import Deployment
from worker.intake import Offer, Taken, offer
from worker.intake.sealing import Raw
from worker.sources import BadSignature, BodyInvalid, Delivery, HookSource
from worker.sources.trial import HEADER as TRIAL
from worker.store.tallies import TallyKind
from worker.web.access import Here, deployment_of
from worker.web.bodies import body_from
from worker.web.gathering import gathering_of
from worker.web.handshake import agree
from worker.web.inbox import answered, receive, unreadable
from worker.web.objects import JsonObject
from worker.web.problems import Problem
from worker.web.reading import raw_of_hook
from worker.web.trial import try_out

_SHORT = 16 * 1024
"""Bytes of a body that is read at once: nobody waits for it longer than for a thread to read it."""

_log = structlog.get_logger(__name__)

router = APIRouter(tags=["hooks"])


async def configured(source: str, here: Here) -> HookSource:
    """Return the source of the path, which has a hook. Raises Problem 404."""
    found = here.sources.get(source)
    if not isinstance(found, HookSource):
        raise Problem(404, "no source of this name has a hook")
    return found


Configured = Annotated[HookSource, Depends(configured)]


@router.post("/hooks/{source}", status_code=202, response_model=JsonObject)
async def hook(source: str, request: Request) -> Response:
    """Accept a delivery that its source signed, with all that it tells, all or none."""
    # Called and not depended on: to have dependencies resolved takes longer than to verify a signature.
    here = await deployment_of(request)
    sender = await configured(source, here)
    body = await body_from(sender.name, request, here.tallies)
    raw, delivery = raw_of_hook(sender, request.headers, body), Delivery(body, request.headers, here.clock.now())
    plain = _plain(here, sender, delivery, raw) if len(body) <= _SHORT else None
    if plain is None:
        return JSONResponse(await run_in_threadpool(_take, here, sender, delivery, raw), 202)
    here.tallies.heard(sender.name)
    return JSONResponse(answered(Taken(await gathering_of(request).take(plain), ())), 202)


def _plain(here: Deployment, source: HookSource, delivery: Delivery, raw: Raw) -> Offer | None:
    """Return what is offered by a delivery of which nothing else is to be said; None for any other."""
    if TRIAL in delivery.headers:
        return None
    try:
        parsed = source.read(delivery)
    except (BadSignature, BodyInvalid):
        return None
    is_plain = parsed.events and not parsed.hints and not parsed.passed_over
    return offer(here.intake, source.name, parsed.events, raw=raw) if is_plain else None


def _take(here: Deployment, source: HookSource, delivery: Delivery, raw: Raw) -> JsonObject:
    try:
        if (stamp := delivery.headers.get(TRIAL)) is not None:
            return try_out(here, source, delivery, stamp)
        parsed = source.read(delivery)
    except BadSignature as error:
        _log.warning("a delivery is not signed by its source", source=source.name, reason=str(error))
        here.tallies.count(source.name, TallyKind.REFUSED, said=str(error))
        raise Problem(401, str(error), headers={"WWW-Authenticate": "Signature"}) from error
    except BodyInvalid as error:
        raise unreadable(here, source.name, raw, error) from error
    return receive(here, source.name, parsed, raw)


@router.options("/hooks/{source}")
async def handshake(source: Configured, request: Request) -> Response:
    """Agree to deliveries (CloudEvents webhooks, 4), where the source sends canonical events."""
    return agree(request.headers, willing=source.tells_events)
