"""A row as it stands in a file: its line, and the cells under the attributes that they feed."""

from collections.abc import Mapping
from dataclasses import dataclass

from worker.sources.roster_files.faults import Fault


@dataclass(frozen=True, slots=True)
class Cell:
    """One value, and how its column is called."""

    column: str
    value: object
    """Text in CSV; any value in JSON."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row or object; columns that nobody asked for are left out."""

    line: int
    """At which it begins."""
    cells: Mapping[str, Cell]
    """By attribute, ``subject`` and ``status`` among them."""
    item: int | None = None
    """Of JSON, which object of the list it is, from 1."""

    def fault(self, reason: str, attribute: str | None = None) -> Fault:
        """Return what is wrong with a cell of this row, or with the row."""
        cell = self.cells.get(attribute) if attribute else None
        return Fault(self.line, cell.column if cell else None, reason, self.item)
