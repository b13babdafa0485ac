"""How the stand-in says no. What the client hears is as bare as at Migadu; the reason is kept for the list of calls.

Refused
├── NotFound        404
├── BadRequest      400
└── DnsCheckFailed  422
"""

from typing import ClassVar

from worker.sandbox.wire import Fields


class Refused(Exception):
    """The call was refused. Its text is the reason, without values of fields, and is never sent to the client."""

    status = 400
    body: ClassVar[Fields] = {"error": "bad request"}


class NotFound(Refused):
    """There is no such domain, object or path (`migadu-behaviour.md` 2.4)."""

    status = 404
    body: ClassVar[Fields] = {"error": "not found"}


class BadRequest(Refused):
    """The call breaks a rule. Migadu does not say which one (`migadu-behaviour.md` 2.5)."""


class DnsCheckFailed(Refused):
    """A domain cannot be activated before its DNS is right (`migadu-behaviour.md` 1.8)."""

    status = 422
    body: ClassVar[Fields] = {"error": "dns_check_failed", "message": "The domain's DNS records are not set up yet."}
