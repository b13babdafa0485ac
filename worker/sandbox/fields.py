"""Reading single fields as Migadu takes them: lenient in form, strict in what the form may say.

A reader turns what was sent into what will be shown, or raises BadRequest. Reasons never repeat a value.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TypeVar

from worker.sandbox.refusals import BadRequest
from worker.sandbox.wire import Fields, Json

Reader = Callable[[Json], Json]
T = TypeVar("T")

_LOCAL_PART = re.compile(r"(?!.{65})[a-z0-9_+-]+(\.[a-z0-9_+-]+)*")
_EXTERNAL_LOCAL_PART = re.compile(r"[^\s@,]{1,64}")
_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_DOMAIN_NAME = re.compile(rf"(?!.{{254}}){_LABEL}(\.{_LABEL})+")
_SLUG = re.compile(r"(?!.{65})[a-z0-9][a-z0-9_.+-]*")
_RULE = re.compile(r"[^\s@,]{1,64}")
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object: how it is read, and what it holds where nobody said anything."""

    read: Reader
    default: Json = None
    blank_keeps: bool = False
    """An empty or null value means "not given": clients send zero values for all keys (`migadu-behaviour.md` 2.17)."""


Table = Mapping[str, Field]


def defaults(table: Table) -> dict[str, Json]:
    """Return every field of the table with its default."""
    return {name: field.default for name, field in table.items()}


def written(table: Table, body: Fields) -> dict[str, Json]:
    """Return those fields of the table that the body changes, as they will be shown; other keys are ignored.

    Read-only and unknown keys are answered with 200 and change nothing (`migadu-behaviour.md` 2.16). Raises BadRequest.
    """
    changes: dict[str, Json] = {}
    for name in table.keys() & body.keys():
        field, value = table[name], body[name]
        if field.blank_keeps and value in (None, ""):
            continue
        changes[name] = read(name, field.read, value)
    return changes


def read(name: str, reader: Callable[[Json], T], value: Json) -> T:
    """Read the value of one field. Raises BadRequest, which names the field."""
    try:
        return reader(value)
    except BadRequest as refusal:
        raise BadRequest(f"{name} {refusal}") from refusal


def flag(value: Json) -> bool | None:
    """Read a boolean; Migadu's own example sends the text "true", and reads show null (`migadu-behaviour.md` 1.3)."""
    if value is None or isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise BadRequest("is not a boolean")


def text(value: Json) -> str | None:
    """Read a text or null."""
    if value is None or isinstance(value, str):
        return value
    raise BadRequest("is not a text")


def display_name(value: Json) -> str:
    """Read a name, which may not be empty (`migadu-behaviour.md` 1.4)."""
    if isinstance(value, str) and value.strip():
        return value
    raise BadRequest("is empty or not a text")


def texts(value: Json) -> list[str]:
    """Read a list given as array or as comma-separated text; it is always shown as an array."""
    if value is None:
        return []
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list):
        raise BadRequest("is neither an array nor a comma-separated text")
    for number, item in enumerate(items):
        if not isinstance(item, str):
            raise BadRequest(f"holds something that is not a text at [{number}]")
    return [item.strip() for item in items if item.strip()]


def day(value: Json) -> str | None:
    """Read a date; a full ISO instant is accepted and shown as its day (`migadu-behaviour.md` 1.5)."""
    if value in (None, ""):
        return None
    if not isinstance(value, str):
        raise BadRequest("is not a date")
    try:
        return date.fromisoformat(value.partition("T")[0]).isoformat()
    except ValueError as error:
        raise BadRequest("is not a date") from error


def count(value: Json) -> int:
    """Read a number of messages, or a place in an order."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST:
        return value
    raise BadRequest("is not a whole number from 0 on")


def amount(value: Json) -> float:
    """Read a size, which Migadu shows with a decimal point even when it is whole (`migadu-behaviour.md` 1.3)."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LARGEST:
        return float(value)
    raise BadRequest("is not a number from 0 on")


def choice(of: type[StrEnum]) -> Reader:
    """Return the reader of a field that holds one of a few words."""

    def read(value: Json) -> str:
        if isinstance(value, str) and value in set(of):
            return value
        raise BadRequest(f"is none of {', '.join(of)}")

    return read


def local_part(value: Json) -> str:
    """Read what stands before the @; local parts are lower-case (`migadu-behaviour.md` 2.20)."""
    if isinstance(value, str) and _LOCAL_PART.fullmatch(value.strip().lower()):
        return value.strip().lower()
    raise BadRequest("the local part is missing or not valid")


def external_address(value: Json) -> str:
    """Read an address anywhere. It is the key of a forwarding, so it is kept in lower case."""
    if isinstance(value, str):
        local, _, domain = value.strip().lower().rpartition("@")
        if _EXTERNAL_LOCAL_PART.fullmatch(local) and _DOMAIN_NAME.fullmatch(domain):
            return f"{local}@{domain}"
    raise BadRequest("the address is missing or not valid")


def domain_name(value: Json) -> str:
    """Read the name of a domain, which is written in punycode (`migadu-behaviour.md` 2.19)."""
    if isinstance(value, str) and _DOMAIN_NAME.fullmatch(value.lower()):
        return value.lower()
    raise BadRequest("the name is missing or no domain (in punycode)")


def slug(value: Json) -> str:
    """Read the name of a rewrite, which is its key (`migadu-api.txt`, Rewrites)."""
    if isinstance(value, str) and _SLUG.fullmatch(value.lower()):
        return value.lower()
    raise BadRequest("is missing or no slug")


def rule(value: Json) -> str:
    """Read the pattern of a rewrite. The API seems not to insist on a star (`migadu-behaviour.md` 1.7)."""
    if isinstance(value, str) and _RULE.fullmatch(value):
        return value.lower()
    raise BadRequest("is missing or no pattern of a local part")


def refuse_past_days(changes: Fields, current: Fields, today: date) -> None:
    """Raise BadRequest where a date is set to today or earlier; sending back what is there is no change.

    Expiry dates must lie in the future (`migadu-behaviour.md` 2.18).
    """
    for name in ("expires_on", "autorespond_expires_on"):
        value = changes.get(name)
        if isinstance(value, str) and value != current.get(name) and date.fromisoformat(value) <= today:
            raise BadRequest(f"{name} is not in the future")
