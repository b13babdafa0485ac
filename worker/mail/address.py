"""Addresses: full, lower-case, with the domain in punycode, which is how Migadu compares them.

An ``Address`` is a checked string. Only ``address`` makes one, so whoever holds an ``Address`` need not check again.
"""

import re
from typing import NewType

import idna

Address = NewType("Address", str)

# Dots may neither lead, trail nor double; 64 octets is RFC 5321's limit for a local part.
_LOCAL_PART = re.compile(r"(?!.{65})[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*")
# Not where an @ follows: that is a local part, which stays as it is (`migadu-behaviour.md` 2.19).
_PUNYCODE = re.compile(r"(?<![a-z0-9-])xn--[a-z0-9-]{1,59}(?![a-z0-9-])(?![a-z0-9_.+-]{0,64}@)")
_LONGEST_ADDRESS = 254  # RFC 5321, 4.5.3.1.3: a path of 256 octets less its angle brackets


class InvalidAddress(ValueError):
    """The text is not a mail address that Migadu could hold."""


def address(text: str) -> Address:
    """Return the checked form of a full address: trimmed, lower-case, domain in punycode (IDNA 2008).

    Local parts are treated lower-case and ASCII (`migadu-behaviour.md` 2.19, 2.20).
    Raises InvalidAddress with a sentence that names what is wrong.
    """
    local, at, domain = text.strip().lower().rpartition("@")
    if not at or not domain:
        raise InvalidAddress(f"{text.strip()!r} is not a full address (local@domain)")
    if not is_local_part(local):
        raise InvalidAddress(f"{local!r} is not a valid local part")
    checked = f"{local}@{domain_name(domain)}"
    if len(checked) > _LONGEST_ADDRESS:
        raise InvalidAddress(f"an address may have {_LONGEST_ADDRESS} characters, this one has {len(checked)}")
    return Address(checked)


def domain_name(text: str) -> str:
    """Return a domain lower-case and in punycode. Raises InvalidAddress if it is none."""
    try:
        name = idna.encode(text.strip().lower().rstrip("."), uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise InvalidAddress(f"{text.strip()!r} is not a valid domain: {error}") from error
    if "." not in name:
        raise InvalidAddress(f"{text.strip()!r} is not a full domain name")
    return name


def readable(text: str) -> str:
    """Return a text with every domain in it as people write it: in its own script instead of punycode.

    For what people read; what is compared, stored or sent stays as it is. What is no IDNA stays too.
    """
    return _PUNYCODE.sub(_in_its_script, text)


def _in_its_script(label: re.Match[str]) -> str:
    try:
        return idna.decode(label[0])
    except idna.IDNAError:
        return label[0]


def is_local_part(text: str) -> bool:
    """Tell whether this lower-case text may stand before the @."""
    return _LOCAL_PART.fullmatch(text) is not None


def local_part_of(full: Address) -> str:
    """Return what stands before the @."""
    return full.rpartition("@")[0]


def domain_of(full: Address) -> str:
    """Return the domain, in punycode."""
    return full.rpartition("@")[2]
