"""Rewrites of a domain: create, change, rename and delete, by Migadu's rules (`migadu-behaviour.md` 1.7 and 5).

Their names are keys of their own, apart from the addresses of the domain.
"""

from worker.sandbox.asked import Asked
from worker.sandbox.destinations import some_destinations
from worker.sandbox.entry import Entry
from worker.sandbox.fields import defaults, written
from worker.sandbox.objects import REWRITE
from worker.sandbox.refusals import BadRequest
from worker.sandbox.wire import Json
from worker.sandbox.world import Domain


def in_order(domain: Domain) -> dict[str, Entry]:
    """Return the rewrites by name, the lowest ``order_num`` first, as they are evaluated."""
    return dict(sorted(domain.rewrites.items(), key=lambda item: _order(item[1])))


def create_rewrite(asked: Asked) -> Entry:
    """Make a rewrite. Raises BadRequest: the name exists, name, rule or destinations are missing, bad field."""
    domain = asked.domain
    for required in ("name", "local_part_rule", "destinations"):
        if required not in asked.body:
            raise BadRequest(f"{required} is missing")
    fields = {"domain_name": domain.name, **defaults(REWRITE), **_changes(asked)}
    name = str(fields["name"])
    if name in domain.rewrites:
        raise BadRequest("there is a rewrite of this name")
    rewrite = Entry(fields)
    domain.rewrites[name] = rewrite
    return rewrite


def update_rewrite(asked: Asked, rewrite: Entry) -> Entry:
    """Change the fields that the body names; another name renames it. Raises BadRequest before that."""
    rewrites, old = asked.domain.rewrites, str(rewrite.fields["name"])
    changed = rewrite.changed(_changes(asked))
    name = str(changed.fields["name"])
    if name != old and name in rewrites:
        raise BadRequest("there is a rewrite of this name")
    if name != old:
        del rewrites[old]
    rewrites[name] = changed
    return changed


def delete_rewrite(asked: Asked, rewrite: Entry) -> None:
    """Delete a rewrite."""
    del asked.domain.rewrites[str(rewrite.fields["name"])]


def _changes(asked: Asked) -> dict[str, Json]:
    changes = written(REWRITE, asked.body)
    if "destinations" in asked.body:
        changes["destinations"] = some_destinations(asked.body["destinations"], asked.domain.name)
    return changes


def _order(rewrite: Entry) -> int:
    order = rewrite.fields["order_num"]
    return order if isinstance(order, int) else 0
