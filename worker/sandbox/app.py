"""The stand-in as an ASGI application: Migadu's paths under ``/v1``, control under everything else."""

from worker.sandbox.control import control
from worker.sandbox.gate import api
from worker.sandbox.host import Clock, Host, utc_now
from worker.sandbox.latency import Latency, Seconds
from worker.sandbox.limits import RateLimit, RollingWindow
from worker.sandbox.messages import Application, Receive, Scope, Send
from worker.sandbox.seed import world_from
from worker.sandbox.wire import Fields
from worker.sandbox.world import new_world


def create_app(
    *,
    user: str = "admin@example.org",
    key: str = "sandbox-key",
    rate_limit: RateLimit | None = None,
    block_s: float | None = None,
    latency_s: Seconds = 0.0,
    seed: Fields | None = None,
    clock: Clock | None = None,
) -> Application:
    """Return a stand-in Migadu, empty but for the domain example.org unless a seed says otherwise.

    ``rate_limit`` is (calls, seconds), None for no limit; ``block_s`` is how long nothing passes once it is exceeded,
    None for as long as the window; ``latency_s`` is what every call waits before it is applied; ``clock`` returns aware
    UTC and is used for times that are shown and for stale reads (the rate limit goes by the machine's own).
    Raises InvalidSeed.
    """
    clock = clock or utc_now
    world = new_world() if seed is None else world_from(seed, clock())
    host = Host(user, key, RollingWindow(rate_limit, block_s), Latency(latency_s), clock, world)
    migadu, controls = api(host), control(host)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        # Whatever is asked below /v1 goes the same way, so that 401 comes first there too and the call is recorded.
        path: str = scope["path"]
        await (migadu if path.startswith("/v1/") or path == "/v1" else controls)(scope, receive, send)

    return application
