"""Between wire objects and ``worker.mail`` values, in both directions.

Known variations of the host are evened out (`migadu-behaviour.md` 1.3 to 1.6): ``domain`` or ``domain_name``, arrays or
CSV, booleans as text or null. Unknown fields are ignored; a known field of a wrong type is a MalformedAnswer.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

from worker.mail import ACCESS_FLAGS, WRITABLE_FIELDS, Address, Alias, FieldValue, Identity, InvalidAddress, Mailbox
from worker.mail import address as checked
from worker.mail.address import domain_name
from worker.migadu.answers import MalformedAnswer, Object

MAILBOX_FIELDS: Mapping[str, type] = MappingProxyType({"name": str, **WRITABLE_FIELDS})
"""The fields of a mailbox that a write changes, the password apart, with the type each holds."""

IDENTITY_FIELDS: Mapping[str, type] = MappingProxyType(
    {
        "name": str,
        "password_use": str,
        **dict.fromkeys(ACCESS_FLAGS, bool),
        "footer_active": bool,
        "footer_plain_body": str,
        "footer_html_body": str,
    }
)
"""The fields of an identity that a write changes, the password apart (`migadu-behaviour.md` 1.4)."""

ALIAS_FIELDS: Mapping[str, type] = MappingProxyType({"destinations": tuple})

T = TypeVar("T")

# Wider than what we make ourselves: the host is the authority on the addresses it holds. Neither a leading dot nor a
# slash, so that it can never be read as another path.
_LOCAL_PART_AS_FOUND = re.compile(r"(?!\.)[!-.0-?A-~]{1,64}")
_TRUTHS: Mapping[object, bool] = MappingProxyType({"true": True, "false": False})


def mailbox(found: Object) -> Mailbox:
    """Return the mailbox that a wire object shows, with its embedded identities."""
    fields = {name: field(found, name, kind) for name, kind in WRITABLE_FIELDS.items() if name in found}
    identities = frozenset(listed(found, "identities", identity))
    return Mailbox(_own_address(found), _name(found), MappingProxyType(fields), identities)


def identity(found: Object) -> Identity:
    """Return the identity that a wire object shows."""
    return Identity(_own_address(found), _name(found), _text(found, "password_use"))


def alias(found: Object) -> Alias:
    """Return the alias that a wire object shows. Destinations without a domain are on the alias's own."""
    own = _own_address(found)
    domain = own.rpartition("@")[2]
    destinations = _texts(found, "destinations")
    return Alias(own, frozenset(_address(full if "@" in full else f"{full}@{domain}") for full in destinations))


def listed(found: Object, key: str, read: Callable[[Object], T]) -> list[T]:
    """Return all objects of an index or of an embedded list. A list that is missing is not an empty one."""
    objects = found.get(key, "")
    if objects is None:
        return []
    if not isinstance(objects, list):
        raise MalformedAnswer(f"{key} is not a list")
    return [read(_as_object(each, key)) for each in objects]


def field(found: Object, name: str, kind: type) -> FieldValue:
    """Return the value of one field that is present; null stays None, but an absent list is an empty one."""
    if kind is tuple:
        return _texts(found, name)
    if kind is bool:
        return _truth(found, name)
    if kind is int:
        return _number(found, name)
    return _text(found, name)


def body(changes: Mapping[str, FieldValue], fields: Mapping[str, type]) -> dict[str, object]:
    """Return the JSON object that writes these fields and no others, lists as arrays.

    Raises ValueError for a field that a write does not change: the host would answer 200 and ignore it
    (`migadu-behaviour.md` 2.16).
    """
    if strange := sorted(changes.keys() - fields.keys()):
        raise ValueError(f"no write changes {', '.join(strange)}")
    return {name: list(value) if isinstance(value, tuple) else value for name, value in changes.items()}


def _own_address(found: Object) -> Address:
    whole = _text(found, "address")
    if whole is None:
        domain = _text(found, "domain_name") or _text(found, "domain")
        whole = f"{_text(found, 'local_part') or ''}@{domain or ''}"
    return _address(whole)


def _address(text: str) -> Address:
    try:
        return checked(text)
    except InvalidAddress:
        return _address_as_found(text)


def _address_as_found(text: str) -> Address:
    local, _, domain = text.strip().lower().rpartition("@")
    try:
        domain = domain_name(domain)
    except InvalidAddress:
        raise MalformedAnswer("an address has no valid domain") from None  # the cause holds the address
    if not _LOCAL_PART_AS_FOUND.fullmatch(local):
        raise MalformedAnswer("an address has no valid local part")
    return Address(f"{local}@{domain}")


def _name(found: Object) -> str:
    return _text(found, "name") or ""


def _as_object(found: object, key: str) -> Object:
    if not isinstance(found, dict):
        raise MalformedAnswer(f"{key} holds something else than objects")
    return found


def _text(found: Object, name: str) -> str | None:
    value = found.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not _is_storable(value):
        raise MalformedAnswer(f"{name} is not a text")
    return value


def _is_storable(text: str) -> bool:
    # JSON can carry NUL and half surrogates; no database takes either.
    return "\0" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)


def _texts(found: Object, name: str) -> tuple[str, ...]:
    value = found.get(name)
    if value is None:
        return ()
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list):
        raise MalformedAnswer(f"{name} is not a list")
    texts = [_text({name: part}, name) or "" for part in parts]
    return tuple(text.strip() for text in texts if text.strip())


def _truth(found: Object, name: str) -> bool | None:
    value = found.get(name)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and value in _TRUTHS:
        return _TRUTHS[value]
    raise MalformedAnswer(f"{name} is neither true nor false")


def _number(found: Object, name: str) -> int | None:
    value = found.get(name)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise MalformedAnswer(f"{name} is not a whole number")
