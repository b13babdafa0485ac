"""Aliases of a domain: create, change and delete, by Migadu's rules (`migadu-behaviour.md` 1.6 and 5)."""

from datetime import datetime

from worker.sandbox.asked import Asked
from worker.sandbox.destinations import some_destinations
from worker.sandbox.entry import Entry
from worker.sandbox.fields import defaults, refuse_past_days, written
from worker.sandbox.objects import ALIAS
from worker.sandbox.wire import Fields, Json


def create_alias(asked: Asked) -> Entry:
    """Make an alias. Raises BadRequest: address taken or not valid, no destinations, bad field."""
    domain, body = asked.domain, asked.body
    fields = {**defaults(ALIAS), "destinations": some_destinations(body.get("destinations"), domain.name)}
    fields |= _changes(body, {}, asked.now)
    named = domain.claim(body.get("local_part"))
    alias = Entry({**named, **fields})
    domain.aliases[str(named["local_part"])] = alias
    return alias


def update_alias(asked: Asked, alias: Entry) -> Entry:
    """Change the fields that the body names; destinations are replaced as a whole. Raises BadRequest before that."""
    changes = _changes(asked.body, alias.fields, asked.now)
    if "destinations" in asked.body:
        changes["destinations"] = some_destinations(asked.body["destinations"], asked.domain.name)
    changed = alias.changed(changes)
    asked.domain.aliases[str(alias.fields["local_part"])] = changed
    return changed


def delete_alias(asked: Asked, alias: Entry) -> None:
    """Delete an alias; its address is free again."""
    local = str(alias.fields["local_part"])
    del asked.domain.aliases[local]
    asked.domain.taken.remove(local)


def _changes(body: Fields, current: Fields, now: datetime) -> dict[str, Json]:
    changes = written(ALIAS, body)
    refuse_past_days(changes, current, now.date())
    return changes
