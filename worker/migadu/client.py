"""A Migadu account: all its objects by the same few methods, and what only domains have.

Each method makes exactly one call. All of them raise a MigaduError where the host does not do it, and what the hooks
raise.
"""

from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self

import httpx

from worker.mail import Domain
from worker.migadu import echo, objects
from worker.migadu.answers import MalformedAnswer, Object
from worker.migadu.calls import Call, CallName, Hooks, Verb
from worker.migadu.exchange import Exchange, Request
from worker.migadu.places import Index, Place
from worker.migadu.resources import T, T_co
from worker.migadu.writes import Write
from worker.wire import open_client, trusted


@dataclass(frozen=True, slots=True)
class Written(Generic[T_co]):
    """What the host shows after a write."""

    value: T_co | None
    """None after a deletion: a deleted object is of no use to anyone."""
    ignored: tuple[str, ...] = ()
    """Names of fields that were sent and that the host did not take over. Where access flags or destinations are among
    them, EchoMismatch is raised instead."""


class MigaduClient:
    """Speaks to one account, in one thread.

    ``http`` comes from `ThreadClients.client` and stays the caller's; without it the client opens one of its own, which
    `close` closes.
    """

    def __init__(
        self, base_url: str, user: str, key: str, *, http: httpx.Client | None = None, hooks: Hooks | None = None
    ) -> None:
        self._opened = [] if http is not None else [open_client(trusted())]
        self._exchange = Exchange(base_url, user, key, http or self._opened[0], hooks)

    def close(self) -> None:
        """Close what this client opened itself."""
        for each in self._opened:
            each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def index(self, index: Index[T]) -> list[T]:
        """Return all objects of an index. NotFound: the domain is not in the account, or the mailbox not in it."""
        resource = index.resource
        key = resource.list_key or resource.plural
        request = Request(index.call, index.path, index.domain)
        return self._exchange.make(request, lambda found: objects.listed(found, key, resource.read))

    def show(self, place: Place[T]) -> T:
        """Return one object. NotFound: it is not there, or what it belongs to is not."""
        request = Request(place.call(Verb.SHOW), place.path, place.domain)
        return self._exchange.make(request, lambda found: _shown(place, found))

    def send(self, write: Write[T]) -> Written[T]:
        """Make a change and compare what the host shows after it.

        Refused also means that an address is taken (`migadu-behaviour.md` 2.5); EchoMismatch, that the host did
        something else, as with destinations on another domain (1.6); NotFound after a deletion, that it was not there.
        """
        request = Request(write.call, write.path, write.place.domain, write.body, write.secrets)
        return self._exchange.make(request, lambda found: _written(write, found))

    def records(self, domain: Place[Domain]) -> Object:
        """Return the DNS records that a domain needs, as the host shows them (`migadu-behaviour.md` 1.8)."""
        return self._about(CallName.SHOW_RECORDS, domain)

    def diagnostics(self, domain: Place[Domain]) -> Object:
        """Return what the host finds wrong with a domain's DNS: lists of sentences, empty where it is right."""
        return self._about(CallName.SHOW_DIAGNOSTICS, domain)

    def usage(self, domain: Place[Domain]) -> Object:
        """Return how much mail a domain takes in, sends out and stores, as the host shows it."""
        return self._about(CallName.SHOW_USAGE, domain)

    def _about(self, operation: CallName, domain: Place[Domain]) -> Object:
        path = f"{domain.path}/{operation.partition('-')[2]}"
        return self._exchange.make(Request(Call(operation, path), path, domain.domain), lambda found: found)


def _shown(place: Place[T], found: Object) -> T:
    """Read an object, and take no other than the one asked for."""
    value = place.resource.read(found)
    if not place.is_at(value):
        raise MalformedAnswer("the answer shows another object")
    return value


def _written(write: Write[T], found: Object) -> Written[T]:
    if write.verb is Verb.DELETE:
        return Written(None)
    value = _shown(write.goes_to, found)
    return Written(value, echo.ignored(write.fields, value.writable))
