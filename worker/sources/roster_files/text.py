"""From bytes to lines of text: the encoding found out, every line bounded."""

import codecs
import io
from collections.abc import Iterator
from typing import BinaryIO

from worker.sources.roster_files.bounds import LONGEST_ROW
from worker.sources.roster_files.faults import Fault, FileBroken

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_CHUNK = 256 * 1024


def opened(file: BinaryIO, encoding: str | None) -> io.TextIOWrapper:
    """Return a file as text from its start, read through once to be sure of its encoding. Raises FileBroken.

    Whoever is done with it calls ``detach``.
    """
    named = encoding or _marked(file)
    if named is not None:
        if (line := _undecodable(file, named)) is not None:
            raise FileBroken(Fault(line, None, f"this is not text in {named}"))
    elif _undecodable(file, "utf-8") is None:
        named = "utf-8"
    elif (line := _undecodable(file, named := "cp1252")) is not None:
        raise FileBroken(Fault(line, None, "this is text neither in UTF-8 nor in Windows-1252: say its encoding"))
    file.seek(0)
    return io.TextIOWrapper(file, encoding=named, errors="strict", newline="")


def lines(text: io.TextIOWrapper) -> Iterator[str]:
    """Yield lines with their ends as they are. Raises FileBroken at one that is too long, or that no text has."""
    number = 0
    while line := text.readline(LONGEST_ROW + 1):
        number += 1
        if len(line) > LONGEST_ROW:
            raise FileBroken(Fault(number, None, f"the line is longer than {LONGEST_ROW:,} characters"))
        if "\0" in line:
            raise FileBroken(Fault(number, None, "there is a NUL, which no text has: say the encoding of the file"))
        yield line


def _marked(file: BinaryIO) -> str | None:
    file.seek(0)
    start = file.read(4)
    return next((name for mark, name in _MARKS if start.startswith(mark)), None)


def _undecodable(file: BinaryIO, encoding: str) -> int | None:
    """Return the line, about, at which a file is no text in an encoding; None where all of it is."""
    file.seek(0)
    decoder, line = codecs.getincrementaldecoder(encoding)("strict"), 1
    while chunk := file.read(_CHUNK):
        try:
            line += decoder.decode(chunk).count("\n")
        except UnicodeError as error:
            before = chunk[: error.start] if isinstance(error, UnicodeDecodeError) else b""
            return line + before.count(b"\n")
    try:
        decoder.decode(b"", final=True)
    except UnicodeError:
        return line
    return None
