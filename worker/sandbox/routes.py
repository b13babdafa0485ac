"""Migadu's paths: which call does what to the world. Every answer is the object or list that Migadu would show."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from worker.sandbox.aliases import create_alias, delete_alias, update_alias
from worker.sandbox.asked import FORWARDINGS, IDENTITIES, Asked
from worker.sandbox.dns import diagnostics, records, usage
from worker.sandbox.domains import activate_domain, create_domain, update_domain
from worker.sandbox.entry import Entry, Listing
from worker.sandbox.forwardings import create_forwarding, delete_forwarding, update_forwarding
from worker.sandbox.identities import create_identity, delete_identity, update_identity
from worker.sandbox.mailboxes import create_mailbox, delete_mailbox, update_mailbox
from worker.sandbox.refusals import NotFound
from worker.sandbox.rewrites import create_rewrite, delete_rewrite, in_order, update_rewrite
from worker.sandbox.wire import Fields, dump
from worker.sandbox.world import found

Shape = tuple[str, ...]
"""Method and path below /v1, a star in the place of each key."""


class Route(NamedTuple):
    """What a call does: its answer as JSON, and whether it may change the world."""

    answer: Callable[[Asked], bytes]
    changes: bool


class Resource(NamedTuple):
    """A collection of objects that has the five verbs."""

    path: str
    list_key: str
    kind: str
    kept: Callable[[Asked], Mapping[str, Entry]]
    """Where the objects are, by key. Raises NotFound if what should hold them is not there."""
    create: Callable[[Asked], Entry]
    update: Callable[[Asked, Entry], Entry]
    delete: Callable[[Asked, Entry], None]


_RESOURCES = (
    Resource(
        "domains/*/mailboxes",
        "mailboxes",
        "mailbox",
        lambda asked: asked.domain.mailboxes,
        create_mailbox,
        update_mailbox,
        delete_mailbox,
    ),
    Resource(
        "domains/*/mailboxes/*/identities",
        "identities",
        "identity",
        lambda asked: asked.mailbox.children[IDENTITIES],
        create_identity,
        update_identity,
        delete_identity,
    ),
    Resource(
        "domains/*/mailboxes/*/forwardings",
        "forwardings",
        "forwarding",
        lambda asked: asked.mailbox.children[FORWARDINGS],
        create_forwarding,
        update_forwarding,
        delete_forwarding,
    ),
    Resource(
        "domains/*/aliases",
        "address_aliases",  # not `aliases`, as two clients believed (migadu-behaviour.md 1.2)
        "alias",
        lambda asked: asked.domain.aliases,
        create_alias,
        update_alias,
        delete_alias,
    ),
    Resource(
        "domains/*/rewrites",
        "rewrites",
        "rewrite",
        lambda asked: in_order(asked.domain),
        create_rewrite,
        update_rewrite,
        delete_rewrite,
    ),
)


def route(method: str, segments: list[str]) -> tuple[Route, list[str]]:
    """Return what such a call does, and the keys in its path. Raises NotFound if Migadu has no such path or method.

    HEAD is GET without the body, as everywhere in HTTP; whether Migadu answers it is not known.
    """
    keys = segments[1::2]
    shape = ["*"] * len(segments)
    shape[0::2] = segments[0::2]
    found_route = _ROUTES.get(("GET" if method == "HEAD" else method, *shape))
    if found_route is None:
        raise NotFound("there is no such path or method")
    return found_route, keys


def _domain_routes() -> dict[Shape, Route]:
    return {
        _shape("GET", "domains"): Route(_list_domains, changes=False),
        _shape("POST", "domains"): _showing(create_domain, changes=True),
        _shape("GET", "domains/*"): _showing(lambda asked: asked.domain.entry, changes=False),
        _shape("PATCH", "domains/*"): _showing(update_domain, changes=True),
        _shape("GET", "domains/*/activate"): _showing(activate_domain, changes=True),
        _shape("GET", "domains/*/records"): _telling(records),
        _shape("GET", "domains/*/diagnostics"): _telling(diagnostics),
        _shape("GET", "domains/*/usage"): _telling(usage),
    }


def _five_verbs(resource: Resource) -> dict[Shape, Route]:
    def index(asked: Asked) -> bytes:
        entries = list(resource.kept(asked).values())
        return asked.domain.listing(resource.list_key).json(entries, asked.now.date())

    def create(asked: Asked) -> Entry:
        resource.kept(asked)
        return resource.create(asked)

    def show(asked: Asked) -> Entry:
        return found(resource.kept(asked), asked.keys[-1], resource.kind)

    def update(asked: Asked) -> Entry:
        return resource.update(asked, show(asked))

    def delete(asked: Asked) -> Entry:
        entry = show(asked)
        resource.delete(asked, entry)
        return entry

    one = f"{resource.path}/*"
    return {
        _shape("GET", resource.path): Route(index, changes=False),
        _shape("POST", resource.path): _showing(create, changes=True),
        _shape("GET", one): _showing(show, changes=False),
        _shape("PUT", one): _showing(update, changes=True),
        _shape("DELETE", one): _showing(delete, changes=True),
    }


def _list_domains(asked: Asked) -> bytes:
    entries = [domain.entry for domain in asked.world.domains.values()]
    return Listing("domains").json(entries, asked.now.date())


def _showing(act: Callable[[Asked], Entry], *, changes: bool) -> Route:
    return Route(lambda asked: act(asked).json(asked.now.date()), changes)


def _telling(tell: Callable[[Asked], Fields]) -> Route:
    return Route(lambda asked: dump(tell(asked)), changes=False)


def _shape(method: str, path: str) -> Shape:
    return method, *path.split("/")


_ROUTES: dict[Shape, Route] = _domain_routes()
for _resource in _RESOURCES:
    _ROUTES |= _five_verbs(_resource)
