"""What a file looks like from outside: enough to tell whether somebody wrote to it."""

import os
from pathlib import Path

Sight = tuple[int, int, int]
"""Inode, size and time of a file: when none has changed, nobody has written."""


def sight_of(seen: os.stat_result) -> Sight:
    """Return how a file looks of which the system told."""
    return seen.st_ino, seen.st_size, seen.st_mtime_ns


def sight_at(path: Path) -> Sight | None:
    """Return how a file looks now, a link as itself; None where there is none. Raises OSError."""
    try:
        return sight_of(path.lstat())
    except FileNotFoundError:
        return None


def went_on(now: Sight | None, read: Sight) -> bool:
    """Tell whether an upload goes on: it writes to the file itself.

    What an editor saves is another file or a shorter one, and must not be believed as the newest roster.
    """
    return now is not None and now != read and now[0] == read[0] and now[1] >= read[1]
