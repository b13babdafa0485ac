"""Webhooks: one path per configured source; nothing in a body is looked at before its signature was verified."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request

from worker.deployment import Deployment
from worker.sources import BodyInvalid, SourceConfig
from worker.sources.body import parse
from worker.sources.standard_webhooks import BadSignature, verify
from worker.web.access import Here
from worker.web.bodies import JsonBody
from worker.web.inbox import receive, unreadable
from worker.web.objects import JsonObject
from worker.web.problems import Problem

_log = structlog.get_logger(__name__)

router = APIRouter(tags=["hooks"])


async def configured(source: str, here: Here) -> SourceConfig:
    """Return the source of the path. Raises Problem 404."""
    found = here.sources.get(source)
    if found is None:
        raise Problem(404, "no source of this name is configured")
    return found


@router.post("/hooks/{source}", status_code=202)
def hook(
    source: Annotated[SourceConfig, Depends(configured)], request: Request, here: Here, body: JsonBody
) -> JsonObject:
    """Accept a signed delivery (Standard Webhooks) of one canonical event or a list of up to 100, all or none."""
    _require_signature(here, source, request, body)
    try:
        documents = parse(body)
    except BodyInvalid as error:
        raise unreadable(here, source.name, body, error) from error
    return receive(here, source.name, documents)


def _require_signature(here: Deployment, source: SourceConfig, request: Request, body: bytes) -> None:
    try:
        verify(body, request.headers, source.secrets, here.clock.now())
    except BadSignature as error:
        _log.warning("a delivery is not signed by its source", source=source.name, reason=str(error))
        raise Problem(401, str(error), headers={"WWW-Authenticate": "Signature"}) from error
