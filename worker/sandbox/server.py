"""Serving the stand-in: in a thread beside a demo or a test, or alone until it is interrupted."""

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack, cast

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from worker.sandbox.app import create_app
from worker.sandbox.host import Clock
from worker.sandbox.latency import Seconds
from worker.sandbox.limits import RateLimit
from worker.sandbox.messages import CONNECTION, Application, Receive, Scope, Send, hang_up
from worker.sandbox.wire import Fields

_PATIENCE_S = 2
"""How long connections may take to close when the server stops; nothing waits for calls under way."""

_KEEP_ALIVE_S = 75
"""How long a connection may be idle: as long as nginx and its like allow, where uvicorn's 5 s would have clients that
pause between calls meet a closed connection. Migadu's own value is not known."""

_BACKLOG = 2048
_LOGGER = "uvicorn.sandbox"


class Options(TypedDict, total=False):
    """What ``create_app`` takes, by the same names and with the same defaults."""

    user: str
    key: str
    rate_limit: RateLimit | None
    block_s: float | None
    latency_s: Seconds
    seed: Fields | None
    clock: Clock | None


class RunningSandbox:
    """A stand-in Migadu that runs in a thread on 127.0.0.1 for as long as the ``with`` block.

    It accepts connections from the first line of the block on. Port 0 takes a free one. Raises OSError if the port is
    taken, InvalidSeed if the seed cannot be loaded. Serves one block only.
    """

    def __init__(self, *, port: int = 0, **options: Unpack[Options]) -> None:
        self._server = _server(options)
        self._port = port
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        self._socket = _listen("127.0.0.1", self._port)
        self._port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="sandbox", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()
        if self._socket is not None:
            self._socket.close()

    @property
    def url(self) -> str:
        """Where it listens, without ``/v1``; control is below it."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def api_url(self) -> str:
        """Where Migadu's API begins, with ``/v1``."""
        return f"{self.url}/v1"


def serve(
    host: str = "127.0.0.1",
    port: int = 8026,
    *,
    announce: Callable[[str], None] | None = None,
    **options: Unpack[Options],
) -> None:
    """Serve until SIGINT or SIGTERM; ``announce`` is told the address as soon as connections are accepted.

    Raises OSError if the address cannot be had, InvalidSeed if the seed cannot be loaded.
    """
    server = _server(options)
    with contextlib.closing(_listen(host, port)) as listener, contextlib.suppress(KeyboardInterrupt):
        if announce is not None:
            shown_host = f"[{host}]" if ":" in host else host
            announce(f"http://{shown_host}:{listener.getsockname()[1]}")
        server.run([listener])


class _Server(uvicorn.Server):
    """A server that stops as a machine does whose plug is pulled: what is under way gets no answer, and no 500."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Abort all connections and the calls on them, and close."""
        for connection in self.server_state.connections:
            connection.transport.abort()
        for call in self.server_state.tasks:
            call.cancel()
        await asyncio.sleep(0)  # now they are gone, and nothing below has to wait for them
        await super().shutdown(sockets)


def _server(options: Options) -> uvicorn.Server:
    config = uvicorn.Config(
        _silent_when_stopped(create_app(**options)),
        http=cast("type[asyncio.Protocol]", _connection),
        lifespan="off",
        ws="none",
        # Whoever runs us decides about logging; the access log would go to standard output.
        log_config=None,
        log_level="warning",
        access_log=False,
        # A proxy on this machine must not make strangers look local to control.
        proxy_headers=True,
        forwarded_allow_ips="127.0.0.1,::1",
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_PATIENCE_S,
    )
    # What warns here are rubbish and WebSockets, which clients under test may well send; errors are ours.
    logging.getLogger(_LOGGER).setLevel(logging.ERROR)
    return _Server(config)


def _silent_when_stopped(application: Application) -> Application:
    """Leave a call without an answer where it is cancelled: uvicorn would answer 500 and log a traceback."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await application(scope, receive, send)
        except asyncio.CancelledError:
            await hang_up(scope, receive)

    return answer


def _connection(*, app_state: dict[str, Any], **more: Any) -> asyncio.Protocol:
    """Make uvicorn's own protocol for a connection, and let the application see it in the state of its calls.

    ASGI has no other way to leave a call without an answer.
    """
    state = dict(app_state)
    protocol = AutoHTTPProtocol(app_state=state, **more)  # type: ignore[call-arg]
    protocol.logger = logging.getLogger(_LOGGER)  # type: ignore[attr-defined]
    state[CONNECTION] = protocol
    return protocol


def _listen(host: str, port: int) -> socket.socket:
    """Bind before the server starts: a port that is taken is an OSError here, and the backlog accepts at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it every answer takes 40 ms longer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
