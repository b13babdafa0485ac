"""Where aliases, rewrites and catch-alls hand their mail: always to full addresses of their own domain."""

from worker.sandbox.fields import local_part, texts
from worker.sandbox.refusals import BadRequest
from worker.sandbox.wire import Json


def destinations(given: Json, domain: str) -> list[str]:
    """Read destinations, an array or a comma-separated text, into full addresses of the domain, each once.

    A foreign domain is silently replaced and a bare local part completed (`migadu-behaviour.md` 1.6); nobody checks
    that the address exists. Raises BadRequest if a local part is not valid.
    """
    addresses = [f"{_local_part_of(item)}@{domain}" for item in texts(given)]
    return list(dict.fromkeys(addresses))


def some_destinations(given: Json, domain: str) -> list[str]:
    """Read destinations where there must be at least one. Raises BadRequest if there is none, too."""
    addresses = destinations(given, domain)
    if not addresses:
        raise BadRequest("there are no destinations")
    return addresses


def _local_part_of(item: str) -> str:
    return local_part(item.rpartition("@")[0] if "@" in item else item)
