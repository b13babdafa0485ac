"""Reading single fields of wire objects.

Known variations of the host are evened out (`migadu-behaviour.md` 1.3 to 1.8): arrays or CSV, booleans as text or null,
whole numbers with a decimal point. A field of a wrong type is a MalformedAnswer, which quotes nothing.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType

from worker.mail import Address, FieldValue, InvalidAddress, domain_name
from worker.mail import address as checked
from worker.mail.fields import Table
from worker.migadu.answers import MalformedAnswer, Object

# Wider than what we make ourselves, other scripts too: the host is the authority on the addresses it holds, and leaves
# local parts alone (`migadu-behaviour.md` 2.19). Neither a leading dot nor a slash, or it could be read as a path.
_LOCAL_PART_AS_FOUND = re.compile(r"(?!\.)[^\s/@]{1,64}")
_TRUTHS: Mapping[object, bool] = MappingProxyType({"true": True, "false": False})


def fields(found: Object, table: Table) -> Mapping[str, FieldValue]:
    """Return those fields of the table that the object shows; null stays None, but a list that is null is empty."""
    return MappingProxyType({name: _READERS[kind](found, name) for name, kind in table.items() if name in found})


def text(found: Object, name: str) -> str | None:
    """Return a text, or None where it is null or missing."""
    value = found.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not _is_storable(value):
        raise MalformedAnswer(f"{name} is not a text")
    return value


def texts(found: Object, name: str) -> tuple[str, ...]:
    """Return a list of texts, given as an array or as CSV; what is null or missing is empty."""
    value = found.get(name)
    if value is None:
        return ()
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list):
        raise MalformedAnswer(f"{name} is not a list")
    read = [text({name: part}, name) or "" for part in parts]
    return tuple(part.strip() for part in read if part.strip())


def truth(found: Object, name: str) -> bool | None:
    """Return a boolean, or None where it is null or missing."""
    value = found.get(name)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and value in _TRUTHS:
        return _TRUTHS[value]
    raise MalformedAnswer(f"{name} is neither true nor false")


def number(found: Object, name: str) -> int | None:
    """Return a whole number, or None where it is null or missing."""
    value = found.get(name)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise MalformedAnswer(f"{name} is not a whole number")


def own_address(found: Object) -> Address:
    """Return the address that names an object, from ``address``, or else from its two halves."""
    whole = text(found, "address")
    if whole is None:
        whole = f"{text(found, 'local_part') or ''}@{own_domain(found)}"
    return address(whole)


def own_domain(found: Object) -> str:
    """Return the domain an object says it is on, as it came; empty where it says none."""
    return text(found, "domain_name") or text(found, "domain") or ""


def destinations(found: Object, domain: str) -> frozenset[Address]:
    """Return destinations as full addresses; those without a domain are on this one."""
    return frozenset(address(full if "@" in full else f"{full}@{domain}") for full in texts(found, "destinations"))


def address(full: str) -> Address:
    """Return an address, lower-case, as the host holds it; also one that we would not make ourselves."""
    with suppress(InvalidAddress):  # left behind, because its text is the address, and tracebacks show contexts
        return checked(full)
    return _address_as_found(full)


def domain(name: str | None) -> str:
    """Return a domain's name, lower-case and in punycode."""
    try:
        return domain_name(name or "")
    except InvalidAddress:
        raise MalformedAnswer("a name is no valid domain") from None  # the cause holds the name


_READERS: Mapping[type, Callable[[Object, str], FieldValue]] = {str: text, tuple: texts, bool: truth, int: number}


def _address_as_found(full: str) -> Address:
    local, _, its_domain = full.strip().lower().rpartition("@")
    if not local.isprintable() or not _LOCAL_PART_AS_FOUND.fullmatch(local):
        raise MalformedAnswer("an address has no valid local part")
    return Address(f"{local}@{domain(its_domain)}")


def _is_storable(value: str) -> bool:
    # JSON can carry NUL and half surrogates; no database takes either.
    return "\0" not in value and not any("\ud800" <= sign <= "\udfff" for sign in value)
