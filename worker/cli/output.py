"""What is shown: one JSON document, tables on a terminal, plain aligned lines elsewhere.

Nothing that a sender wrote may command a terminal: control characters are shown as a replacement mark.
"""

import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from worker.mail import readable

_STYLES: Final = {
    "done": "green",
    "ok": "green",
    "held": "yellow",
    "parked": "red",
    "broken": "bold red",
    "waiting": "cyan",
    "running": "cyan",
    "blocked": "yellow",
    "stopped": "yellow",
}
_NOTHING: Final = "-"
_UTC: Final = ZoneInfo("UTC")


def show_json(document: object) -> None:
    """Print one JSON document."""
    print(json.dumps(document, ensure_ascii=False, indent=2, default=str))


def say(line: str = "", *, style: str = "") -> None:
    """Print one line."""
    text = clean(line)
    if sys.stdout.isatty():
        Console(soft_wrap=True).print(Text(text, style=style))
    else:
        print(text, flush=True)


def warn(line: str) -> None:
    """Print one line to standard error."""
    print(clean(line), file=sys.stderr, flush=True)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print rows under their columns, or a sentence where there are none."""
    cells = [[clean(_written(value)) for value in row] for row in rows]
    if not cells:
        say(empty)
    elif sys.stdout.isatty():
        _show_rich(columns, cells)
    else:
        _show_plain(columns, cells)


def clean(text: str) -> str:
    """Return a text on one line, without control characters, and with domains in their own script."""
    return "".join(
        " " if each in "\n\r\t" else "�" if unicodedata.category(each) in ("Cc", "Cf", "Cs") else each
        for each in readable(text)
    )


def moment(at: datetime | str | None, zone: ZoneInfo = _UTC) -> str:
    """Return an instant for people: by the clock of a zone, which it names; a dash for none.

    ``at`` may be written as ``worker.web.objects.instant`` writes it.
    """
    if at is None:
        return _NOTHING
    local = (datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M} {zone.key}"


def _written(value: object) -> str:
    if isinstance(value, datetime):
        return moment(value)
    return _NOTHING if value is None or value == "" else str(value)


def _show_rich(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    table = Table(*columns, header_style="bold", box=None, pad_edge=False)
    for row in cells:
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    Console().print(table)


def _show_plain(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    lines = [[name.upper() for name in columns], *cells]
    widths = [max(cell_len(line[number]) for line in lines) for number in range(len(columns))]
    for line in lines:
        padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip())
