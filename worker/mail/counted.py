"""How many of what, in words that agree: every sentence that counts what a host holds, or those whose it is."""

from collections.abc import Sequence
from typing import Final

_IRREGULAR: Final = {"person": "people"}


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, which is given in the singular: "1 alias", "2 aliases"."""
    return f"{number} {agreeing(number, noun, _plural(noun))}"


def agreeing(number: int, one: str, many: str) -> str:
    """Return the word that agrees with a number: its verb, or what stands for the noun."""
    return one if number == 1 else many


def listed(words: Sequence[str]) -> str:
    """Return words as a list in a sentence: "one", "one and two", "one, two and three"."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _plural(noun: str) -> str:
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    if noun.endswith("y") and not noun.endswith(("ay", "ey", "oy")):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("x", "s")) else f"{noun}s"
