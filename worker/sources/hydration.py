"""Hydration: asking a source for somebody's record, because its deliveries only tell who changed.

One question at a time and thread, each within its deadline, repeated a few times where that may help. What comes of it
is a value. Nothing of an answer, no subject and no secret is in a reason.
"""

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from urllib.parse import quote

import httpx
from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt, stop_before_delay
from tenacity.nap import sleep
from tenacity.wait import wait_random_exponential

from worker.sources.body import BodyInvalid, parse_json
from worker.sources.expression import NotFitting
from worker.sources.hook import HookSource
from worker.sources.mapping import Lacking, facts_of
from worker.sources.sections import HydrateSection
from worker.wire import ThreadClients, retry_after_s

DEADLINE_S = 15.0
"""The longest that one question may take, connecting included."""
LARGEST_ANSWER = 1024 * 1024
_ATTEMPTS, _WITHIN_S = 3, 30.0
LONGEST_FETCH = timedelta(seconds=_WITHIN_S + 2 * DEADLINE_S)
"""No fetch takes longer, repetitions included; a lease must outlive it."""
_LONGEST_WAIT_S = 10.0
_BACK_OFF = wait_random_exponential(multiplier=0.5, max=4)  # full jitter
_WORTH_REPEATING = (500, 502, 503, 504, 408)


@dataclass(frozen=True, slots=True)
class Fetched:
    """The source has a record of the person."""

    facts: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Absent:
    """The source says that it has no record of this key. That is no word on why."""

    status: int


@dataclass(frozen=True, slots=True)
class CredentialsRefused:
    """The source does not accept whoever asks: asking for others is of no use either."""

    reason: str


@dataclass(frozen=True, slots=True)
class Throttled:
    """The source wants to be left alone, about everybody."""

    reason: str
    wait_s: float
    """How long it asked for; 0 where it did not say."""


@dataclass(frozen=True, slots=True)
class Failed:
    """No record was had; another time it may be."""

    reason: str
    worth_repeating: bool = False
    wait_s: float = 0.0
    """How long the source asked to be left alone."""
    is_final: bool = False
    """Asking again as long as nothing is changed is of no use."""


Answer = Fetched | Absent | CredentialsRefused | Throttled | Failed


class Hydration:
    """Asks the sources that are configured so. Threads may share it."""

    def __init__(
        self,
        sources: Mapping[str, HookSource],
        *,
        clients: ThreadClients | None = None,
        wait: Callable[[float], None] = sleep,
    ) -> None:
        """Open nothing before the first question."""
        self._sources = {name: source for name, source in sources.items() if source.hydrate is not None}
        self._clients, self._wait, self._lock = clients, wait, Lock()

    @property
    def at_once(self) -> Mapping[str, int]:
        """How many fetches at a time each source bears."""
        return {name: source.hydrate.at_once for name, source in self._sources.items() if source.hydrate is not None}

    def fetch(self, source: str, subject: str) -> Answer:
        """Ask a source for a person's record. Never raises for what is wrong at the other end."""
        repeating = Retrying(
            sleep=self._wait,
            retry=retry_if_result(_may_pass),
            stop=stop_after_attempt(_ATTEMPTS) | stop_before_delay(_WITHIN_S),
            wait=_pause,
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        answer: Answer = repeating(self.ask_once, source, subject)
        return answer

    def ask_once(self, source: str, subject: str) -> Answer:
        """Ask a source for a person's record, and not again whatever it answers. Raises as little as ``fetch``."""
        return _Asking(self._sources[source], self._opened().client()).ask(subject)

    def close(self) -> None:
        """Close all connections."""
        if self._clients is not None:
            self._clients.close()

    def _opened(self) -> ThreadClients:
        with self._lock:
            if self._clients is None:
                self._clients = ThreadClients(deadline_s=DEADLINE_S)
            return self._clients


def _may_pass(answer: Answer) -> bool:
    may_pass = isinstance(answer, Throttled) or (isinstance(answer, Failed) and answer.worth_repeating)
    return may_pass and _asked_for_s(answer) <= _LONGEST_WAIT_S


def _pause(state: RetryCallState) -> float:
    asked_for_s = _asked_for_s(state.outcome.result()) if state.outcome else 0.0
    return max(asked_for_s, _BACK_OFF(state))


def _asked_for_s(answer: Answer) -> float:
    return answer.wait_s if isinstance(answer, Failed | Throttled) else 0.0


@dataclass(frozen=True, slots=True)
class _Asking:
    source: HookSource
    http: httpx.Client

    @property
    def section(self) -> HydrateSection:
        assert self.source.hydrate is not None
        return self.source.hydrate

    def ask(self, subject: str) -> Answer:
        """Ask once."""
        if not subject.strip("."):  # it would mean another place, whoever encodes it
            return Failed("a key of nothing but dots cannot stand in an address", is_final=True)
        url = self.section.url.replace("{subject}", quote(subject, safe=""))
        headers = {name: header.value.get_secret_value() for name, header in self.section.headers.items()}
        try:
            with closing(self.http.send(self.http.build_request("GET", url, headers=headers), stream=True)) as response:
                return self._judged(response)
        except (httpx.HTTPError, httpx.InvalidURL) as error:  # their messages may hold the URL
            return Failed(f"it gave no whole answer ({_kind_of(error)})", worth_repeating=True)

    def _judged(self, response: httpx.Response) -> Answer:
        status, said = response.status_code, f"it answered {response.status_code}"
        asked_for_s = retry_after_s(response.headers.get("retry-after"), response.headers.get("date")) or 0.0
        if status == 200:
            return self._record(response)
        if status in (404, 410):
            return Absent(status)
        if status in (401, 403):
            return CredentialsRefused(f"{said}: it does not accept our credentials, or they may not read there")
        if status == 429:
            return Throttled(f"{said}: it wants to be asked less often", asked_for_s)
        if 300 <= status < 400:
            return Failed(f"{said}, which leads elsewhere and is not followed: put the final address into hydrate.url")
        return Failed(said, worth_repeating=status in _WORTH_REPEATING, wait_s=asked_for_s)

    def _record(self, response: httpx.Response) -> Answer:
        body = bytearray()
        for part in response.iter_raw():
            body += part
            if len(body) > LARGEST_ANSWER:
                return Failed(f"its answer is longer than {LARGEST_ANSWER:,} bytes")
        try:
            return self._read(parse_json(bytes(body)))
        except BodyInvalid as error:
            return Failed(f"its answer cannot be read: {str(error).replace('the body', 'it')}")
        except (Lacking, NotFitting) as error:
            return Failed(f"its answer is not what the map expects: {error}")

    def _read(self, content: object) -> Answer:
        found = self.section.record.find(content, content) if self.section.record else content
        if not isinstance(found, dict):
            return Failed("its answer holds no object at hydrate.record")
        assert self.source.map is not None
        return Fetched(facts_of(self.source.map, content, found))


def _kind_of(error: Exception) -> str:
    """Return what kind of error it is; of one in TLS the library's words, which name a host at most."""
    for each in _chain(error):
        match each:
            case ssl.SSLCertVerificationError():
                return f"its certificate is not trusted: {each.verify_message.rstrip('.')}"
            case ssl.SSLError():
                return f"TLS: {each.reason}"
    return type(error).__name__


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__  # httpcore keeps no cause
