"""Threads that run one at a time and hand over at points: by a seed the same order each time, with the real code."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from worker.store.database import Database, Session


class Unguided:
    """Threads that run as the machine lets them, all at once."""

    def play(self, parts: Sequence[Callable[[], None]]) -> list[BaseException]:
        """Run these parts, each in a thread of its own, to their ends. Returns what they raised."""
        raised: list[BaseException] = []
        threads = [threading.Thread(target=self._live, args=(*each, raised), daemon=True) for each in enumerate(parts)]
        self._begin(len(threads))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return raised

    def pass_point(self, longest: int = 0) -> None:
        """Do nothing: everybody runs."""

    def _live(self, number: int, part: Callable[[], None], raised: list[BaseException]) -> None:
        try:
            self._enter(number)
            part()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the others must go on
            raised.append(error)
        finally:
            self._leave()

    def _begin(self, players: int) -> None:
        pass

    def _enter(self, number: int) -> None:
        pass

    def _leave(self) -> None:
        pass


class Baton(Unguided):
    """One runs at a time. At each point chance says who goes on; whoever does not play is not stopped."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._handed_over = 0
        self._still_until: dict[threading.Semaphore, int] = {}
        self._own = threading.local()
        self._gates: list[threading.Semaphore] = []
        self._order: list[threading.Semaphore] = []

    def pass_point(self, longest: int = 0) -> None:
        """Let somebody go on, perhaps oneself. Never to be called with a lock that others may want.

        ``longest``: how many times the baton is handed over at most while one stands still here, so that the others
        get far before it goes on where it was.
        """
        mine: threading.Semaphore | None = getattr(self._own, "gate", None)
        if mine is None:
            return
        self._still_until[mine] = self._handed_over + self._chance.randint(0, longest)
        if (chosen := self._next()) is not mine:
            chosen.release()
            mine.acquire()

    def _next(self) -> threading.Semaphore:
        first = min(self._still_until[gate] for gate in self._gates)
        self._handed_over = max(self._handed_over + 1, first)
        return self._chance.choice([gate for gate in self._gates if self._still_until[gate] <= self._handed_over])

    def _begin(self, players: int) -> None:
        self._order = [threading.Semaphore(0) for _ in range(players)]
        self._gates = [*self._order]
        self._still_until = dict.fromkeys(self._order, 0)
        self._next().release()

    def _enter(self, number: int) -> None:
        self._own.gate = self._order[number]
        self._own.gate.acquire()

    def _leave(self) -> None:
        self._gates.remove(self._own.gate)
        self._own.gate = None
        if self._gates:
            self._next().release()


class WatchedDatabase(Database):
    """A database with a point before and behind each writing transaction, that tells of each commit in order."""

    def __init__(self, url: str, pass_point: Callable[[], None]) -> None:
        super().__init__(url)
        self._pass_point = pass_point
        self._committing = threading.Lock()
        self.committed: Callable[[], None] = lambda: None
        """Called behind each commit, before anybody else commits."""

    @contextmanager
    def write(self, *, durable: bool = True, ahead: bool = False) -> Iterator[Session]:
        """Open a writing transaction; from its commit on it is alone until that was told."""
        self._pass_point()
        with ExitStack() as until_told:
            with super().write(durable=durable, ahead=ahead) as session:
                yield session
                until_told.enter_context(self._committing)
            self.committed()
        self._pass_point()
