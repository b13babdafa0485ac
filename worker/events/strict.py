"""What Python's JSON lets through and neither other parsers of JSON nor databases take."""

import math
import re

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""A NUL, or half of a surrogate pair."""


def flaw_of(content: object) -> str | None:
    """Return why a decoded JSON value cannot be kept, whatever it is nested in; None where it can.

    The sentence repeats no value.
    """
    unseen = [content]  # no recursion: what was decoded may be nested deeper than Python can follow
    while unseen:
        match unseen.pop():
            case float() as number if not math.isfinite(number):
                return "a finite number is expected"
            case str() as text if UNSTORABLE.search(text):
                return "must not hold control characters: a NUL or half of a surrogate pair"
            case list() as items:
                unseen += items
            case dict() as members:
                unseen += [*members, *members.values()]
            case _:
                pass
    return None
