"""The tasks: a few lines each over the room that knows.

A bell carries nothing; only a producer's event, which has no other way to us, is carried by its message.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock
from typing import Any

import structlog
from celery.exceptions import Reject
from celery.signals import worker_init, worker_ready, worker_shutting_down
from kombu.exceptions import OperationalError

from worker.app import app
from worker.deployment import Deployment, NotConfigured
from worker.execution import Sweep
from worker.execution import run_next as run_next_job
from worker.intake import EventsRefused, accept
from worker.intake import apply_next as apply_next_event
from worker.log import configure_logging
from worker.policy import PolicyInvalid
from worker.settings import SettingsInvalid, load_settings
from worker.sources import SourcesInvalid
from worker.store.database import DatabaseFailure
from worker.store.schema import SchemaOutdated, require_current

_log = structlog.get_logger(__name__)
_QUIET_AFTER_FAILURE_S = 2.0
_BEFORE_GIVING_BACK_S = 2.0


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
        self._sweep: Sweep | None = None

    def open(self, deployment: Deployment) -> None:
        """Have the tasks of this process use a deployment."""
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
        try:
            yield deployment
        finally:
            with self._lock:
                self._busy -= 1

    def start_sweep(self) -> None:
        """Begin to sweep for this process."""
        self._sweep = Sweep(self.deployment.execution, threads=self._free)
        self._sweep.start()

    def stop_sweep(self) -> None:
        """End the sweep, if there is one."""
        sweep, self._sweep = self._sweep, None
        if sweep is not None:
            sweep.stop()

    def _free(self) -> int:
        return self.deployment.settings.worker_threads - self._busy


station = Station()


@worker_init.connect
def _refuse_to_start_unfit(**_: Any) -> None:
    try:
        station.deployment.require_credentials()
    except (SettingsInvalid, SourcesInvalid, PolicyInvalid, NotConfigured, SchemaOutdated) as error:
        # Celery swallows the exceptions of signal handlers; a worker that can do nothing must not stand there.
        raise SystemExit(f"mailroster: {error}") from error


@worker_ready.connect
def _begin_sweep(**_: Any) -> None:
    station.start_sweep()


@worker_shutting_down.connect
def _end_sweep(**_: Any) -> None:
    station.stop_sweep()


@app.task(name="mailroster.apply_next")
def apply_next() -> None:
    """Apply one event or evaluate one person; ring again while there is work."""
    with station.working() as deployment:
        if apply_next_event(deployment.intake):
            deployment.bell.ring_apply()


@app.task(name="mailroster.run_next")
def run_next() -> None:
    """Run one job; ring again while there is work."""
    with station.working() as deployment:
        if run_next_job(deployment.execution):
            deployment.bell.ring_run()


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
