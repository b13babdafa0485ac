"""Texts that correspondents read (footers, automatic replies), with variables such as ``{preferred}`` or ``{title}``.

Read once by our own small parser. What is put in is never read again, so no fact can bring a variable of its own.
"""

import difflib
import html
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from worker.events import FACTS, FactValue
from worker.mail import Address
from worker.policy.names import Facts, names_of, one_line
from worker.policy.pattern import NAMES
from worker.policy.view import Manager

OF_TEXTS = frozenset({*NAMES, "displayName", "address", "manager.displayName", "manager.address"})
"""The variables that are not facts by their own name."""

# The address outside is for invitations only: it is never part of a plan, and no correspondent may learn it.
_NEVER = frozenset({"personalEmail"})
_PIECE = re.compile(r"(\{\{|\}\})|\{([^{}]*)\}|([^{}]+)")
_NAME = re.compile(rf"({'|'.join(NAMES)})\[0\]")


@dataclass(frozen=True, slots=True)
class Insertion:
    """A place in a text where something about a person goes."""

    name: str
    """One of OF_TEXTS, or the name of a fact."""
    initial: bool = False
    """Only the first letter."""


@dataclass(frozen=True, slots=True)
class Text:
    """A parsed text: literal pieces and insertions in order."""

    text: str
    pieces: tuple[str | Insertion, ...]

    def __str__(self) -> str:
        return self.text

    @property
    def insertions(self) -> tuple[Insertion, ...]:
        """What is put in, in order."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Insertion))

    def problems(self, facts: Collection[str]) -> Iterator[str]:
        """Yield a sentence for each variable that is known neither here, nor to events, nor among these facts."""
        known = (OF_TEXTS | FACTS | {*facts}) - _NEVER
        for name in dict.fromkeys(insertion.name for insertion in self.insertions):
            if name in _NEVER:
                yield f"{{{name}}} may not be used: it is never shown to anybody"
            elif name not in known:
                yield f"{{{name}}} is not known; {_mend(name, known)}"

    def render(self, facts: Facts, address: Address | None, manager: Manager | None, *, in_html: bool = False) -> str:
        """Return the text with every variable replaced; what is unknown, empty or has nobody to name leaves nothing.

        ``in_html`` writes what is put in so that it can only be text there. ``{displayName}`` is the fact of that name:
        the caller puts there what correspondents see. Never raises.
        """
        values = _special(facts, address, manager)
        return "".join(
            piece if isinstance(piece, str) else _escaped(_shown(piece, values, facts), in_html=in_html)
            for piece in self.pieces
        )


def parse_text(text: object) -> Text:
    """Read a text; ``{{`` and ``}}`` stand for braces. Raises ValueError with a sentence that names what is wrong."""
    if isinstance(text, Text):
        return text
    if not isinstance(text, str):
        raise ValueError("must be text")  # noqa: TRY004 - pydantic reports ValueErrors
    pieces = list(_PIECE.finditer(text))
    if "".join(piece[0] for piece in pieces) != text:
        raise ValueError("has a brace without its partner; write {{ or }} for a brace that shall be seen")
    return Text(text, tuple(_piece(piece) for piece in pieces))


def _piece(piece: re.Match[str]) -> str | Insertion:
    if piece[1]:
        return piece[1][0]
    if piece[3]:
        return piece[3]
    name = piece[2].strip()
    first_letter = _NAME.fullmatch(name)
    return Insertion(first_letter[1], initial=True) if first_letter else Insertion(name)


def _mend(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    if close:
        return f"did you mean {{{close[0]}}}?"
    names = ", ".join(f"{{{each}}}" for each in sorted(OF_TEXTS))
    return f"texts know {names} and every fact by its name"


def _special(facts: Facts, address: Address | None, manager: Manager | None) -> dict[str, str]:
    return names_of(facts).values() | {
        "address": address or "",
        "manager.displayName": manager.display_name if manager else "",
        "manager.address": manager.address if manager else "",
    }


def _shown(insertion: Insertion, values: dict[str, str], facts: Facts) -> str:
    name = insertion.name
    shown = values[name] if name in values else _written(facts.get(name))
    return one_line(shown[:1] if insertion.initial else shown)


def _written(value: FactValue) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case tuple():
            return ", ".join(value)
        case _:
            return str(value)


def _escaped(shown: str, *, in_html: bool) -> str:
    return html.escape(shown) if in_html else shown
