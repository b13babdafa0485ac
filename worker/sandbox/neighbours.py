"""Who may control the sandbox: somebody on this machine who means it, and no web page that somebody here looks at.

A page from elsewhere can have a browser on this machine send requests to it. Such a request carries the page's
``Origin``, or, where the page's own name was made to point here (DNS rebinding), a ``Host`` that is not this machine's.
"""

import ipaddress
from urllib.parse import urlsplit

from worker.sandbox.messages import Scope, header


def reason_against(scope: Scope) -> str | None:
    """Return a sentence that says why this request may not control the sandbox, None if it may."""
    if not _is_loopback((scope.get("client") or ("",))[0]):
        return "The sandbox's control answers loopback clients only."
    host, origin = header(scope, b"host"), header(scope, b"origin")
    if host is not None and not _names_loopback(f"//{host}"):
        return "The sandbox's control answers to this machine's own names only: localhost, 127.0.0.1, [::1]."
    if origin is not None and not _names_loopback(origin):
        return "The sandbox's control does not answer web pages of other machines."
    return None


def _names_loopback(url: str) -> bool:
    try:
        name = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return name == "localhost" or _is_loopback(name)


def _is_loopback(address: str) -> bool:
    try:
        peer = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = peer.ipv4_mapped if isinstance(peer, ipaddress.IPv6Address) else None
    return (mapped or peer).is_loopback
