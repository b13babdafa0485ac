"""Where aliases hand their mail: always to full addresses of their own domain."""

from worker.sandbox.fields import local_part, texts
from worker.sandbox.refusals import BadRequest
from worker.sandbox.wire import Json


def destinations(given: Json, domain: str) -> list[str]:
    """Read destinations, an array or a comma-separated text, into full addresses of the domain, each once.

    A foreign domain is silently replaced and a bare local part completed (`migadu-behaviour.md` 1.6); nobody checks
    that the address exists. Raises BadRequest if none is left or a local part is not valid.
    """
    addresses = [f"{_local_part_of(item)}@{domain}" for item in texts(given)]
    if not addresses:
        raise BadRequest("there are no destinations")
    return list(dict.fromkeys(addresses))


def _local_part_of(item: str) -> str:
    return local_part(item.rpartition("@")[0] if "@" in item else item)
