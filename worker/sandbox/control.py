"""The control of the stand-in, under ``/_sandbox``: look into it, empty it, load it (`contracts.md` 7).

It asks for no credentials and answers loopback clients only.
"""

import ipaddress
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from worker.sandbox.gate import Endpoint
from worker.sandbox.host import Host
from worker.sandbox.seed import InvalidSeed, state_of, world_from
from worker.sandbox.wire import Unreadable, parse

Action = Callable[[Host, bytes], Response]


def control_routes(host: Host) -> list[Route]:
    """Return the routes of control over this host."""
    return [
        Route("/_sandbox/state", _guarded(host, _state), methods=["GET"]),
        Route("/_sandbox/reset", _guarded(host, _reset), methods=["POST"]),
        Route("/_sandbox/seed", _guarded(host, _seed), methods=["POST"]),
        Route("/_sandbox/calls", _guarded(host, _calls), methods=["GET"]),
    ]


def _state(host: Host, _raw: bytes) -> Response:
    return JSONResponse(state_of(host.world, host.clock()))


def _reset(host: Host, raw: bytes) -> Response:
    host.reset()
    return _state(host, raw)


def _seed(host: Host, raw: bytes) -> Response:
    try:
        host.world = world_from(parse(raw), host.clock())
    except (InvalidSeed, Unreadable) as error:
        return JSONResponse({"error": str(error)}, 400)
    return _state(host, raw)


def _calls(host: Host, _raw: bytes) -> Response:
    return JSONResponse({"calls": [call.shown() for call in host.calls]})


def _guarded(host: Host, action: Action) -> Endpoint:
    async def answer(request: Request) -> Response:
        if not _is_loopback(request):
            return JSONResponse({"error": "The sandbox's control answers loopback clients only."}, 403)
        return action(host, await request.body())

    return answer


def _is_loopback(request: Request) -> bool:
    if request.client is None:
        return False
    try:
        peer = ipaddress.ip_address(request.client.host)
    except ValueError:
        return False
    mapped = peer.ipv4_mapped if isinstance(peer, ipaddress.IPv6Address) else None
    return (mapped or peer).is_loopback
