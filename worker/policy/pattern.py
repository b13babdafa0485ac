"""Patterns: texts with variables such as ``{given}.{family}``, read by our own small parser and nothing else.

They come from a file that people edit, so no expression language of Python ever sees them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

NAMES = ("given", "family", "middle", "preferred")
"""The names a pattern may use; each also as its first letter, written ``{given[0]}``."""

_PIECE = re.compile(r"\{([^{}]*)\}|([^{}]+)")
_VARIABLE = re.compile(rf"^(?:({'|'.join(NAMES)})(\[0\])?|n)$")
_LOCAL_LITERAL = re.compile(r"^[a-z0-9._+-]*$")
_LONGEST_LITERAL = 40
_ROOM_FOR_NUMBER = 4
_KNOWN = ", ".join(f"{{{name}}}" for name in (*NAMES, "n"))


@dataclass(frozen=True, slots=True)
class Variable:
    """A place in a pattern where a name or the number goes."""

    name: str
    """One of NAMES, or ``n``."""
    initial: bool = False
    """Only the first letter."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parsed pattern: literal texts and variables in order."""

    text: str
    pieces: tuple[str | Variable, ...]

    def __str__(self) -> str:
        return self.text

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The names it uses, in order, without the number."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Variable) and piece.name != "n")

    @property
    def numbered(self) -> bool:
        """It has a place for the number."""
        return Variable("n") in self.pieces

    @property
    def shortest(self) -> int:
        """The fewest characters that it can be filled to: a letter for each name, and room for any number.

        So also where it asks for none: the first pattern gets one at its end where all are without.
        """
        return len(self.literal) + len(self.variables) + _ROOM_FOR_NUMBER

    @property
    def literal(self) -> str:
        """All literal text together."""
        return "".join(piece for piece in self.pieces if isinstance(piece, str))

    def with_number(self) -> "Pattern":
        """Return the same pattern with the number at its end."""
        return replace(self, text=self.text + "{n}", pieces=(*self.pieces, Variable("n")))

    def render(self, values: Mapping[str, str]) -> str:
        """Return the text with every variable replaced; a value that is missing or empty leaves nothing."""
        return "".join(piece if isinstance(piece, str) else _value(piece, values) for piece in self.pieces)


def parse_pattern(text: object) -> Pattern:
    """Read a pattern. Raises ValueError with a sentence that names what is wrong."""
    if isinstance(text, Pattern):
        return text
    if not isinstance(text, str) or not text:
        raise ValueError("must be a text with variables such as {given}")
    pieces = list(_PIECE.finditer(text))
    if "".join(piece[0] for piece in pieces) != text:
        raise ValueError(f"{text!r} has a brace without its partner")
    return Pattern(text, tuple(piece[2] or _variable(piece[1]) for piece in pieces))


def parse_address_pattern(text: object) -> Pattern:
    """Read a pattern for local parts: at least one name, and only characters that a local part may hold."""
    pattern = parse_pattern(text)
    if not _LOCAL_LITERAL.match(pattern.literal):
        raise ValueError(f"{pattern.text!r} has a character that cannot stand in an address (use a-z 0-9 . _ + -)")
    if pattern.pieces.count(Variable("n")) > 1:
        raise ValueError(f"{pattern.text!r} has more than one {{n}}")
    if not pattern.variables:
        raise ValueError(f"{pattern.text!r} uses no name, so everybody would get the same address")
    if len(pattern.literal) > _LONGEST_LITERAL:
        raise ValueError(f"{pattern.text!r} leaves too little room for the name in 64 characters")
    return pattern


def parse_display_pattern(text: object) -> Pattern:
    """Read a pattern for display names: at least one name, no number, printable text."""
    pattern = parse_pattern(text)
    if pattern.numbered:
        raise ValueError("a display name has no number, so {n} cannot be used")
    if not pattern.variables or not pattern.literal.isprintable() or len(pattern.literal) > _LONGEST_LITERAL:
        raise ValueError(f"must use at least one name and at most {_LONGEST_LITERAL} printable characters beside it")
    return pattern


def _variable(text: str) -> Variable:
    known = _VARIABLE.match(text)
    if known is None:
        raise ValueError(f"{{{text}}} is not known; patterns know {_KNOWN} and first letters such as {{given[0]}}")
    return Variable(known[1] or "n", initial=known[2] is not None)


def _value(variable: Variable, values: Mapping[str, str]) -> str:
    value = values.get(variable.name, "")
    return value[:1] if variable.initial else value
