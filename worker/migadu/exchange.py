"""One call on the wire: sent once, read within its limits, judged, and reported to the hooks.

Nothing is repeated here. Whatever the host answers becomes a value or a MigaduError.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import TypeVar

import httpx

from worker.migadu.answers import MalformedAnswer, Object, judge, judge_silence, unsettled
from worker.migadu.calls import Call, FailureClass, Hooks, Outcome
from worker.migadu.echo import EchoDiffers
from worker.migadu.errors import ERRORS, EchoMismatch, MigaduError
from worker.migadu.redaction import excerpt
from worker.wire import COUNTED_FROM, retry_after_s

LARGEST_ANSWER = 1_000_000
LARGEST_INDEX = 64_000_000
"""Bytes. Indexes are not paginated, and a large domain's may be long."""

_KEPT_OF_TOO_LONG = 10_000
"""Bytes. Enough to judge a failure by, and for its excerpt."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """What to send. ``secrets`` are texts that no excerpt of the answer may show."""

    call: Call
    path: str = field(repr=False)
    domain: str
    body: Mapping[str, object] | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: httpx.Headers
    body: bytes | bytearray
    size: int
    is_whole: bool

    @property
    def content_type(self) -> str:
        return str(self.headers.get("content-type", ""))


class Exchange:
    """Makes calls to one host with one key, in one thread. Raises ValueError for an address that is no HTTP URL."""

    def __init__(self, base_url: str, user: str, key: str, http: httpx.Client, hooks: Hooks | None) -> None:
        self._base_url = _checked(base_url)
        self._auth = httpx.BasicAuth(user, key)
        self._key = key
        self._http = http
        self._hooks = hooks

    def make(self, request: Request, read: Callable[[Object], T]) -> T:
        """Send the request once and return what ``read`` makes of the answered object.

        ``read`` may raise MalformedAnswer and EchoDiffers. Raises MigaduError, and whatever the hooks raise.
        """
        sending = self._http.build_request(request.call.method, self._base_url + request.path, json=request.body)
        if self._hooks is not None:
            sending.extensions[COUNTED_FROM] = self._hooks.before(request.call)
        began = time.monotonic()
        try:
            answer = self._send(request, sending)
            value = self._read(request, answer, read)
        except MigaduError as error:
            took_s = time.monotonic() - began
            told = (error.status, error.failure, took_s, error.excerpt, error.answered_bytes, error.retry_after_s)
            self._tell(request, Outcome(*told))
            raise
        self._tell(request, Outcome(answer.status, None, time.monotonic() - began, "", answer.size))
        return value

    def _tell(self, request: Request, outcome: Outcome) -> None:
        if self._hooks is not None:
            self._hooks.after(request.call, outcome)

    def _send(self, request: Request, sending: httpx.Request) -> _Answer:
        limit = LARGEST_INDEX if request.call.operation.is_list else LARGEST_ANSWER
        try:
            with closing(self._http.send(sending, auth=self._auth, stream=True)) as response:
                body, size, is_whole = _up_to(limit, response.iter_bytes())
        except httpx.HTTPError as error:
            failure = ERRORS[judge_silence(request.call, error)]
            raise failure(request.call, f"got no whole answer ({type(error).__name__})") from error
        return _Answer(response.status_code, response.headers, body, size, is_whole)

    def _read(self, request: Request, answer: _Answer, read: Callable[[Object], T]) -> T:
        try:
            return read(self._object(request, answer))
        except MalformedAnswer as error:
            reason = f"was answered {answer.status}, but {error}"
            raise self._failed(request, answer, unsettled(request.call), reason) from error
        except EchoDiffers as error:
            text = self._excerpt(request, answer)
            raise EchoMismatch(
                request.call, error.names, status=answer.status, excerpt=text, answered_bytes=answer.size
            ) from error

    def _object(self, request: Request, answer: _Answer) -> Object:
        if not answer.is_whole and answer.status < 300:
            raise MalformedAnswer("the answer is too long")
        found = judge(request.call, answer.status, answer.content_type, answer.body)
        if isinstance(found, FailureClass):
            raise self._failed(request, answer, found, f"was answered {answer.status}")
        return found

    def _failed(self, request: Request, answer: _Answer, failure: FailureClass, reason: str) -> MigaduError:
        return ERRORS[failure](
            request.call,
            reason,
            status=answer.status,
            excerpt=self._excerpt(request, answer),
            retry_after_s=retry_after_s(answer.headers.get("retry-after"), answer.headers.get("date")),
            answered_bytes=answer.size,
        )

    def _excerpt(self, request: Request, answer: _Answer) -> str:
        return excerpt(answer.body, domain=request.domain, secrets=(*request.secrets, self._key))


def _checked(base_url: str) -> str:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise ValueError(f"the mail host's address is no URL: {error}") from error
    if url.scheme not in ("http", "https") or not url.host or url.query or url.userinfo:
        raise ValueError("the mail host's address must be http(s)://host/path, without credentials or query")
    return base_url.rstrip("/")


def _up_to(limit: int, parts: Iterable[bytes]) -> tuple[bytearray, int, bool]:
    """Return a body, its length and True; or the beginning of one that goes on after ``limit`` bytes, and False.

    Not copied into bytes: an index may be long.
    """
    body = bytearray()
    for part in parts:
        body += part
        if len(body) > limit:
            return body[:_KEPT_OF_TOO_LONG], len(body), False
    return body, len(body), True
