"""Request bodies: bounded in size and time while they arrive, for every route, whoever sends them."""

import asyncio
import re
from dataclasses import dataclass, field

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.intake.tallying import Tallies
from worker.store.tallies import TallyKind
from worker.web.problems import Problem

LARGEST = 1024 * 1024
"""Bytes of a body (`contracts.md` 3)."""
_DRAINED = 8 * LARGEST
"""How much of a body that is too large is read and thrown away, so that its sender reads the answer and no reset."""
TIME_S = 30.0
"""How long a body may take to arrive."""
_JSON = re.compile(r"application/(?:[\w.-]+\+)?json", re.ASCII)


class BodyLimit:
    """The bound, as ASGI middleware: it counts what arrives, so that chunked bodies without a length are bounded too.

    What reads the body gets Problem 413 or 408 raised instead of the rest.
    """

    def __init__(self, app: ASGIApp, time_s: float = TIME_S) -> None:
        self._app, self._time_s = app, time_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body bounded."""
        bounded = _Bounded(receive, self._time_s).receive if scope["type"] == "http" else receive
        await self._app(scope, bounded, send)


@dataclass(slots=True)
class _Bounded:
    upstream: Receive
    time_s: float
    seen: int = 0
    complete: bool = False
    started: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    async def receive(self) -> Message:
        if self.complete:
            return await self.upstream()
        message = await self._next()
        if self.seen > LARGEST:
            while not self.complete and self.seen <= _DRAINED:
                await self._next()
            raise Problem(413, f"the body is larger than {LARGEST:,} bytes", headers={"Connection": "close"})
        return message

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout_at(self.started + self.time_s):
                message = await self.upstream()
        except TimeoutError:
            late = f"the body did not arrive within {self.time_s:g} seconds"
            raise Problem(408, late, headers={"Connection": "close"}) from None
        self.seen += len(message.get("body", b""))
        self.complete = not message.get("more_body", False)
        return message


async def json_body(request: Request) -> bytes:
    """Return the raw bytes of a body that is said to be JSON. Raises Problem 415, 413, 408."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not _JSON.fullmatch(given):
        raise Problem(415, "the content type must be application/json or another JSON media type")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Problem(415, "an encoded body is not accepted: send it without Content-Encoding")
    return await request.body()


async def body_from(source: str, request: Request, tallies: Tallies) -> bytes:
    """Return the raw bytes of a body that may be a source's, and count it there if it is turned away. As above."""
    try:
        return await json_body(request)
    except Problem as problem:
        tallies.count(source, TallyKind.TURNED_AWAY, said=problem.detail)
        raise
