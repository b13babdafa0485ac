"""A watched folder: which files have come to rest, taking one, and putting it aside with its result.

    export.csv                            dropped by somebody, left alone until it has settled
    working/STAMP~TRY~export.csv          taken; whoever finds it there, holding the lock, knows that its worker died
    processed/STAMP-export.csv            with STAMP-export.csv.json beside it, or
    rejected/STAMP-export.csv             the same

One worker at a time takes files from a folder, because the second of two rosters is to be compared with what the first
states. A lock that the system gives back when a process dies says whose turn it is. Nothing is followed out of the
folder: no link is read, and the folders in it are real ones.

An upload that stalled for longer than ``settle`` is taken for complete. Its sender writes on to the file wherever it
lies by then, so one that grew is given back, to be taken anew once it has come to rest.
"""

import fcntl
import json
import os
import re
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO, Final, Literal

from worker.intake.rosters.sight import Sight, sight_at, sight_of, went_on
from worker.sources.roster_files import FolderSource

WORKING: Final = "working"
PROCESSED: Final = "processed"
REJECTED: Final = "rejected"
_UNFINISHED = (".part", ".tmp", ".filepart")
_LOCK = ".lock"
_STAMP = "%Y%m%dT%H%M%S.%fZ"
_MAY_GROW = 100
_LONGEST_NAME = 200
"""Bytes of a name that leave room for what is put around it: no file system that we know takes more than 255."""
_TAKEN = re.compile(r"(?P<stamp>\d{8}T\d{6}\.\d{6}Z)~(?P<tries>\d{1,4})~(?P<name>.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that is ours to import."""

    name: str
    """As it was dropped, cut short in its middle where it is too long to be given a stamp."""
    at: datetime
    """When it was taken: the time of its snapshot, also for whoever takes over."""
    tries: int
    """How often it was begun."""

    @property
    def working(self) -> str:
        """Its name while it is imported."""
        return f"{self.at.strftime(_STAMP)}~{self.tries}~{self.name}"

    @property
    def final(self) -> str:
        """Its name once it is put aside."""
        return f"{self.at.strftime(_STAMP)}-{self.name}"


class Folder:
    """One folder, as one process sees it. Raises OSError wherever the system does."""

    def __init__(self, source: FolderSource) -> None:
        self.source = source
        self._path = source.path
        self._seen: dict[str, tuple[Sight, float]] = {}
        self._read: dict[Taken, Sight] = {}
        self._ended: deque[tuple[Path, str, Sight]] = deque(maxlen=_MAY_GROW)
        self._continued: set[int] = set()
        """Inodes of files that were processed, and grew."""

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Yield whether it is this process's turn to take files, until the block ends."""
        self._make_rooms()
        lock = os.open(self._path / WORKING / _LOCK, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
        try:
            yield _locked(lock)
        finally:
            os.close(lock)

    def settled(self, now_s: float) -> list[str]:
        """Return the names of files that have come to rest, the oldest first. ``now_s`` goes by any steady clock."""
        sights = dict(self._sights())
        since = {name: self._since(name, sight, now_s) for name, sight in sights.items()}
        self._seen = {name: (sight, since[name]) for name, sight in sights.items()}
        rested = [name for name in sights if self._is_settled(name, now_s - since[name])]
        return sorted(rested, key=lambda name: (sights[name][2], name))

    def take(self, name: str, at: datetime) -> Taken | None:
        """Take a settled file; None where it is not there any more, or was written to since it was looked at."""
        taken = Taken(_cut_short(name), at, 1)
        place = self._path / WORKING / taken.working
        try:
            (self._path / name).rename(place)
        except FileNotFoundError:
            return None
        if sight_of(place.lstat()) != self._seen[name][0]:
            self._give_back(place, name)
            return None
        if self.source.done is not None:
            (self._path / f"{name}{self.source.done}").unlink(missing_ok=True)
        return taken

    def left_behind(self) -> list[Taken]:
        """Return the files that somebody took and did not finish, the oldest first. To be asked in one's turn."""
        with os.scandir(self._path / WORKING) as entries:
            names = sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
        return [taken for name in names if (taken := _taken(name)) is not None]

    def begin(self, taken: Taken, tries: int) -> Taken:
        """Write down how often a file was begun, and return it as it is called now."""
        begun = Taken(taken.name, taken.at, tries)
        (self._path / WORKING / taken.working).rename(self._path / WORKING / begun.working)
        return begun

    @contextmanager
    def opened(self, taken: Taken) -> Iterator[BinaryIO]:
        """Yield a taken file's content."""
        handle = os.open(self._path / WORKING / taken.working, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise OSError("it is no regular file")
            self._read[taken] = sight_of(os.fstat(handle))
            yield file

    def is_written(self, taken: Taken) -> bool:
        """Tell whether somebody wrote to a taken file since it was opened. Where a marker ended it, nobody should."""
        return self.source.done is None and sight_at(self._path / WORKING / taken.working) != self._read[taken]

    def is_continued(self, taken: Taken) -> bool:
        """Tell whether an earlier part of a taken file was processed here as if it were the whole."""
        sight = sight_at(self._path / WORKING / taken.working)
        return sight is not None and sight[0] in self._continued

    def give_back(self, taken: Taken) -> None:
        """Leave a taken file alone until it has settled."""
        self._read.pop(taken, None)
        self._give_back(self._path / WORKING / taken.working, taken.name)

    def put_aside(self, taken: Taken, room: Literal["processed", "rejected"], result: object) -> None:
        """End with a file: its result first, so that a file that is put aside always has one."""
        _write(self._path / room / f"{taken.final}.json", result)
        (self._path / WORKING / taken.working).rename(self._path / room / taken.final)
        if (read := self._read.pop(taken, None)) is not None and self.source.done is None:
            if room == PROCESSED:
                self._continued.discard(read[0])
            self._ended.append((self._path / room / taken.final, taken.name, read))

    def grown(self) -> list[str]:
        """Give back what was written on to since it was put aside here, of the newest hundred, and return the names."""
        grown = [each for each in self._ended if went_on(sight_at(each[0]), each[2])]
        for each in grown:
            self._ended.remove(each)
            if each[0].parent.name == PROCESSED:
                self._continued.add(each[2][0])
            if self._give_back(*each[:2]):
                each[0].with_name(f"{each[0].name}.json").unlink(missing_ok=True)
        return [name for _, name, _ in grown]

    def _give_back(self, place: Path, name: str) -> bool:
        try:
            (self._path / name).hardlink_to(place)
        except FileExistsError:  # then it stays where it is, beside the one that took its place
            return False
        place.unlink()
        return True

    def _make_rooms(self) -> None:
        for room in (WORKING, PROCESSED, REJECTED):
            with suppress(FileExistsError):
                (self._path / room).mkdir(mode=0o770)
            if not stat.S_ISDIR((self._path / room).lstat().st_mode):
                raise NotADirectoryError(20, "a folder of our own is expected, and no link", str(self._path / room))

    def _sights(self) -> Iterator[tuple[str, Sight]]:
        with os.scandir(self._path) as entries:
            for entry in entries:
                if self._is_wanted(entry.name) and entry.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):  # somebody renamed it just now
                        yield entry.name, sight_of(entry.stat(follow_symlinks=False))

    def _is_wanted(self, name: str) -> bool:
        endings = _UNFINISHED + ((self.source.done,) if self.source.done else ())
        if name.startswith(".") or name.lower().endswith(endings):
            return False
        return any(fnmatchcase(name.lower(), pattern) for pattern in self.source.pattern)

    def _since(self, name: str, sight: Sight, now_s: float) -> float:
        before = self._seen.get(name)
        return before[1] if before is not None and before[0] == sight else now_s

    def _is_settled(self, name: str, rested_s: float) -> bool:
        if self.source.done is not None:
            try:
                return (self._path / f"{name}{self.source.done}").is_file()
            except OSError:  # no file can have such a long name
                return False
        return rested_s >= self.source.settle.total_seconds()


def _cut_short(name: str) -> str:
    head, ending = Path(name).stem, Path(name).suffix
    while len(os.fsencode(head + ending)) > _LONGEST_NAME:
        head, ending = (head[:-1], ending) if head else ("", ending[1:])
    return head + ending


def _taken(name: str) -> Taken | None:
    """Read a working name; None of a file that is not ours."""
    found = _TAKEN.fullmatch(name)
    try:
        return found and Taken(
            found["name"], datetime.strptime(found["stamp"], _STAMP).replace(tzinfo=UTC), int(found["tries"])
        )
    except ValueError:
        return None


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(path: Path, result: object) -> None:
    """Write a file that is there as a whole or not at all."""
    aside = path.with_name(f".{path.name}")
    handle = os.open(aside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW, 0o640)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=2)
        file.write("\n")
    aside.rename(path)
