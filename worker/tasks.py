"""The tasks: a few lines each over the room that knows.

A bell carries nothing; only a producer's event, which has no other way to us, is carried by its message.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock
from types import FrameType
from typing import Any

import structlog
from celery.exceptions import Reject
from celery.signals import worker_init, worker_ready, worker_shutdown, worker_shutting_down
from kombu.exceptions import OperationalError

from worker.app import app
from worker.deployment import Deployment, NotConfigured
from worker.execution import Sweep, Unheard
from worker.execution import run_next as run_next_job
from worker.intake import EventsRefused, accept
from worker.intake import apply_next as apply_next_event
from worker.intake import hydrate_next as hydrate_next_hint
from worker.intake.rosters import FolderWatch
from worker.log import configure_logging
from worker.policy import PolicyInvalid
from worker.settings import SettingsInvalid, load_settings
from worker.sources import SourcesInvalid
from worker.sources.roster_files import FolderSource
from worker.store.database import DatabaseBusy, DatabaseFailure
from worker.store.schema import SchemaOutdated, require_current

_log = structlog.get_logger(__name__)
_QUIET_AFTER_FAILURE_S = 2.0
_BEFORE_GIVING_BACK_S = 2.0
_TURN_S = 0.2
"""How long a thread works before it rings again and what waits beside has its turn: a bell costs an eighth of a job."""


class CeleryBell:
    """Rings by sending an empty task. While the broker is down it stays quiet, so that nobody waits for it."""

    def __init__(self) -> None:
        self._quiet_until = 0.0

    def ring_apply(self) -> None:
        """Wake a thread that applies events."""
        self._ring(apply_next)

    def ring_run(self) -> None:
        """Wake a thread that runs jobs."""
        self._ring(run_next)

    def ring_hydrate(self) -> None:
        """Wake a thread that asks a source for a record."""
        self._ring(hydrate_next)

    def _ring(self, task: Any) -> None:
        if time.monotonic() < self._quiet_until:
            return
        try:
            task.apply_async(retry=False)
        except (OperationalError, OSError) as error:
            _log.warning("the broker does not answer; sweeps go on without bells", error=type(error).__name__)
            self._quiet_until = time.monotonic() + _QUIET_AFTER_FAILURE_S


class Station:
    """What the tasks of this process work with: opened by whoever starts the process, or at the first task."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._deployment: Deployment | None = None
        self._busy = 0
        self._begun = 0
        self._unheard: Unheard | None = None
        self._sweep: Sweep | None = None
        self._folders: FolderWatch | None = None

    def open(self, deployment: Deployment) -> None:
        """Have the tasks of this process use a deployment."""
        deployment.execution.stopping.clear()
        self._deployment = deployment

    @property
    def deployment(self) -> Deployment:
        """The deployment; under ``celery -A worker.app worker`` it is made from the settings, and its policy activated.

        Raises whatever is wrong with settings, schema or policy.
        """
        with self._lock:
            if self._deployment is None:
                configure_logging()
                deployment = Deployment(load_settings(), CeleryBell())
                require_current(deployment.database)
                deployment.begin_work()
                self._deployment = deployment
            return self._deployment

    @contextmanager
    def working(self) -> Iterator[Deployment]:
        """Count this thread as busy, so that the sweep rings only for those that are free."""
        deployment = self.deployment
        with self._lock:
            self._busy += 1
            self._begun += 1
        try:
            yield deployment
        finally:
            with self._lock:
                self._busy -= 1

    def start_sweep(self) -> None:
        """Begin to sweep for this process, and to watch folders of rosters. Idempotent."""
        if self._sweep is not None:
            return
        self._unheard = Unheard(heard=lambda: self._begun, work=self._work_by_itself)
        self._sweep = Sweep(self.deployment.execution, threads=self._free, rang=self._unheard.rang)
        self._sweep.start()
        self._folders = FolderWatch(self.deployment.intake, self.deployment.sources.of(FolderSource))
        self._folders.start()

    def finish(self) -> None:
        """Have every call that is under way be finished, its lane given back, and none be begun any more."""
        if self._deployment is not None:
            self._deployment.execution.stopping.set()

    def stop_sweep(self) -> None:
        """End the sweep, what it does by itself, and the watch, if there are any."""
        for each in (self._folders, self._sweep, self._unheard):
            if each is not None:
                each.stop()
        self._folders = self._sweep = self._unheard = None

    def _work_by_itself(self) -> bool:
        """Do what one bell of each kind asks for. Returns whether there was anything to do."""
        intake, execution = self.deployment.intake, self.deployment.execution
        return any([apply_next_event(intake), run_next_job(execution), hydrate_next_hint(intake)])

    def _free(self) -> int:
        return self.deployment.settings.worker_threads - self._busy


station = Station()


@worker_init.connect
def _begin(**_: Any) -> None:
    """Refuse to start unfit; else sweep from now on, for it may be long until there is a broker."""
    try:
        station.deployment.require_credentials()
    except (SettingsInvalid, SourcesInvalid, PolicyInvalid, NotConfigured, SchemaOutdated) as error:
        # Celery swallows the exceptions of signal handlers; a worker that can do nothing must not stand there.
        raise SystemExit(f"mailroster: {error}") from error
    except DatabaseFailure as error:
        raise SystemExit(f"mailroster: the database does not answer ({type(error).__name__})") from error
    station.start_sweep()


@worker_ready.connect
def _take_signals(**_: Any) -> None:
    signal.signal(signal.SIGQUIT, _end_at_once)


@worker_shutting_down.connect
def _finish(**_: Any) -> None:
    # Within the signal's handler: to wait for a thread here might be to wait for one that waits for what we hold.
    signal.signal(signal.SIGINT, _end_at_once)
    station.finish()


def _end_at_once(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of signal handlers
    # Celery would stumble over threads, which cannot be killed, and then wait for them. This is a crash like any other.
    os._exit(1)


@worker_shutdown.connect
def _end_sweep(**_: Any) -> None:
    station.stop_sweep()


@app.task(name="mailroster.apply_next")
def apply_next() -> None:
    """Apply events and evaluate people for a moment; ring again while there is work."""
    with station.working() as deployment:
        if _goes_on(lambda: apply_next_event(deployment.intake)):
            deployment.bell.ring_apply()


@app.task(name="mailroster.run_next")
def run_next() -> None:
    """Run jobs for a moment; ring again while there is work."""
    with station.working() as deployment:
        if _goes_on(lambda: run_next_job(deployment.execution)):
            deployment.bell.ring_run()


def _goes_on(work: Callable[[], bool], for_s: float = _TURN_S) -> bool:
    """Work until nothing is left to do or others should have their turn. Returns whether more may be left.

    Where the database does not answer, nobody rings: a sweep does once it is back.
    """
    until_s = time.monotonic() + for_s
    try:
        while work():
            if time.monotonic() >= until_s:
                return True
    except DatabaseBusy as error:
        _log.warning("the database does not answer; a sweep rings when it does", error=type(error).__name__)
    return False


@app.task(name="mailroster.hydrate_next")
def hydrate_next() -> None:
    """Ask a source for one person's record; ring again while there is work."""
    with station.working() as deployment:
        if _goes_on(lambda: hydrate_next_hint(deployment.intake), for_s=0):
            deployment.bell.ring_hydrate()


@app.task(name="mailroster.submit_event")
def submit_event(event: dict[str, Any], source: str = "celery") -> None:
    """Accept a canonical event from a producer that speaks Celery. An invalid one is kept with the reason, not retried.

    The message is acknowledged only after the commit: where the database does not take it, it goes back to the broker.
    """
    with station.working() as deployment:
        try:
            accept(deployment.intake, source, [event])
        except EventsRefused as refused:
            _log.warning("event refused", kept_as=refused.ids, reasons=refused.reasons)
        except DatabaseFailure as error:
            _log.warning("the database does not take an event; it goes back", error=type(error).__name__)
            Event().wait(_BEFORE_GIVING_BACK_S)  # a message given back at once would come back at once
            raise Reject(type(error).__name__, requeue=True) from None
