"""State and seed: everything the stand-in holds as one JSON document, written and read back (`contracts.md` 7)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from worker.sandbox.destinations import destinations
from worker.sandbox.fields import Table, defaults, written
from worker.sandbox.objects import ALIAS, IDENTITY, MAILBOX, MAILBOX_SHOWN
from worker.sandbox.refusals import BadRequest
from worker.sandbox.wire import Fields, Json
from worker.sandbox.world import Domain, Mailbox, World

_DOMAIN_NAME = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_NAMING = {"local_part", "domain_name", "address"}
_TIMES = ("activated_at", "changed_at", "last_login_at")


class InvalidSeed(ValueError):
    """The seed cannot be loaded; the text says where and why, and nothing was changed."""


def state_of(world: World, now: datetime) -> Fields:
    """Return everything the world holds; the same document can be seeded."""
    return {"domains": [_state_of_domain(domain, now) for domain in world.domains.values()]}


def world_from(seed: Json, now: datetime) -> World:
    """Build a world from a seed. Objects may leave out what has a default, and dates may lie in the past.

    An unknown field is refused, because it is most likely a slip of the pen. Raises InvalidSeed.
    """
    world = World()
    try:
        holder = _object(seed)
        _refuse_unknown(holder, {"domains"})
        for where, value in _entries(holder, "domains"):
            with _within(where):
                _load_domain(world, _object(value), now)
    except BadRequest as refusal:
        raise InvalidSeed(str(refusal)) from refusal
    return world


def _state_of_domain(domain: Domain, now: datetime) -> Fields:
    return {
        "name": domain.name,
        "mailboxes": [mailbox.shown(now) for mailbox in domain.mailboxes.values()],
        "aliases": list(domain.aliases.values()),
        "rewrites": [],
    }


def _load_domain(world: World, given: Fields, now: datetime) -> None:
    _refuse_unknown(given, {"name", "mailboxes", "aliases", "rewrites"})
    _refuse_filled(given, "rewrites")
    domain = Domain(_domain_name(given.get("name")))
    if domain.name in world.domains:
        raise BadRequest("the domain occurs twice")
    world.domains[domain.name] = domain
    for where, value in _entries(given, "mailboxes"):
        with _within(where):
            _load_mailbox(domain, _object(value), now)
    for where, value in _entries(given, "aliases"):
        with _within(where):
            _load_alias(domain, _object(value))


def _load_mailbox(domain: Domain, given: Fields, now: datetime) -> None:
    table = {**MAILBOX_SHOWN, **MAILBOX}
    _refuse_unknown(given, {*table, *_NAMING, *_TIMES, "identities", "forwardings"})
    _refuse_filled(given, "forwardings")
    named = _claimed(domain, given)
    activated_at, changed_at, last_login_at = (_instant(given.get(name), now) for name in _TIMES)
    mailbox = Mailbox({**named, **_named_fields(table, given)}, activated_at, changed_at, last_login_at)
    domain.mailboxes[str(named["local_part"])] = mailbox
    for where, value in _entries(given, "identities"):
        with _within(where):
            _load_identity(domain, mailbox, _object(value))


def _load_identity(domain: Domain, mailbox: Mailbox, given: Fields) -> None:
    _refuse_unknown(given, {*IDENTITY, *_NAMING})
    named = _claimed(domain, given)
    mailbox.identities[str(named["local_part"])] = {**named, **_named_fields(IDENTITY, given)}


def _load_alias(domain: Domain, given: Fields) -> None:
    _refuse_unknown(given, {*ALIAS, *_NAMING, "destinations"})
    named = _claimed(domain, given)
    fields = {**defaults(ALIAS), **written(ALIAS, given)}
    goals = destinations(given.get("destinations"), domain.name)
    domain.aliases[str(named["local_part"])] = {**named, **fields, "destinations": goals}


def _named_fields(table: Table, given: Fields) -> dict[str, Json]:
    if "name" not in given:
        raise BadRequest("the name is missing")
    return {**defaults(table), **written(table, given)}


def _claimed(domain: Domain, given: Fields) -> dict[str, Json]:
    named = domain.claim(given.get("local_part"))
    for name in ("domain_name", "address"):
        if given.get(name, named[name]) != named[name]:
            raise BadRequest(f"{name} contradicts the local part and the domain it stands in")
    return named


def _instant(shown: Json, now: datetime) -> datetime | None:
    """Read a time as Migadu displays it; what it does not show of the instant is lost."""
    if shown is None:
        return None
    try:
        if ":" in str(shown):
            clock = datetime.strptime(str(shown), "%H:%M").replace(tzinfo=UTC)
            return datetime.combine(now.date(), clock.timetz())
        return datetime.strptime(str(shown), "%d/%m/%y").replace(tzinfo=UTC)
    except ValueError as error:
        raise BadRequest("a time is written neither HH:MM nor dd/mm/yy") from error


def _domain_name(given: Json) -> str:
    if isinstance(given, str) and _DOMAIN_NAME.fullmatch(given.lower()):
        return given.lower()
    raise BadRequest("the name is missing or no domain (in punycode)")


def _refuse_filled(given: Fields, key: str) -> None:
    if given.get(key):
        raise BadRequest(f"{key}: the sandbox holds none, leave the list empty")


def _refuse_unknown(given: Fields, known: set[str]) -> None:
    for name in given:
        if name not in known:
            raise BadRequest(f"unknown field {name!r}")


def _object(value: Json) -> Fields:
    if isinstance(value, dict):
        return value
    raise BadRequest("this is not an object")


def _entries(given: Fields, key: str) -> Iterator[tuple[str, Json]]:
    values = given.get(key, [])
    if not isinstance(values, list):
        raise BadRequest(f"{key} is not a list")
    for number, value in enumerate(values):
        yield f"{key}[{number}]", value


@contextmanager
def _within(where: str) -> Iterator[None]:
    try:
        yield
    except BadRequest as refusal:
        separator = "." if str(refusal).partition("[")[0] in {"mailboxes", "aliases", "identities"} else ": "
        raise BadRequest(f"{where}{separator}{refusal}") from refusal
