"""The Celery worker as part of a process of ours, for ``up`` and the demo; and as the process itself, for ``worker``.

Embedding follows `engineering.md` A3: the application is the process's default before the start, and readiness is what
the consumer reports, because a bare WorkController sends no ``worker_ready``.
"""

from threading import Event, Thread
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from worker.app import APPLY_QUEUE, EVENTS_QUEUE, HYDRATE_QUEUE, RUN_QUEUE, app, configure, ending_worker
from worker.deployment import Deployment
from worker.tasks import station

_QUEUES = f"{APPLY_QUEUE},{RUN_QUEUE},{HYDRATE_QUEUE},{EVENTS_QUEUE}"
_READY_WITHIN_S = 15.0


class WorkerNotReady(RuntimeError):
    """The embedded worker did not start to consume in time; is the broker there?"""


class EmbeddedWorker:
    """A Celery worker with its sweep in threads of this process; a context manager, at most one at a time."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._ready = Event()
        self._controller: Any = None
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        """Start, and return once tasks are consumed. Raises WorkerNotReady."""
        configure(self._deployment.settings)
        station.open(self._deployment)
        self._controller = _controller(self._ready)(
            pool="threads",
            concurrency=self._deployment.settings.worker_threads,
            queues=_QUEUES,
            hostname=f"embedded@{uuid4().hex[:8]}",
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
        )
        self._thread = Thread(target=self._controller.start, name="worker", daemon=True)
        self._thread.start()
        if not self._ready.wait(_READY_WITHIN_S):
            station.stop_sweep()
            raise WorkerNotReady("the worker did not get ready: does the broker answer?")
        station.start_sweep()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop: no call is begun any more, those under way are finished."""
        station.finish()
        station.stop_sweep()
        assert self._thread is not None
        if self._controller.use_eventloop:
            # From this thread it would wait for an answer of the broker that its own thread takes from the socket.
            with ending_worker():
                self._controller.consumer.call_soon(lambda: None)  # wakes it
                self._thread.join()
        else:
            self._controller.stop()
            self._thread.join()


def run_worker(deployment: Deployment) -> None:
    """Be a Celery worker until a signal ends it: TERM finishes the calls under way, QUIT is a crash."""
    settings = deployment.settings
    configure(settings)
    station.open(deployment)
    app.worker_main(
        [
            "--quiet",
            "worker",
            "--pool=threads",
            f"--concurrency={settings.worker_threads}",
            f"--queues={_QUEUES}",
            f"--hostname=mailroster-{uuid4().hex[:8]}@%h",
            "--without-heartbeat",
            "--without-mingle",
            "--without-gossip",
        ],
    )


def _controller(ready: Event) -> Any:
    class Controller(app.WorkController):  # type: ignore[misc]  # Celery makes it when asked
        def on_consumer_ready(self, consumer: object) -> None:
            super().on_consumer_ready(consumer)
            ready.set()

    return Controller
