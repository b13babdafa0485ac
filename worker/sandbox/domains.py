"""Domains: create, change and activate, by Migadu's rules (`migadu-behaviour.md` 1.1, 1.8 and 5). None is deleted."""

from worker.sandbox.asked import Asked
from worker.sandbox.destinations import destinations
from worker.sandbox.entry import Entry
from worker.sandbox.fields import defaults, domain_name, flag, read, written
from worker.sandbox.objects import ALIAS, DOMAIN, DOMAIN_SHOWN, DOMAIN_TIMES
from worker.sandbox.refusals import BadRequest, DnsCheckFailed
from worker.sandbox.wire import Fields, Json
from worker.sandbox.world import Domain

_DEFAULT_ADDRESSES = ("postmaster", "abuse", "admin")


def create_domain(asked: Asked) -> Entry:
    """Make a domain, inactive until its DNS is right. Raises BadRequest: it exists, no name, hosted DNS, bad field."""
    name = domain_name(asked.body.get("name"))
    if name in asked.world.domains:
        raise BadRequest("there is a domain of this name")
    fields = {"name": name, **defaults(DOMAIN_SHOWN), "state": "inactive", **defaults(DOMAIN)}
    domain = Domain(Entry({**fields, **_changes(asked.body, name)}, dict.fromkeys(DOMAIN_TIMES)), dns_ok=False)
    if read("create_default_addresses", flag, asked.body.get("create_default_addresses")):
        _add_default_addresses(domain)
    asked.world.domains[name] = domain
    return domain.entry


def update_domain(asked: Asked) -> Entry:
    """Change the fields that the body names, and no others. Raises BadRequest before anything is changed."""
    domain = asked.domain
    domain.entry = domain.entry.changed(_changes(asked.body, domain.name))
    return domain.entry


def activate_domain(asked: Asked) -> Entry:
    """Make a domain active; one that is active stays as it is. Raises DnsCheckFailed while its DNS is not right."""
    domain = asked.domain
    if not domain.dns_ok:
        raise DnsCheckFailed("the domain's DNS is not right")
    if not domain.is_active:
        domain.entry = domain.entry.changed({"state": "active"}, activated_at=asked.now, deactivated_at=None)
    return domain.entry


def _add_default_addresses(domain: Domain) -> None:
    """Make the three addresses that every domain should have. That they go to its ``admin`` is assumed."""
    for local in _DEFAULT_ADDRESSES:
        fields = {**domain.claim(local), **defaults(ALIAS), "destinations": [f"admin@{domain.name}"]}
        domain.aliases[local] = Entry(fields)


def _changes(body: Fields, name: str) -> dict[str, Json]:
    if read("hosted_dns", flag, body.get("hosted_dns")):
        raise BadRequest("hosted_dns cannot be had")
    changes = written(DOMAIN, body)
    if "catchall_destinations" in body:
        changes["catchall_destinations"] = destinations(body["catchall_destinations"], name, "catchall_destinations")
    return changes
