"""Comparing what a mailbox's fields should hold with what the host shows of them."""

from collections.abc import Mapping

from worker.mail import ACCESS_FLAGS, DOORS, WRITABLE_FIELDS, FieldValue
from worker.mail.fields import took

RECOVERY = "password_recovery_email"
"""A person's own address: written when the mailbox is made, theirs to change afterwards, never shown."""

_EMPTY: Mapping[type, FieldValue] = {bool: False, str: "", tuple: ()}


def differing(wanted: Mapping[str, FieldValue], observed: Mapping[str, FieldValue]) -> tuple[str, ...]:
    """Return the names of the wanted fields that the host shows otherwise, sorted."""
    return tuple(
        sorted(name for name, value in wanted.items() if _as_read(name, value) != _as_read(name, observed.get(name)))
    )


def says_the_same(name: str, written: FieldValue, found: FieldValue) -> bool:
    """Tell whether the host still shows what was once written, its own way of showing it apart."""
    return _as_read(name, written) == _as_read(name, found) or took(name, written, found)


def doors_of(fields: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    """Return the doors of a mailbox or an identity as found; one that the host does not show is None."""
    return {door: fields.get(door) for door in DOORS}


def any_open(fields: Mapping[str, FieldValue]) -> bool:
    """Tell whether a door may let somebody in: only False is closed, ``null`` is not (`migadu-behaviour.md` 1.3)."""
    return any(value is not False for value in doors_of(fields).values())


def _as_read(name: str, value: FieldValue) -> FieldValue:
    """Return the value with the host's ``null`` and its order of lists made comparable."""
    if value is None:
        # An access flag nobody cleared is on; any other flag, text or list the host leaves out is off or empty.
        return True if name in ACCESS_FLAGS else _EMPTY.get(WRITABLE_FIELDS.get(name, type(None)))
    return tuple(sorted(value)) if isinstance(value, tuple) else value
