"""Shared addresses and rewrites under one key: both hand mail to a list of people, and differ in little else.

The key of a shared address is the address; that of a rewrite says that it is one, because a rewrite may be called like
an address that exists beside it.
"""

from worker.mail.address import Address

SharedKey = str
"""``support@example.org``, or ``rewrite:support@example.org`` for the rewrite ``support`` of ``example.org``."""

_REWRITE = "rewrite:"


def rewrite_key(name_at_domain: str) -> SharedKey:
    """Return the key of a rewrite, given as NAME@DOMAIN. No address has this form."""
    return f"{_REWRITE}{name_at_domain}"


def is_rewrite(key: SharedKey) -> bool:
    """Tell whether a key is that of a rewrite."""
    return key.startswith(_REWRITE)


def called(key: SharedKey) -> str:
    """Return what people read of a key."""
    return f"rewrite {bare(key)}" if is_rewrite(key) else key


def bare(key: SharedKey) -> Address:
    """Return the shared address; of a rewrite NAME@DOMAIN, which has the form of an address and need not be one."""
    return Address(key.removeprefix(_REWRITE))
