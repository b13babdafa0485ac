"""The seed: a JSON document from which a world is built, of the same shape as the state (`contracts.md` 7).

A refusal names where in the document what is wrong, as in ``domains[0].mailboxes[2]: the name is missing``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from worker.sandbox.asked import FORWARDINGS, IDENTITIES
from worker.sandbox.destinations import destinations, some_destinations
from worker.sandbox.entry import Entry, Times
from worker.sandbox.fields import Field, Table, defaults, domain_name, external_address, flag, written
from worker.sandbox.mailboxes import mailbox_defaults
from worker.sandbox.objects import (
    ALIAS,
    DOMAIN,
    DOMAIN_SHOWN,
    DOMAIN_TIMES,
    FORWARDING,
    FORWARDING_TIMES,
    IDENTITY,
    MAILBOX,
    MAILBOX_SHOWN,
    MAILBOX_TIMES,
    REWRITE,
)
from worker.sandbox.refusals import BadRequest
from worker.sandbox.wire import Fields, Json, Unreadable, parse
from worker.sandbox.world import Domain, World

_NAMING = ("local_part", "domain_name", "address")
_DNS: Table = {"dns_ok": Field(flag)}
"""Whether the domain's DNS is right, which it is if a seed does not say."""
_COLLECTIONS = ("mailboxes", "aliases", "rewrites")


class InvalidSeed(ValueError):
    """The seed cannot be loaded; the text says where and why, and nothing was changed."""


def read_seed(raw: bytes) -> Fields:
    """Read a seed from the bytes of a file. Raises InvalidSeed."""
    try:
        seed = parse(raw)
    except Unreadable as error:
        raise InvalidSeed(f"this is {error}") from error
    if seed is None:
        raise InvalidSeed("this is empty: a seed is an object with the list domains")
    with _at("the seed"):
        return _object(seed)


def world_from(seed: Json, now: datetime) -> World:
    """Build a world from a seed. Objects may leave out what has a default, and dates may lie in the past.

    An unknown field is refused, because it is most likely a slip of the pen. Raises InvalidSeed.
    """
    world = World()
    with _at("the seed"):
        holder = _object(seed)
        _refuse_unknown(holder, ("domains",))
        if "domains" not in holder:
            raise BadRequest("the list domains is missing")
    for where, given in _objects("", holder, "domains"):
        with _at(where):
            domain = _domain(given, now)
            if domain.name in world.domains:
                raise BadRequest("the domain occurs twice")
        world.domains[domain.name] = domain
        _fill(domain, where, given, now)
    return world


def _fill(domain: Domain, where: str, given: Fields, now: datetime) -> None:
    for place, shown in _objects(f"{where}.", given, "mailboxes"):
        with _at(place):
            mailbox = _mailbox(domain, shown, now)
        domain.mailboxes[str(mailbox.fields["local_part"])] = _with_children(domain, mailbox, place, shown, now)
    for place, shown in _objects(f"{where}.", given, "aliases"):
        with _at(place):
            alias = _alias(domain, shown)
            domain.aliases[str(alias.fields["local_part"])] = alias
    for place, shown in _objects(f"{where}.", given, "rewrites"):
        with _at(place):
            rewrite = _rewrite(domain, shown)
            if domain.rewrites.setdefault(str(rewrite.fields["name"]), rewrite) is not rewrite:
                raise BadRequest("the rewrite occurs twice")


def _domain(given: Fields, now: datetime) -> Domain:
    table = {**DOMAIN_SHOWN, **DOMAIN}
    _refuse_unknown(given, ("name", *table, *DOMAIN_TIMES, *_DNS, *_COLLECTIONS))
    name = domain_name(given.get("name"))
    fields = {"name": name, **defaults(table), **written(table, given)}
    fields["catchall_destinations"] = destinations(given.get("catchall_destinations"), name, "catchall_destinations")
    dns_ok = written(_DNS, given).get("dns_ok", True) is True
    return Domain(Entry(fields, _times(DOMAIN_TIMES, given, now)), dns_ok)


def _mailbox(domain: Domain, given: Fields, now: datetime) -> Entry:
    table = {**MAILBOX_SHOWN, **MAILBOX}
    _refuse_unknown(given, (*table, *_NAMING, *MAILBOX_TIMES, IDENTITIES, FORWARDINGS))
    _require(given, "name")
    fields = {**_claimed(domain, given), **mailbox_defaults(domain), **written(table, given)}
    return Entry(fields, _times(MAILBOX_TIMES, given, now), {IDENTITIES: {}, FORWARDINGS: {}})


def _with_children(domain: Domain, mailbox: Entry, where: str, given: Fields, now: datetime) -> Entry:
    for place, shown in _objects(f"{where}.", given, IDENTITIES):
        with _at(place):
            identity = _identity(domain, shown)
        mailbox = mailbox.with_child(IDENTITIES, str(identity.fields["local_part"]), identity)
    for place, shown in _objects(f"{where}.", given, FORWARDINGS):
        with _at(place):
            forwarding = _forwarding(shown, now)
            address = str(forwarding.fields["address"])
            if address in mailbox.children[FORWARDINGS]:
                raise BadRequest("the forwarding occurs twice")
        mailbox = mailbox.with_child(FORWARDINGS, address, forwarding)
    return mailbox


def _identity(domain: Domain, given: Fields) -> Entry:
    _refuse_unknown(given, (*IDENTITY, *_NAMING))
    _require(given, "name")
    return Entry({**_claimed(domain, given), **defaults(IDENTITY), **written(IDENTITY, given)})


def _forwarding(given: Fields, now: datetime) -> Entry:
    _refuse_unknown(given, ("address", *FORWARDING, *FORWARDING_TIMES))
    fields = {"address": external_address(given.get("address")), **defaults(FORWARDING), **written(FORWARDING, given)}
    return Entry(fields, _times(FORWARDING_TIMES, given, now))


def _alias(domain: Domain, given: Fields) -> Entry:
    _refuse_unknown(given, (*ALIAS, *_NAMING, "destinations"))
    goals = some_destinations(given.get("destinations"), domain.name)
    return Entry({**_claimed(domain, given), **defaults(ALIAS), **written(ALIAS, given), "destinations": goals})


def _rewrite(domain: Domain, given: Fields) -> Entry:
    _refuse_unknown(given, (*REWRITE, "domain_name"))
    _require(given, "name", "local_part_rule")
    _refuse_contradiction(given, {"domain_name": domain.name})
    goals = some_destinations(given.get("destinations"), domain.name)
    named = {"domain_name": domain.name}
    return Entry({**named, **defaults(REWRITE), **written(REWRITE, given), "destinations": goals})


def _claimed(domain: Domain, given: Fields) -> dict[str, Json]:
    named = domain.claim(given.get("local_part"))
    _refuse_contradiction(given, named)
    return named


def _refuse_contradiction(given: Fields, named: Fields) -> None:
    for name in ("domain_name", "address"):
        if given.get(name, named.get(name)) != named.get(name):
            raise BadRequest(f"{name} contradicts the local part and the domain it stands in")


def _times(names: tuple[str, ...], given: Fields, now: datetime) -> Times:
    return {name: _instant(name, given.get(name), now) for name in names}


def _instant(name: str, shown: Json, now: datetime) -> datetime | None:
    """Read a time as Migadu displays it; what it does not show of the instant is lost."""
    if shown is None:
        return None
    try:
        if ":" in str(shown):
            clock = datetime.strptime(str(shown), "%H:%M").replace(tzinfo=UTC)
            return datetime.combine(now.date(), clock.timetz())
        return datetime.strptime(str(shown), "%d/%m/%y").replace(tzinfo=UTC)
    except ValueError as error:
        raise BadRequest(f"{name} is written neither HH:MM nor dd/mm/yy") from error


def _require(given: Fields, *names: str) -> None:
    for name in names:
        if name not in given:
            raise BadRequest(f"the {name} is missing")


def _refuse_unknown(given: Fields, known: tuple[str, ...]) -> None:
    for name in given:
        if name not in known:
            raise BadRequest(f"unknown field {name!r}")


def _objects(prefix: str, given: Fields, key: str) -> Iterator[tuple[str, Fields]]:
    """Yield the objects of a list, each with its place in the document."""
    with _at(prefix.removesuffix(".") or "the seed"):
        values = given.get(key, [])
        if not isinstance(values, list):
            raise BadRequest(f"{key} is not a list")
    for number, value in enumerate(values):
        place = f"{prefix}{key}[{number}]"
        with _at(place):
            shown = _object(value)
        yield place, shown


def _object(value: Json) -> Fields:
    if isinstance(value, dict):
        return value
    raise BadRequest("this is not an object")


@contextmanager
def _at(where: str) -> Iterator[None]:
    try:
        yield
    except BadRequest as refusal:
        raise InvalidSeed(f"{where}: {refusal}") from refusal
