"""Cutting a JSON document into the items of its list while it is read, so that it is never held as a whole."""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from worker.sources.roster_files.bounds import LONGEST_ROW
from worker.sources.roster_files.faults import Fault, FileBroken

# A string without its end is one piece: it may go on in the next chunk. Possessive, so that no input makes it slow.
_TOKENS = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)?|[\[\]{}:,]|[^\s"\[\]{}:,]++', re.DOTALL)
_ALONE = frozenset("[]{}:,")
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Item:
    """The text of one value, where it begins, and which of the list it is."""

    line: int
    text: str
    number: int | None = None


def items(text: io.TextIOBase, wanted: str | None) -> Iterator[Item]:
    """Yield the items of a list, or of the list in an object: the one under the key wanted, else its only one.

    Raises FileBroken where the document is neither, or ends before its end. Items are not parsed.
    """
    cutter = _Cutter(wanted)
    for line, piece in _tokens(text):
        cutter.line = line
        if (item := cutter.take(piece)) is not None:
            yield item
    cutter.close()


@dataclass(slots=True)
class _Cutter:
    """Walks over tokens: first to the list, then from item to item, then to the end."""

    wanted: str | None
    line: int = 1
    depth: int = 0
    top: int = 1
    """How deep the list itself lies: 1, or 2 in an object."""
    in_list: bool = False
    lists: int = 0
    key: str | None = None
    parts: list[str] = field(default_factory=list)
    length: int = 0
    begins: int = 1
    ended: int = 0

    def take(self, piece: str) -> Item | None:
        """Take one piece, and return the item that ends with it."""
        if self.in_list:
            return self._within_list(piece)
        if self.depth:
            self._within_object(piece)
        elif self.lists or self.top == 2:
            raise self._broken("there is something behind the document")
        else:
            self._begin(piece)
        return None

    def close(self) -> None:
        """Raise FileBroken unless the document was whole and had its list."""
        if self.depth or not (self.lists or self.top == 2):
            raise self._broken("the document ends before its end: it may be cut off")
        if not self.lists:
            why = "the object holds no list" if self.wanted is None else f"the object holds no list {self.wanted!r}"
            raise FileBroken(Fault(None, None, why))

    def _begin(self, piece: str) -> None:
        if piece not in {"[", "{"}:
            raise self._broken("a list of objects, or an object that holds one, is expected")
        self.depth = 1
        if piece == "[":
            self.in_list, self.lists = True, 1
        else:
            self.top = 2

    def _within_object(self, piece: str) -> None:
        if self.depth == 1 and piece.startswith('"'):
            self.key = self.key or piece
        elif self.depth == 1 and piece == ",":
            self.key = None
        elif self.depth == 1 and piece == "[" and self._is_wanted():
            self.in_list, self.lists = True, self.lists + 1
            if self.lists > 1:
                raise self._broken("the object holds several lists: say which with `items`")
        self._descend(piece)

    def _is_wanted(self) -> bool:
        return self.wanted is None or self.key == json.dumps(self.wanted, ensure_ascii=False)

    def _within_list(self, piece: str) -> Item | None:
        if self.depth == self.top and piece in {",", "]"}:
            return self._end(piece)
        if not self.parts:
            self.begins = self.line
        self._descend(piece)
        self.parts.append(piece)
        self.length += len(piece)
        if self.length > LONGEST_ROW:
            raise FileBroken(Fault(self.begins, None, f"the item is longer than {LONGEST_ROW:,} characters"))
        return None

    def _end(self, piece: str) -> Item | None:
        self.ended += 1
        item = Item(self.begins, " ".join(self.parts), self.ended) if self.parts else None
        if item is None and piece == ",":
            raise self._broken("a comma stands where an object is expected")
        self.parts, self.length = [], 0
        if piece == "]":
            self.in_list, self.depth = False, self.depth - 1
        return item

    def _descend(self, piece: str) -> None:
        self.depth += (piece in {"[", "{"}) - (piece in {"]", "}"})
        if self.depth < (self.top if self.in_list else 0):
            raise self._broken("a bracket is closed that is not open")

    def _broken(self, reason: str) -> FileBroken:
        return FileBroken(Fault(self.line, None, reason))


def _tokens(text: io.TextIOBase) -> Iterator[tuple[int, str]]:
    """Yield the tokens with the number of their line; one that is longer than a row may be is a fault."""
    rest, line = "", 1
    while chunk := text.read(_CHUNK):
        rest, at = rest + chunk, 0
        for found in _TOKENS.finditer(rest):
            if found.end() == len(rest) and found[0] not in _ALONE:
                break  # it may go on
            line += rest.count("\n", at, found.start())
            at = found.start()
            yield line, found[0]
            line += rest.count("\n", at, found.end())
            at = found.end()
        begun = rest[at:].lstrip()  # blanks are let go, or any number of them would be gone through with each piece
        line += rest.count("\n", at, len(rest) - len(begun))
        rest = begun
        if len(rest) > LONGEST_ROW:
            raise FileBroken(Fault(line, None, f"the item is longer than {LONGEST_ROW:,} characters"))
    if rest:
        yield line, rest.rstrip()
