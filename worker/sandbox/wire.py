"""JSON as it comes over the wire: what a value can be, bytes into a value and back."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import NoReturn, TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Fields: TypeAlias = Mapping[str, Json]

_write = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class Unreadable(ValueError):
    """This is not JSON that could be sent back: malformed, NaN or infinite, or half a surrogate pair.

    The text goes on from "this is", names the place, and repeats nothing of what was sent.
    """


def parse(raw: bytes) -> Json:
    """Read one JSON value, None where there is no body at all. Raises Unreadable."""
    if not raw:
        return None
    try:
        value: Json = json.loads(raw, parse_float=_finite, parse_constant=_refuse_constant)
        if b"\\ud" in raw.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise Unreadable(f"not JSON (line {error.lineno}, column {error.colno}: {error.msg.rstrip(': ')})") from error
    except UnicodeDecodeError as error:
        raise Unreadable(f"not JSON (byte {error.start + 1} is not {error.encoding.upper()})") from error
    except UnicodeEncodeError as error:
        raise Unreadable("not JSON (it holds half a surrogate pair)") from error
    except RecursionError as error:
        raise Unreadable("not JSON that can be read (it is nested too deeply)") from error
    except ValueError as error:
        raise Unreadable(f"not JSON ({error})") from error
    return value


def dump(value: Json) -> bytes:
    """Write a value as JSON."""
    return _write(value).encode()


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
