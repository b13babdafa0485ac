"""Connections to others: one HTTP client per thread over one TLS context, and a deadline for the whole call.

A shared client collapses above some thirty threads, and a TLS context costs 21 ms (`engineering.md` A5). httpx limits
each read and not the call, so a server that drips a byte at a time would hold a thread for ever; the deadline is kept
where bytes are read and written.
"""

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from importlib.metadata import version
from types import TracebackType
from typing import Self

import httpcore
import httpx

CALL_DEADLINE = timedelta(seconds=30)
"""The longest that one call may take, connecting included; nothing is sent after it. A lease must outlive it."""

COUNTED_FROM = "mailroster_counted_from"
"""The extension of a request that says when its deadline began, by ``elapsed_s``; without it, with the sending."""

Elapsed = Callable[[], float]

_COUNTS_SLEEP: int | None = getattr(time, "CLOCK_BOOTTIME", None)

_TIMEOUTS = httpx.Timeout(connect=5.0, read=20.0, write=10.0, pool=5.0)


def elapsed_s() -> float:
    """Return how many seconds have passed since some instant; on Linux also those in which the machine slept.

    Whoever was stopped by a signal, or slept with the whole machine, must find that its time is over. A virtual machine
    that its host stops may not see that time pass by any clock of its own.
    """
    return time.monotonic() if _COUNTS_SLEEP is None else time.clock_gettime(_COUNTS_SLEEP)


@cache
def trusted() -> ssl.SSLContext:
    """Return the TLS context of this process, which trusts whom the system trusts: to read these takes 40 ms."""
    return httpx.create_ssl_context()


class ThreadClients:
    """Gives each thread its own client. Close it when no thread is in a call any more."""

    def __init__(self, *, deadline_s: float = CALL_DEADLINE.total_seconds(), elapsed: Elapsed = elapsed_s) -> None:
        self._deadline_s, self._elapsed = deadline_s, elapsed
        self._own = threading.local()
        self._lock = threading.Lock()
        self._all: list[tuple[threading.Thread, httpx.Client]] = []

    def client(self) -> httpx.Client:
        """Return the client of the calling thread, which must not hand it to another."""
        mine: httpx.Client | None = getattr(self._own, "client", None)
        if mine is None or mine.is_closed:
            mine = open_client(trusted(), deadline_s=self._deadline_s, elapsed=self._elapsed)
            self._own.client = mine
            self._keep(mine)
        return mine

    def _keep(self, mine: httpx.Client) -> None:
        """Remember a client so as to close it, and close those of threads that have ended, which nobody uses again."""
        with self._lock:
            left = [client for thread, client in self._all if not thread.is_alive()]
            self._all = [(thread, client) for thread, client in self._all if thread.is_alive()]
            self._all.append((threading.current_thread(), mine))
        for each in left:
            each.close()

    def close(self) -> None:
        """Close the clients of all threads."""
        with self._lock:
            closing, self._all = self._all, []
        for _, each in closing:
            each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def open_client(
    tls: ssl.SSLContext, *, deadline_s: float = CALL_DEADLINE.total_seconds(), elapsed: Elapsed = elapsed_s
) -> httpx.Client:
    """Return a client for one thread: no redirects, nothing from the environment, each call within its deadline."""
    for name in ("httpx", "httpcore"):
        # They log every URL and all headers of answers, and our URLs hold people's names.
        logging.getLogger(name).setLevel(logging.WARNING)
    return httpx.Client(
        transport=DeadlineTransport(tls, deadline_s, elapsed),
        timeout=_TIMEOUTS,
        follow_redirects=False,
        trust_env=False,
        # Compressed, a small answer could swell; the answers are too small to gain from it.
        headers={
            "User-Agent": f"mailroster/{version('mailroster')}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        },
    )


class DeadlineTransport(httpx.BaseTransport):
    """Sends by httpcore, as httpx does by default, and ends every call at its deadline, whatever it waits for.

    For one thread: the deadline is that of the call under way.
    """

    def __init__(self, tls: ssl.SSLContext, deadline_s: float, elapsed: Elapsed) -> None:
        self._deadline = _Deadline(deadline_s, elapsed)
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls, max_connections=1, keepalive_expiry=5.0, network_backend=_Network(self._deadline)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the deadline begins here or did before, and holds until its answer is closed."""
        with _as_httpx_errors():
            self._deadline.begin(request.extensions.get(COUNTED_FROM))
            answer = self._pool.handle_request(_core_request(request))
        body = answer.stream
        assert isinstance(body, Iterable)
        # Bodies stay as they come: packed, which we never ask for, a few bytes could swell to more than memory holds
        # before anybody sees how long they are.
        headers = [(name, value) for name, value in answer.headers if name.lower() != b"content-encoding"]
        return httpx.Response(answer.status, headers=headers, stream=_Body(body), extensions=answer.extensions)

    def close(self) -> None:
        """Close the connection."""
        self._pool.close()


def _core_request(request: httpx.Request) -> httpcore.Request:
    url = httpcore.URL(
        scheme=request.url.raw_scheme, host=request.url.raw_host, port=request.url.port, target=request.url.raw_path
    )
    assert isinstance(request.stream, httpx.SyncByteStream)
    return httpcore.Request(
        request.method, url, headers=request.headers.raw, content=request.stream, extensions=request.extensions
    )


class _Body(httpx.SyncByteStream):
    def __init__(self, body: Iterable[bytes]) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx_errors():
            yield from self._body

    def close(self) -> None:
        if hasattr(self._body, "close"):
            self._body.close()


class _Deadline:
    def __init__(self, limit_s: float, elapsed: Elapsed) -> None:
        self._limit_s = limit_s
        self._elapsed = elapsed
        self._ends = 0.0

    def begin(self, counted_from: float | None) -> None:
        self._ends = (self._elapsed() if counted_from is None else counted_from) + self._limit_s
        self.cap(None, httpcore.ConnectTimeout)  # whoever hears of this one knows that nothing was sent

    def cap(self, timeout: float | None, late: type[httpcore.TimeoutException]) -> float:
        left = self._ends - self._elapsed()
        if left <= 0:
            raise late("the deadline of the call has passed")
        return left if timeout is None else min(timeout, left)


class _Network(httpcore.NetworkBackend):
    def __init__(self, deadline: _Deadline) -> None:
        self._sockets = httpcore.SyncBackend()
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        # One address at a time: given the name, the socket library allows the timeout to each of its addresses anew.
        failure: httpcore.ConnectError | httpcore.ConnectTimeout = httpcore.ConnectError("the name has no address")
        for found in _addresses_of(host, port):
            capped = self._deadline.cap(timeout, httpcore.ConnectTimeout)
            try:
                stream = self._sockets.connect_tcp(found, port, capped, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream, self._deadline)
        raise failure


def _addresses_of(host: str, port: int) -> list[str]:
    """Return the addresses of a name, in the order to try them. The resolver has no deadline but its own."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # the latter for a label that is empty or too long
        raise httpcore.ConnectError(str(error)) from error
    return [str(where[0]) for *_, where in found]


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.cap(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.cap(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        timeout = self._deadline.cap(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout), self._deadline)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


@contextmanager
def _as_httpx_errors() -> Iterator[None]:
    """Raise httpx's namesake of each error of httpcore."""
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        namesake: type[httpx.TransportError] = getattr(httpx, type(error).__name__, httpx.TransportError)
        raise namesake(str(error)) from error
    except (httpcore.UnsupportedProtocol, httpcore.ProxyError) as error:
        raise httpx.UnsupportedProtocol(str(error)) from error
