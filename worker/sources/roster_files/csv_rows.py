"""CSV: rows under a header, the delimiter found out; quoted cells may hold line ends."""

import csv
from collections.abc import Iterator, Mapping, Sequence

from worker.sources.roster_files.bounds import LONGEST_ROW
from worker.sources.roster_files.columns import attributes_of, placed
from worker.sources.roster_files.faults import Fault, FileBroken
from worker.sources.roster_files.forms import FileSource
from worker.sources.roster_files.raw import Cell, RawRow

_DELIMITERS = (",", ";", "\t", "|")


def csv_rows(lines: Iterator[str], source: FileSource) -> Iterator[RawRow | Fault]:
    """Yield the rows below the header, and a fault for each that is none. Raises FileBroken where no more can be read.

    Rows without any character are passed over.
    """
    bounded = _Bounded(lines)
    start = next((line for line in bounded if line.strip()), None)
    if start is None:
        raise FileBroken(Fault(None, None, "the file is empty"))
    above = bounded.taken - 1
    header_lines = bounded.after(start)
    reader = _records(header_lines, bounded, source.delimiter or _delimiter(start, source))
    headers = next((record for _, record in reader), [])
    places = placed(headers, source, above + 1)
    for line, record in reader:
        if any(cell.strip() for cell in record):
            yield _row(above + line, record, headers, places)


class _Bounded:
    """The lines of a file, those of one record bounded together: a quote that never ends would swallow all."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._length = 0
        self.taken = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.taken += 1
        self._length += len(line)
        if self._length > LONGEST_ROW:
            why = f"the row that ends here is longer than {LONGEST_ROW:,} characters: a quote may lack its end"
            raise FileBroken(Fault(self.taken, None, why))
        return line

    def after(self, first: str) -> Iterator[str]:
        """Yield a line that was looked at, and then the others."""
        yield first
        yield from self

    def begin_record(self) -> None:
        """Count the next record's length from here."""
        self._length = 0


def _records(lines: Iterator[str], bounded: _Bounded, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the records with the number of the line at which each begins, from 1."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        begins = reader.line_num + 1
        bounded.begin_record()
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            why = "a quote lacks its end" if "unexpected end" in str(error) else "this is no CSV: mind its quotes"
            raise FileBroken(Fault(bounded.taken, None, why)) from None  # the cause may quote a cell
        yield begins, record


def _delimiter(header: str, source: FileSource) -> str:
    """Return the delimiter under which most columns of the header are known, then the one that makes most of them."""

    def score(delimiter: str) -> tuple[int, int]:
        try:
            headers = next(csv.reader([header], delimiter=delimiter), [])
        except csv.Error:
            return 0, 0
        return sum(bool(attributes_of(each, source)) for each in headers), len(headers)

    return max(_DELIMITERS, key=score)


def _row(line: int, record: Sequence[str], headers: Sequence[str], places: Mapping[str, int]) -> RawRow | Fault:
    if len(record) != len(headers):
        return Fault(line, None, f"the row has {len(record)} cells, the header {len(headers)}")
    return RawRow(line, {name: Cell(headers[place], record[place]) for name, place in places.items()})
