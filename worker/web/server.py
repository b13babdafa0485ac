"""Serving the application with uvicorn: in a thread beside a worker or a test, or alone until a signal ends it."""

import contextlib
import gc
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Self

import uvicorn
from fastapi import FastAPI

from worker.web.bodies import LARGEST

PATIENCE_S = 10
"""How long requests in hand may take to end when the server stops."""

_BACKLOG = 2048
_LARGEST_HEADERS = LARGEST // 16


class RunningServer:
    """An application that is served from a thread for as long as the ``with`` block.

    It accepts connections from the first line of the block on. Port 0 takes a free one. Raises OSError if the address
    cannot be had. Serves one block only.
    """

    def __init__(self, app: FastAPI, host: str = "127.0.0.1", port: int = 0) -> None:
        self._server = _server(app)
        self._address = host, port
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        """Listen."""
        self._socket = _listen(*self._address)
        self._address = self._address[0], self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="web", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop: requests in hand are finished, new ones are not accepted."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()
        if self._socket is not None:
            self._socket.close()

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return _url(*self._address)


def serve(
    app: FastAPI,
    host: str = "127.0.0.1",
    port: int = 8025,
    *,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, then finish the requests in hand and return; a second signal does not wait.

    ``announce`` is told the address as soon as connections are accepted. For the main thread only. Raises OSError if
    the address cannot be had.
    """
    server = _server(app)
    with contextlib.closing(_listen(host, port)) as listener, _stopped_by_signals(server), _short_collections():
        if announce is not None:
            announce(_url(host, listener.getsockname()[1]))
        server.run([listener])


class _Server(uvicorn.Server):
    """Leaves signals alone: uvicorn raises them again at the end, and our caller could not close what it opened."""

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        return contextlib.nullcontext()


@contextlib.contextmanager
def _stopped_by_signals(server: uvicorn.Server) -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    former = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _short_collections() -> Iterator[None]:
    """Keep the garbage collector from what is there now and stays: it stops every thread for a sixth of a second."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _server(app: FastAPI) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        # Whoever runs us decides about logging; the access log would tell who was looked at.
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        # Nothing here depends on where a request comes from, so no header about it is believed.
        proxy_headers=False,
        h11_max_incomplete_event_size=_LARGEST_HEADERS,
        timeout_graceful_shutdown=PATIENCE_S,
    )
    return _Server(config)


def _listen(host: str, port: int) -> socket.socket:
    """Bind before the server starts: a port that is taken is an OSError here, and the backlog accepts at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it every answer takes 40 ms longer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        why = f"{error.strerror or error}; MAILROSTER_LISTEN may name another"
        raise OSError(error.errno, why, f"{host}:{port}") from error
    return listener


def _url(host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"
