"""The way of a call through the stand-in: the proxy's limit, the credentials, the wait, the rules; and its record."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from worker.sandbox.calls import Call, redacted_body
from worker.sandbox.host import Host
from worker.sandbox.limits import FORBIDDEN_PAGE
from worker.sandbox.refusals import Refused
from worker.sandbox.routes import Asked, Handler

Endpoint = Callable[[Request], Awaitable[Response]]


def endpoint(host: Host, handler: Handler) -> Endpoint:
    """Return the endpoint that records a call, answers it by the handler if it is let in, and records the status."""

    async def answer(request: Request) -> Response:
        raw = await request.body()
        call = Call(host.clock(), request.method, request.url.path, redacted_body(raw))
        host.calls.append(call)
        response = _turned_away(host, request, call) or await _answered(host, request, raw, call, handler)
        call.status = response.status_code
        return response

    return answer


def _turned_away(host: Host, request: Request, call: Call) -> Response | None:
    """Answer in the place of the host: its proxy first, which knows nothing of credentials, then the 401."""
    if not host.window.admit(time.monotonic()):
        call.reason = "more calls than the rate limit admits"
        return HTMLResponse(FORBIDDEN_PAGE, 403)
    if not host.knows(request.headers.get("authorization")):
        call.reason = "wrong credentials, or none"
        return JSONResponse({"error": "The token is invalid or expired."}, 401)
    return None


async def _answered(host: Host, request: Request, raw: bytes, call: Call, handler: Handler) -> Response:
    if host.latency_s:
        await asyncio.sleep(host.latency_s)
    try:
        return JSONResponse(handler(Asked(host.world, request.path_params, raw, host.clock())))
    except Refused as refusal:
        call.reason = str(refusal)
        return JSONResponse({"error": refusal.error}, refusal.status)
