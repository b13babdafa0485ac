"""A bell in a thread of its own: the consumer never waits for it, and many events in a row ring it once."""

from threading import Event, Thread

from worker.bell import Bell

_QUIET_S = 0.05


class BellBeside:
    """Rings another bell, from its own thread, at most every 50 ms and always after the last event.

    A bell that rings through a broker waits for it, and a broker that is short of memory lets publishers wait until
    somebody consumes: a consumer that rang by itself would wait for ever.
    """

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._apply, self._run, self._hydrate = Event(), Event(), Event()
        self._some, self._stop = Event(), Event()
        self._thread = Thread(target=self._ring, name="bus-bell", daemon=True)

    def start(self) -> None:
        """Begin to ring."""
        self._thread.start()

    def stop(self, within_s: float) -> None:
        """Ring what is wanted still, and end; a bell that hangs is left hanging."""
        self._stop.set()
        self._some.set()
        self._thread.join(within_s)

    def ring_apply(self) -> None:
        """Say that an event waits to be applied."""
        self._want(self._apply)

    def ring_run(self) -> None:
        """Say that a job is due."""
        self._want(self._run)

    def ring_hydrate(self) -> None:
        """Say that somebody's record is to be asked for."""
        self._want(self._hydrate)

    def _want(self, wanted: Event) -> None:
        wanted.set()
        self._some.set()

    def _ring(self) -> None:
        while not self._stop.wait(_QUIET_S):
            self._some.wait()
            self._some.clear()
            self._ring_wanted()
        self._ring_wanted()

    def _ring_wanted(self) -> None:
        rings = (self._bell.ring_apply, self._bell.ring_run, self._bell.ring_hydrate)
        for wanted, ring in zip((self._apply, self._run, self._hydrate), rings, strict=True):
            if wanted.is_set():
                wanted.clear()
                ring()
