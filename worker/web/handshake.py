"""The handshake of CloudEvents over webhooks (version 1.0, section 4): a sender asks with OPTIONS before it delivers.

It grants nothing: each delivery still proves who sent it. The address of a callback is never called, because anybody
may name one.
"""

import re
from collections.abc import Mapping

from starlette.responses import Response

from worker.web.problems import Problem

_ORIGIN = re.compile(r"[A-Za-z0-9.:_-]{1,253}")
_RATE = re.compile(r"[1-9][0-9]{0,8}")


def agree(headers: Mapping[str, str], *, willing: bool = True) -> Response:
    """Return the consent to a sender's deliveries. Raises Problem 405 for OPTIONS that ask for none, 400."""
    origin, rate = headers.get("webhook-request-origin"), headers.get("webhook-request-rate")
    if origin is None or not willing:
        raise Problem(405, "this path does not accept this method", headers={"Allow": "POST"})
    if not _ORIGIN.fullmatch(origin) or (rate is not None and not _RATE.fullmatch(rate)):
        raise Problem(400, "WebHook-Request-Origin must be a host's name, WebHook-Request-Rate a number per minute")
    return Response(
        headers={"Allow": "POST, OPTIONS", "WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": rate or "*"}
    )
