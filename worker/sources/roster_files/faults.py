"""What is wrong with a roster file: where, and why; what stands there is never repeated."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong."""

    line: int | None
    """From 1; None where it is the file as a whole."""
    column: str | None
    """The header, where we know it, or the attribute; None where it is the row as a whole."""
    reason: str
    item: int | None = None
    """Of JSON, which object of the list it is, from 1: all of them may stand in one line."""

    def __str__(self) -> str:
        places = (("line", self.line), ("item", self.item), ("column", self.column))
        where = ", ".join(f"{what} {place}" for what, place in places if place)
        return f"{where}: {self.reason}" if where else self.reason


class FileBroken(ValueError):
    """Nothing behind this fault can be read."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault
