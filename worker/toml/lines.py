"""Where a key stands in a TOML text, so that a problem can be shown with its line."""

import tomllib
from collections.abc import Iterator, Mapping

KeyPath = tuple[str | int, ...]
"""Names of tables and keys from the outside in; a number counts the entries of an array, from 0."""

Finding = tuple[KeyPath, str]
"""Where something is wrong, and what, as the end of a sentence."""


def lines_of(text: str) -> Mapping[KeyPath, int]:
    """Return the line (from 1) of every table and key of a valid TOML text; keys of inline tables have theirs too."""
    found: dict[KeyPath, int] = {}
    entries: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for line, statement, parsed in _statements(text):
        if statement.lstrip().startswith("["):
            table = _table(parsed, entries)
            for length in range(1, len(table) + 1):
                found.setdefault(table[:length], line)
        else:
            for path in _paths(parsed):
                found.setdefault(table + path, line)
    return found


def line_of(path: KeyPath, lines: Mapping[KeyPath, int]) -> int | None:
    """Return the line of a key, or of the nearest table around it; None if not even that is written down."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


def key_of(path: KeyPath) -> str:
    """Return a path as it is shown, such as ``groups[0].address``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def _statements(text: str) -> Iterator[tuple[int, str, dict[str, object]]]:
    """Yield each statement (a header, or a key with a value that may run over lines) with its first line."""
    first, statement = 1, ""
    for number, line in enumerate(text.splitlines(), start=1):
        statement += line + "\n"
        try:
            parsed = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue  # the value goes on in the next line
        if parsed:
            yield first, statement, parsed
        first, statement = number + 1, ""


def _table(parsed: Mapping[str, object], entries: dict[KeyPath, int]) -> KeyPath:
    """Return the path a header opens, and count it where it opens one more entry of an array of tables."""
    path: KeyPath = ()
    inner: object = parsed
    while isinstance(inner, dict) and inner:
        name, inner = next(iter(inner.items()))
        path = (*path, name)
        if isinstance(inner, list):
            entries[path] = entries.get(path, -1) + 1
        if path in entries:
            path = (*path, entries[path])
    return path


def _paths(parsed: object) -> Iterator[KeyPath]:
    if isinstance(parsed, dict):
        for name, inner in parsed.items():
            yield (name,)
            yield from ((name, *path) for path in _paths(inner))
