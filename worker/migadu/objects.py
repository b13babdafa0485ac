"""From wire objects to ``worker.mail`` values. What nobody here knows is kept as it came, under ``other``."""

from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import TypeVar

from worker.mail import WRITABLE_FIELDS, Alias, Domain, Forwarding, Identity, Mailbox, Rewrite
from worker.mail.fields import ALIAS_FIELDS, DOMAIN_FIELDS, FORWARDING_FIELDS, IDENTITY_FIELDS
from worker.migadu import reading
from worker.migadu.answers import MalformedAnswer, Object

T = TypeVar("T")

_NAMING = ("address", "local_part", "domain_name", "domain", "name")


def mailbox(found: Object) -> Mailbox:
    """Return the mailbox that a wire object shows, with all that belongs to it."""
    return Mailbox(
        address=reading.own_address(found),
        name=_name(found),
        fields=reading.fields(found, WRITABLE_FIELDS),
        identities=frozenset(listed(found, "identities", identity)),
        forwardings=frozenset(listed(found, "forwardings", forwarding)) if "forwardings" in found else frozenset(),
        other=_other(found, WRITABLE_FIELDS, ("identities", "forwardings")),
    )


def identity(found: Object) -> Identity:
    """Return the identity that a wire object shows."""
    return Identity(
        address=reading.own_address(found),
        name=_name(found),
        password_use=reading.text(found, "password_use"),
        fields=reading.fields(found, IDENTITY_FIELDS),
        other=_other(found, IDENTITY_FIELDS, ("password_use",)),
    )


def forwarding(found: Object) -> Forwarding:
    """Return the forwarding that a wire object shows."""
    return Forwarding(
        address=reading.own_address(found),
        confirmed_at=reading.text(found, "confirmed_at"),
        confirmation_sent_at=reading.text(found, "confirmation_sent_at"),
        blocked_at=reading.text(found, "blocked_at"),
        fields=reading.fields(found, FORWARDING_FIELDS),
        other=_other(found, FORWARDING_FIELDS, ("confirmed_at", "confirmation_sent_at", "blocked_at")),
    )


def alias(found: Object) -> Alias:
    """Return the alias that a wire object shows."""
    own = reading.own_address(found)
    return Alias(
        address=own,
        destinations=reading.destinations(found, own.rpartition("@")[2]),
        fields=reading.fields(found, ALIAS_FIELDS),
        other=_other(found, ALIAS_FIELDS, ("destinations",)),
    )


def rewrite(found: Object) -> Rewrite:
    """Return the rewrite that a wire object shows."""
    domain_of_it = reading.domain(reading.own_domain(found))
    return Rewrite(
        domain=domain_of_it,
        name=_name(found),
        local_part_rule=reading.text(found, "local_part_rule") or "",
        destinations=reading.destinations(found, domain_of_it),
        order_num=reading.number(found, "order_num"),
        other=_other(found, ("local_part_rule", "destinations", "order_num")),
    )


def domain(found: Object) -> Domain:
    """Return the domain that a wire object shows."""
    # Documented samples show a number where a text is meant (`migadu-behaviour.md` 1.8).
    strictness = found.get("spam_aggressiveness")
    if isinstance(strictness, int | float) and not isinstance(strictness, bool):
        found = {**found, "spam_aggressiveness": str(strictness)}
    return Domain(
        name=reading.domain(reading.text(found, "name")),
        state=reading.text(found, "state"),
        fields=reading.fields(found, DOMAIN_FIELDS),
        other=_other(found, DOMAIN_FIELDS, ("state",)),
    )


def listed(found: Object, key: str, read: Callable[[Object], T]) -> list[T]:
    """Return all objects of an index or of an embedded list. A list that is missing is not an empty one."""
    found_there = found.get(key, "")
    if found_there is None:
        return []
    if not isinstance(found_there, list):
        raise MalformedAnswer(f"{key} is not a list")
    return [read(_as_object(each, key)) for each in found_there]


def _name(found: Object) -> str:
    return reading.text(found, "name") or ""


def _as_object(found: object, key: str) -> Object:
    if not isinstance(found, dict):
        raise MalformedAnswer(f"{key} holds something else than objects")
    return found


def _other(found: Object, *known: Iterable[str]) -> Object:
    read = {*_NAMING, *(name for names in known for name in names)}
    return MappingProxyType({name: value for name, value in found.items() if name not in read})
