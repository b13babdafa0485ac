"""HTTP under the stand-in, as ASGI brings it: reading a body within bounds, sending an answer, hanging up."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON = "application/json"
HTML = "text/html"
TEXT = "text/plain; charset=utf-8"

CONNECTION = "sandbox.connection"
"""The key in the scope's state under which the server puts the connection (see `server.py`)."""


class HungUp(Exception):
    """The client hung up before its body was there: it has asked for nothing."""


class Answer(NamedTuple):
    """What a call is answered with."""

    status: int
    body: bytes = b""
    content_type: str | None = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """More headers, their names in lower case."""


async def read_body(receive: Receive, most: int) -> bytes | None:
    """Return the body, None if it is larger than this many bytes. Raises HungUp.

    The rest is read and thrown away, because a client that is still sending would not see the answer.
    """
    body, size, more = bytearray(), 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HungUp("the client hung up before its body was there")
        size += len(message.get("body", b""))
        if size > most:
            body.clear()
        else:
            body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body) if size <= most else None


async def send_answer(send: Send, answer: Answer) -> None:
    """Send an answer in one piece."""
    headers = [(b"content-length", b"%d" % len(answer.body)), *answer.headers]
    if answer.content_type is not None:
        headers.append((b"content-type", answer.content_type.encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def hang_up(scope: Scope, receive: Receive) -> None:
    """Close the connection without a byte of an answer, and wait until it is closed: then none is missed.

    What was already written is not lost: it belongs to earlier answers.
    """
    scope["state"][CONNECTION].transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass


def header(scope: Scope, name: bytes) -> str | None:
    """Return the value of a request's header, None where it was not sent. The name is in lower case."""
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return None
