"""Events from a file: NDJSON, a JSON array or one object, decoded and not yet validated."""

import json
import sys
from pathlib import Path

from worker.cli.failed import Failed
from worker.sources import BodyInvalid
from worker.sources.body import parse


def read_events(name: str) -> list[object]:
    """Return the events of a file, or of standard input for ``-``. Raises Failed with file and line, OSError."""
    where = "standard input" if name == "-" else name
    raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Failed(f"{where} is not text in UTF-8") from error
    if not text.strip():
        raise Failed(f"{where} holds no event")
    whole = _whole(text)
    return _by_line(text, where) if whole is None else [_storable(one, where) for one in whole]


def _whole(text: str) -> list[object] | None:
    """Return the events of a text that is one JSON document; None where it may be NDJSON."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, list) else [document]


def _by_line(text: str, where: str) -> list[object]:
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    first = _whole(lines[0][1])
    if first is None:  # not NDJSON, so the fault is that of the whole document
        raise Failed(f"{where}: {_fault(text)}")
    return [_storable_text(line, f"{where}, line {number}") for number, line in lines]


def _fault(text: str) -> str:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"this is not JSON (line {error.lineno}, column {error.colno}): {error.msg}"
    except (ValueError, RecursionError):
        pass
    return "this is not JSON, or it is nested too deeply"


def _storable(one: object, where: str) -> object:
    return _storable_text(json.dumps(one), where)


def _storable_text(text: str, where: str) -> object:
    try:
        (one,) = parse(text.encode("utf-8", "surrogatepass"))
    except BodyInvalid as error:
        raise Failed(f"{where}: {str(error).replace('the body', 'the event')}") from error
    except ValueError as error:
        raise Failed(f"{where}: one event per line is expected") from error
    return one
