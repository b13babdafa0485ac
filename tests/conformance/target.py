"""The host that the suite runs against, and what makes somebody else's usable: credentials and an empty domain."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import httpx

from tests.conformance.pace import Pace

USER = "MAILROSTER_TEST_MIGADU_USER"
KEY = "MAILROSTER_TEST_MIGADU_KEY"
TIMEOUT_S = 30
LISTS = {"mailboxes": "mailboxes", "aliases": "address_aliases", "rewrites": "rewrites"}
"""What a domain can hold, and the key of each list (migadu-behaviour.md 1.2)."""
THIS_MACHINE = ("127.0.0.1", "localhost", "::1")


class Unusable(Exception):
    """The host, the domain or the credentials cannot be used; the message is one sentence that says why."""


def _no_wait() -> None:
    """Let a call pass."""


@dataclass(frozen=True, slots=True)
class Target:
    """An API, a domain on it that tests may fill and empty, and the credentials of its owner."""

    api_url: str
    domain: str
    user: str
    key: str = field(repr=False)
    wait_for_turn: Callable[[], None] = _no_wait
    """Called before each call; returns when it may be made."""

    def client(self, path: str = "", *, note: Callable[[httpx.Response], None] = lambda _: None) -> httpx.Client:
        """Return a client for what is below this path of the API; each answer is noted."""
        return httpx.Client(
            base_url=f"{self.api_url}{path}",
            auth=(self.user, self.key),
            timeout=TIMEOUT_S,
            verify=_tls(),
            event_hooks={"request": [lambda _: self.wait_for_turn()], "response": [note]},
        )


def foreign_target(url: str, domain: str | None, environment: Mapping[str, str]) -> Target:
    """Return the host at a URL, after a look at its domain, which must be empty.

    Raises:
        Unusable: The domain holds something or cannot be looked at, or credentials are missing.
    """
    if not domain:
        raise Unusable(
            "--migadu-url needs --migadu-domain, the empty domain in which tests may make and delete objects."
        )
    user, key = _required(USER, environment), _required(KEY, environment)
    target = Target(url.rstrip("/"), domain.lower(), user, key, pace_for(url))
    _require_empty(target)
    return target


def pace_for(url: str) -> Callable[[], None]:
    """Return how fast a host may be asked: slowly, but for one on this machine, which nobody else waits for."""
    try:
        return _no_wait if httpx.URL(url).host in THIS_MACHINE else Pace()
    except httpx.InvalidURL as error:
        raise Unusable(f"--migadu-url cannot be read: {error}.") from error


def _required(variable: str, environment: Mapping[str, str]) -> str:
    named = environment.get(f"{variable}_FILE")
    try:
        value = Path(named).read_text().strip() if named else environment.get(variable)
    except (OSError, ValueError) as error:
        raise Unusable(f"The file that {variable}_FILE names cannot be read: {type(error).__name__}.") from error
    if not value:
        raise Unusable(f"--migadu-url needs {variable} (or {variable}_FILE, the path of a file that holds it).")
    return value


def _require_empty(target: Target) -> None:
    """Whatever the suite finds at its end must be its own, so it starts only where there is nothing."""
    with target.client(f"/domains/{target.domain}") as client:
        held = {kind: _count(client, kind) for kind in LISTS}
    if any(held.values()):
        counts = ", ".join(f"{kind}: {number}" for kind, number in held.items())
        raise Unusable(
            f"{target.domain} at {target.api_url} is not empty ({counts}): the suite only runs on a domain that is."
        )


def _count(client: httpx.Client, kind: str) -> int:
    """Count the objects of a kind; an answer that cannot be read is never taken for an empty list."""
    try:
        answer = client.get(kind)
        answer.raise_for_status()
        shown = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        what = str(error).partition("\n")[0] or type(error).__name__
        raise Unusable(f"The {kind} at {client.base_url} cannot be looked at: {what}.") from error
    held = shown.get(LISTS[kind]) if isinstance(shown, dict) else None
    if not isinstance(held, list):
        raise Unusable(f"The {kind} at {client.base_url} cannot be looked at: there is no list {LISTS[kind]}.")
    return len(held)


@cache
def _tls() -> ssl.SSLContext:
    """Certificates are read once: it takes longer than a test."""
    return httpx.create_ssl_context()
