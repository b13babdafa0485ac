"""Watching folders: a thread in every worker process that looks every few seconds and imports what has settled.

A file that cannot be imported now, because the database does not answer, another roster of its source is being imported
or the process ends, stays taken and is imported by whoever looks next. One that ends its worker each time is rejected
after a few tries.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence

import structlog

from worker.intake.accept import refuse
from worker.intake.context import Intake
from worker.intake.rosters.folder import PROCESSED, REJECTED, Folder, Taken
from worker.intake.rosters.importing import import_roster
from worker.intake.rosters.order import Order
from worker.intake.rosters.refusals import ImportRunning, Interrupted, RosterRefused, StillWritten
from worker.intake.rosters.shown import imported_object, refused_object
from worker.sources.roster_files import Fault, FolderSource
from worker.store.database import DatabaseFailure

_log = structlog.get_logger(__name__)

MOST_TRIES = 5
_QUIET_AFTER_FAILURE_S = 30.0


def look_once(intake: Intake, folder: Folder, now_s: float, *, is_stopping: Callable[[], bool] = lambda: False) -> int:
    """Look once at a folder, import what was left behind and what has settled, and return how many files ended.

    Raises OSError where the folder cannot be used, and a database error, ImportRunning or Interrupted after a file that
    stays taken.
    """
    ended = 0
    with folder.turn() as is_ours:
        if not is_ours:
            return 0
        for name in folder.grown():
            _log.warning("a roster was not all there when it was read", source=folder.source.name, file=name)
        for left in folder.left_behind():
            ended += _import(intake, folder, folder.begin(left, left.tries + 1), is_stopping)
        for name in folder.settled(now_s):
            if is_stopping():
                break
            taken = folder.take(name, intake.clock.now())
            if taken is not None:
                ended += _import(intake, folder, taken, is_stopping)
    return ended


class FolderWatch:
    """The watching thread of a process."""

    def __init__(self, intake: Intake, sources: Sequence[FolderSource], *, every_s: float = 3.0) -> None:
        self._intake, self._every_s = intake, every_s
        self._folders = [Folder(source) for source in sources]
        self._quiet_until: dict[str, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="folders", daemon=True)

    def start(self) -> None:
        """Begin to watch, if there is a folder."""
        if self._folders:
            self._thread.start()

    def stop(self) -> None:
        """End watching; a file in hand is left to others after its batch."""
        self._stop.set()
        if self._folders:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s * random.uniform(0.5, 1.5)):  # noqa: S311 - jitter, no secret
            for folder in self._folders:
                self._look(folder)

    def _look(self, folder: Folder) -> None:
        name, now_s = folder.source.name, time.monotonic()
        if now_s < self._quiet_until.get(name, 0.0):
            return
        try:
            look_once(self._intake, folder, now_s, is_stopping=self._stop.is_set)
        except Interrupted:
            return
        except ImportRunning as error:
            _log.info("a roster waits for another", source=name, why=str(error))
        except DatabaseFailure as error:
            _log.warning("a roster waits for the database", source=name, error=type(error).__name__)
        except OSError as error:
            _log.warning("a folder cannot be used", source=name, path=error.filename, why=error.strerror or str(error))
        except Exception:  # noqa: BLE001 - the rim of a thread that must outlive any defect
            _log.exception("a roster could not be imported", source=name)
        else:
            return
        self._quiet_until[name] = now_s + _QUIET_AFTER_FAILURE_S


def _import(intake: Intake, folder: Folder, taken: Taken, is_stopping: Callable[[], bool]) -> int:
    source = folder.source
    told = _log.bind(source=source.name, file=taken.name)
    if taken.tries > MOST_TRIES:
        why = f"its import was begun {MOST_TRIES} times and never came to its end"
        return _reject(intake, folder, taken, RosterRefused([Fault(None, None, why)], 1, 0))
    order = Order(
        taken.at,
        full=source.full,
        is_opinion=not folder.is_continued(taken),
        is_stopping=is_stopping,
        is_written=lambda: folder.is_written(taken),
    )
    try:
        with folder.opened(taken) as file:
            imported = import_roster(intake, source, file, order)
    except StillWritten:
        told.info("a roster is still being written")
        folder.give_back(taken)
        return 0
    except RosterRefused as refused:
        return _reject(intake, folder, taken, refused)
    except (Interrupted, ImportRunning, DatabaseFailure):
        folder.begin(taken, taken.tries - 1)  # none of its doing
        raise
    result = {"file": taken.name, "source": source.name, "state": PROCESSED, **imported_object(imported)}
    folder.put_aside(taken, PROCESSED, result)
    told.info("roster imported", rows=imported.rows, accepted=imported.accepted)
    return 1


def _reject(intake: Intake, folder: Folder, taken: Taken, refused: RosterRefused) -> int:
    """Put a file aside as rejected, and keep the reason where the health of its source is read."""
    name = folder.source.name
    refuse(intake, name, {"file": taken.final}, str(refused))
    folder.put_aside(
        taken, REJECTED, {"file": taken.name, "source": name, "state": REJECTED, **refused_object(refused)}
    )
    _log.warning("roster rejected", source=name, file=taken.name, faults=refused.fault_count)
    return 1
