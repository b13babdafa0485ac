"""What is written on the command line: how values are read, and what is said of those that cannot be.

A wrong one is always told with itself and with what is expected in its place; the usage error around it names the
option or argument.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails

_DAY: Final = "%Y-%m-%d"
_TIMES: Final = (_DAY, "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")
_LARGEST_ID: Final = 2**63 - 1  # that either database can look for


def read_day(text: str) -> datetime:
    """Return the first instant of a day. Raises typer.BadParameter."""
    return _read(text, [_DAY], "day: write it as 2026-11-28")


def read_time(text: str) -> datetime:
    """Return the instant that a day or a time in UTC names. Raises typer.BadParameter."""
    return _read(text, _TIMES, "time: write it as 2026-11-28 or 2026-11-28T14:30, in UTC")


def read_id(written: str | int) -> int:
    """Return the id of something in the database. Raises typer.BadParameter."""
    with suppress(ValueError):
        if 0 <= int(written) <= _LARGEST_ID:
            return int(written)
    raise typer.BadParameter(f"{written!r} is no id: expected a whole number up to {_LARGEST_ID}")


def reword(error: typer.BadParameter) -> None:
    """Say in our words what is wrong with a value; Typer alone would say it in pydantic's."""
    if isinstance(error.__cause__, ValidationError):
        error.message = _reason(error.__cause__.errors()[0])


def _read(text: str, formats: Sequence[str], expected: str) -> datetime:
    for each in formats:
        with suppress(ValueError):
            return datetime.strptime(text, each).replace(tzinfo=UTC)
    raise typer.BadParameter(f"{text!r} is no {expected}")


def _reason(detail: ErrorDetails) -> str:
    given = repr(detail["input"])
    match detail["type"]:
        case "value_error":
            said = str(detail["ctx"]["error"])
        case "int_parsing" | "int_parsing_size":
            said = f"{given} is no whole number"
        case "float_parsing":
            said = f"{given} is no number"
        case "greater_than_equal":
            said = f"{given} is less than {detail['ctx']['ge']}"
        case "less_than_equal":
            said = f"{given} is more than {detail['ctx']['le']}"
        case _:
            said = f"{given} cannot be used: {detail['msg']}"
    return said
