"""Bodies of requests that a host accepts, each with a name of its own, and the few answers that many tests expect."""

from typing import Any
from uuid import uuid4

PASSWORD = "Sup3r_s3cr3T"  # the official text's own
LONG_AGO = "2020-01-01"
FAR_AHEAD = "2099-12-24"
BAD_REQUEST = (400, {"error": "bad request"})

Body = dict[str, Any]


def fresh(word: str) -> str:
    """Return a name that no other test uses."""
    return f"{word}-{uuid4().hex[:8]}"


def mailbox(**fields: Any) -> Body:
    """Return a mailbox with a password."""
    return {"local_part": fresh("ada"), "name": "Ada Lovelace", "password": PASSWORD, **fields}


def identity(**fields: Any) -> Body:
    """Return an identity without a password of its own."""
    return {"local_part": fresh("king"), "name": "Ada King", **fields}


def forwarding(**fields: Any) -> Body:
    """Return a forwarding to somebody else's domain."""
    return {"address": f"{fresh('ada')}@home.example", **fields}


def alias(**fields: Any) -> Body:
    """Return an alias with two destinations, given as local parts."""
    return {"local_part": fresh("team"), "destinations": ["one", "two"], **fields}


def rewrite(**fields: Any) -> Body:
    """Return a rewrite with a pattern and two destinations, given as local parts."""
    name = fresh("demo")
    return {"name": name, "local_part_rule": f"{name}-*", "destinations": ["one", "two"], **fields}
