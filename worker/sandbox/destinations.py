"""Where aliases, rewrites and catch-alls hand their mail: always to full addresses of their own domain."""

from worker.sandbox.fields import local_part, read, texts
from worker.sandbox.refusals import BadRequest
from worker.sandbox.wire import Json


def destinations(given: Json, domain: str, field: str = "destinations") -> list[str]:
    """Read destinations, an array or a comma-separated text, into full addresses of the domain, each once.

    A foreign domain is silently replaced and a bare local part completed (`migadu-behaviour.md` 1.6); nobody checks
    that the address exists. Raises BadRequest, which names the field, if it is no list or a local part is not valid.
    """
    items = enumerate(read(field, texts, given))
    addresses = [f"{read(f'{field}[{number}]:', _local_part_of, item)}@{domain}" for number, item in items]
    return list(dict.fromkeys(addresses))


def some_destinations(given: Json, domain: str) -> list[str]:
    """Read destinations where there must be at least one. Raises BadRequest if there is none, too."""
    addresses = destinations(given, domain)
    if not addresses:
        raise BadRequest("there are no destinations")
    return addresses


def _local_part_of(item: Json) -> str:
    address = str(item)
    return local_part(address.rpartition("@")[0] if "@" in address else address)
