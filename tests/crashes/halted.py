"""A worker that stops itself at one of its calls, as by SIGSTOP from outside: `celery -A tests.crashes.halted worker`.

It goes by a clock on which the deadline of a call passes in two seconds, and can leave out what its engine relies on.
"""

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property, partial
from typing import Any

import httpx
from celery.signals import celeryd_init, task_postrun

from tests.crashes.broken import without_fence
from worker.app import app
from worker.deployment import Deployment
from worker.execution import Execution
from worker.log import configure_logging
from worker.migadu import CALL_DEADLINE, Hooks, MigaduClient, ThreadClients, elapsed_s
from worker.settings import load_settings
from worker.store.schema import require_current
from worker.tasks import CeleryBell, station

HALTS_AT, WITHOUT = "TEST_HALTS_AT", "TEST_WITHOUT"
"""The variables that say where it stops (a `Halt`, as it is written), and what is left out, if anything."""
DEADLINE_S = 2.0
"""When the deadline of its calls has passed, by the machine's clock."""
SENT = "calls sent after it had slept:"
"""What it says, and how many, at the end of the run in which it was stopped."""
_SENDING, _IS_SENT = "http11.send_request_headers.started", "http11.send_request_body.complete"

__all__ = ["app"]


class Place(StrEnum):
    """Where, around a call, it stops."""

    COMMITTED = "committed"
    """Between the commit that says that the call is sent, and the sending."""
    UNDER_WAY = "under-way"
    """Between the sending and the answer."""
    ANSWERED = "answered"
    """Between the answer and the commit that says what it was."""


@dataclass(frozen=True, slots=True)
class Halt:
    """The first call of a kind, and where around it."""

    method: str
    path: str
    """A part of the call's."""
    place: Place

    def __str__(self) -> str:
        return f"{self.place} {self.method} {self.path}"


class _Clients(ThreadClients):
    """Clients of which one stops the process, once."""

    def __init__(self, halt: Halt, elapsed: Callable[[], float]) -> None:
        super().__init__(elapsed=elapsed)
        self._halt = halt
        self._first = threading.Lock()
        self._sent: int | None = None
        """How many calls were begun to be sent since it was stopped; None before, and once that was told."""

    def client(self) -> httpx.Client:
        """Return the client of the calling thread."""
        mine = super().client()
        mine.event_hooks = {
            "request": [self._before],
            "response": [lambda answer: self._stop_at(Place.ANSWERED, answer.request)],
        }
        return mine

    def end_run(self) -> None:
        """Say how many calls were sent in the run in which it was stopped, if that is over."""
        if self._sent is not None:
            print(SENT, self._sent, flush=True)  # noqa: T201 - for the test to read
            self._sent = None

    def _before(self, request: httpx.Request) -> None:
        self._stop_at(Place.COMMITTED, request)
        request.extensions["trace"] = partial(self._on_wire, request)

    def _on_wire(self, request: httpx.Request, what: str, _: object) -> None:
        if what == _SENDING and self._sent is not None:
            self._sent += 1
        if what == _IS_SENT:
            self._stop_at(Place.UNDER_WAY, request)

    def _stop_at(self, place: Place, request: httpx.Request) -> None:
        halt = self._halt
        is_it = place is halt.place and request.method == halt.method and halt.path in request.url.path
        if is_it and self._first.acquire(blocking=False):
            self._sent = 0
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)  # to this thread, so that it does nothing more


class _Halting(Deployment):
    """A deployment whose calls are hurried, and one of which stops the process."""

    @cached_property
    def execution(self) -> Execution:
        """The execution room."""
        return replace(super().execution, elapsed_s=_hurried_s)

    @cached_property
    def _clients(self) -> _Clients:
        place, method, path = os.environ[HALTS_AT].split()
        return _Clients(Halt(method, path, Place(place)), _hurried_s)

    def _connect(self, hooks: Hooks) -> MigaduClient:
        self._clients.end_run()  # for this is the beginning of another
        return super()._connect(hooks)


def _hurried_s() -> float:
    left_out = os.environ.get(WITHOUT) == "deadlines"
    return 0.0 if left_out else elapsed_s() * CALL_DEADLINE.total_seconds() / DEADLINE_S


@celeryd_init.connect
def _open(**_: Any) -> None:
    if os.environ.get(WITHOUT) == "fence":
        without_fence(setattr)
    configure_logging()
    deployment = _Halting(load_settings(), CeleryBell())
    require_current(deployment.database)
    deployment.begin_work()
    station.open(deployment)


@task_postrun.connect
def _say_so(**_: Any) -> None:
    clients = station.deployment._clients
    assert isinstance(clients, _Clients)
    clients.end_run()
