"""Judging an answer: is it an object, and if not, which class of failure is it?

The rules are Migadu's real behaviour (`migadu-behaviour.md` 2), not its page. Pure.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType

import httpx

from worker.migadu.calls import Call, FailureClass

Object = Mapping[str, object]
"""A JSON object as it came."""

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_FAILURES: Mapping[int, FailureClass] = MappingProxyType(
    {
        401: FailureClass.ACCOUNT,
        402: FailureClass.ACCOUNT,
        404: FailureClass.ABSENT,
        407: FailureClass.ACCOUNT,
        429: FailureClass.TRANSIENT,
        503: FailureClass.TRANSIENT,
    }
)
_THROTTLE_MARKS = ("administrative rules", "rate limit", "too many requests")


class MalformedAnswer(ValueError):
    """The answer claims success and is not what it should be. Names what is wrong, and holds nothing of the answer."""


def judge(call: Call, status: int, content_type: str, body: bytes | bytearray) -> Object | FailureClass:
    """Return the object that a successful answer holds, or the class of failure that any other answer is.

    Raises MalformedAnswer where success is claimed without an object; its class is `unsettled`.
    """
    if status in (200, 201, 204):
        return _object(call, content_type, body)
    if status == 403:
        return _forbidden(content_type, body)
    if status == 404 and _is_page(content_type, body):
        return unsettled(call)  # a page is no word of the API's: something between us and the host found no way
    if status in _FAILURES:
        return _FAILURES[status]
    if 400 <= status < 500 and status != 408:
        return FailureClass.REFUSED
    # Left are 500, 502, 504 and what nobody has seen. A redirect is among them: the API has none, so something between
    # us and the host sent it, and whether the host saw the request cannot be told from it.
    return unsettled(call)


def judge_silence(call: Call, error: httpx.HTTPError) -> FailureClass:
    """Return the class of failure of a call without a whole answer; before anything was sent, a write is harmless."""
    return FailureClass.TRANSIENT if isinstance(error, _NOT_SENT) else unsettled(call)


def unsettled(call: Call) -> FailureClass:
    """Return the class of not knowing whether the host did it: it matters for a write only."""
    return FailureClass.UNKNOWN if call.is_write else FailureClass.TRANSIENT


def _object(call: Call, content_type: str, body: bytes | bytearray) -> Object:
    if call.method == "DELETE" and not body.strip():
        return {}
    if content_type and "json" not in content_type.lower():
        raise MalformedAnswer("the answer is not JSON")
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):
        # Not chained: a JSONDecodeError carries the whole document, which holds personal data.
        raise MalformedAnswer("the answer is not valid JSON") from None
    if not isinstance(found, dict):
        raise MalformedAnswer("the answer is not a JSON object")
    return found


def _forbidden(content_type: str, body: bytes | bytearray) -> FailureClass:
    text = body.decode("utf-8", "replace").lower()
    if _is_page(content_type, body) or any(mark in text for mark in _THROTTLE_MARKS):
        return FailureClass.THROTTLED
    return FailureClass.FULL if "limit reached" in text else FailureClass.ACCOUNT


def _is_page(content_type: str, body: bytes | bytearray) -> bool:
    return "html" in content_type.lower() or body.lstrip().startswith(b"<")
