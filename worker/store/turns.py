"""Turns at writing to SQLite, in the order in which threads asked for them, those apart for whom somebody waits.

SQLite has one writer and no queue for the others: each looks again after a pause, so under load some wait for seconds
while others pass them. Within a process this is the queue; between processes SQLite's own waiting goes on.
"""

import threading
from collections import deque


class Turns:
    """Who may write now. A thread that holds the turn already has it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder: int | None = None
        self._waiting: deque[tuple[int, threading.Lock]] = deque()
        self._ahead: deque[tuple[int, threading.Lock]] = deque()

    def take(self, patience_s: float, *, ahead: bool = False) -> None:
        """Wait for the turn, if need be ahead of the others. After the patience go on: SQLite's own waiting decides."""
        me, gate = threading.get_ident(), threading.Lock()
        with self._lock:
            if self._holder in {None, me}:
                self._holder = me
                return
            gate.acquire()
            queue = self._ahead if ahead else self._waiting
            queue.append((me, gate))
        if not gate.acquire(timeout=patience_s):
            with self._lock:
                if (me, gate) in queue:
                    queue.remove((me, gate))

    def leave(self) -> None:
        """Give the turn to the next, if this thread holds it."""
        with self._lock:
            if self._holder != threading.get_ident():
                return
            self._holder = None
            if queue := self._ahead or self._waiting:
                self._holder, gate = queue.popleft()
                gate.release()
