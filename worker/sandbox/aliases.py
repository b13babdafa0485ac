"""Aliases of a domain: create, change and delete, by Migadu's rules (`migadu-behaviour.md` 1.6 and 5)."""

from datetime import datetime

from worker.sandbox.destinations import destinations
from worker.sandbox.fields import defaults, refuse_past_days, written
from worker.sandbox.objects import ALIAS
from worker.sandbox.wire import Fields, Json
from worker.sandbox.world import Domain


def create_alias(domain: Domain, body: Fields, now: datetime) -> Fields:
    """Make an alias. Raises BadRequest: address taken or not valid, no destinations, bad field."""
    fields = {**defaults(ALIAS), "destinations": destinations(body.get("destinations"), domain.name)}
    fields |= _changes(body, {}, now)
    named = domain.claim(body.get("local_part"))
    domain.aliases[str(named["local_part"])] = {**named, **fields}
    return {**named, **fields}


def update_alias(domain: Domain, alias: Fields, body: Fields, now: datetime) -> Fields:
    """Change the fields that the body names; destinations are replaced as a whole. Raises BadRequest before that."""
    changed = {**alias, **_changes(body, alias, now)}
    if "destinations" in body:
        changed["destinations"] = destinations(body["destinations"], domain.name)
    domain.aliases[str(alias["local_part"])] = changed
    return changed


def delete_alias(domain: Domain, alias: Fields) -> None:
    """Delete an alias; its address is free again."""
    local = str(alias["local_part"])
    del domain.aliases[local]
    domain.taken.remove(local)


def _changes(body: Fields, current: Fields, now: datetime) -> dict[str, Json]:
    changes = written(ALIAS, body)
    refuse_past_days(changes, current, now.date())
    return changes
