"""The stand-in as an ASGI application: Migadu's paths under ``/v1``, control under ``/_sandbox``."""

from starlette.applications import Starlette
from starlette.routing import Route

from worker.sandbox.control import control_routes
from worker.sandbox.gate import endpoint
from worker.sandbox.host import Clock, Host, utc_now
from worker.sandbox.limits import RateLimit, RollingWindow
from worker.sandbox.routes import ROUTES, unknown_path
from worker.sandbox.seed import world_from
from worker.sandbox.wire import Fields
from worker.sandbox.world import new_world

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def create_app(
    *,
    user: str = "admin@example.org",
    key: str = "sandbox-key",
    rate_limit: RateLimit | None = None,
    latency_s: float = 0.0,
    seed: Fields | None = None,
    clock: Clock | None = None,
) -> Starlette:
    """Return a stand-in Migadu, empty but for the domain example.org unless a seed says otherwise.

    ``rate_limit`` is (calls, seconds), None for no limit; ``latency_s`` is what every call waits before it is applied;
    ``clock`` returns aware UTC and is used for times that are shown (the rate limit goes by the machine's own).
    Raises InvalidSeed.
    """
    clock = clock or utc_now
    world = new_world() if seed is None else world_from(seed, clock())
    host = Host(user, key, RollingWindow(rate_limit), latency_s, clock, world)
    return Starlette(routes=[*_migadu_routes(host), *control_routes(host)])


def _migadu_routes(host: Host) -> list[Route]:
    known = [Route(path, endpoint(host, handler), methods=[method]) for method, path, handler in ROUTES]
    # Whatever else is asked below /v1 goes the same way, so that 401 comes first there too and the call is recorded.
    rest = Route("/v1/{rest:path}", endpoint(host, unknown_path), methods=_METHODS)
    return [*known, rest]
