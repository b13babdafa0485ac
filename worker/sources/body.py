"""Reading a body of JSON that anybody may have sent, so that nothing in it hurts before it is validated."""

import json
import re
from collections.abc import Iterator
from typing import NoReturn

MAX_EVENTS = 100
MAX_DEPTH = 20
"""Canonical events need four levels; the parser recurses, so the depth is known before it starts."""

# Strings are swallowed whole, so that brackets in them do not count; possessive, so that no input makes it slow.
_TOKENS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_ESCAPED = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
"""How alone a body of valid JSON holds what cannot be stored; in half of all surrogates it is a whole pair."""
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}


class BodyInvalid(ValueError):
    """The body is not one JSON object, or a list of up to 100, that could be stored. Never quotes the body."""


def parse(body: bytes) -> list[object]:
    """Return the events of a body: one JSON object, or the items of a list of 1 to 100.

    The items are not validated yet. Raises BodyInvalid with one sentence.
    """
    content = parse_json(body)
    events = content if isinstance(content, list) else [content]
    if not isinstance(content, list | dict):
        raise BodyInvalid("the body must be one event object or a list of them")
    if not 1 <= len(events) <= MAX_EVENTS:
        raise BodyInvalid(f"the body must hold 1 to {MAX_EVENTS} events, it holds {len(events)}")
    return events


def parse_json(body: bytes) -> object:
    """Return what a body of JSON holds, of bounded depth and storable. Raises BodyInvalid with one sentence."""
    content = _json(body)
    if _ESCAPED.search(body) and not all(map(_is_storable, _texts(content))):
        raise BodyInvalid("the body holds text that no database stores: a NUL or half of a surrogate pair")
    return content


def _json(body: bytes) -> object:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise BodyInvalid("the body is not UTF-8") from None  # the cause quotes the body
    if _is_deep(text):
        raise BodyInvalid(f"the body is nested deeper than {MAX_DEPTH} levels")
    try:
        content: object = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except ValueError as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise BodyInvalid(f"the body is not valid JSON{where}") from None  # as above
    return content


def _is_deep(text: str) -> bool:
    depth = 0
    for token in _TOKENS.finditer(text):
        depth += _STEPS.get(token[0], 0)
        if depth > MAX_DEPTH:
            return True
    return False


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if abs(number) != float("inf") else _refuse(text)


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for item in content:
            yield from _texts(item)
    elif isinstance(content, dict):
        for name, value in content.items():
            yield name
            yield from _texts(value)


def _is_storable(text: str) -> bool:
    return not re.search("[\0\ud800-\udfff]", text)
