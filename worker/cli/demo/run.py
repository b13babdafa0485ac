"""One run of the demo, from the first server to the report."""

import logging
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event
from types import FrameType

import httpx

from worker.cli.demo.cases import cases_of
from worker.cli.demo.findings import find_out
from worker.cli.demo.play import play
from worker.cli.demo.report import Kept, Report, document
from worker.cli.demo.scene import Scene, running_scene
from worker.cli.demo.showing import show
from worker.cli.demo.telling import Telling
from worker.cli.demo.verdict import exit_code, problems_of, sentence
from worker.cli.demo.week import Delivery
from worker.cli.failed import Failed
from worker.cli.output import show_json, warn
from worker.log import configure_logging
from worker.process import WorkerNotReady
from worker.store.tokens import Role, create_token


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for."""

    deliveries: Sequence[Delivery]
    is_sample: bool
    """They are the sample week, whose special cases are known."""
    keep: bool
    as_json: bool
    started_s: float
    """When the command began, on the monotonic clock."""


def run(wanted: Wanted) -> int:
    """Run the demo and return the exit code. Raises Failed where it could not be run to its end."""
    # A forged delivery is worth a warning elsewhere; here it is part of the play.
    configure_logging(level=logging.ERROR)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _run(wanted)
    except httpx.HTTPError as error:
        raise Failed(f"a server of the demo did not answer: {error}") from error
    except WorkerNotReady as error:
        raise Failed(str(error)) from error
    except KeyboardInterrupt:
        raise Failed("interrupted: all that was started is stopped and removed") from None


def _run(wanted: Wanted) -> int:
    telling = Telling(sys.stderr if wanted.as_json else sys.stdout, len(wanted.deliveries))
    telling.say("Starting a sandbox mail host, an empty database, a worker and the HTTP server ...")
    # The environment's proxies are not for the loopback.
    with running_scene() as scene, httpx.Client(trust_env=False) as client:
        report = _report(scene, client, wanted, telling)
        _print(report, as_json=wanted.as_json)
        if wanted.keep:
            _wait_for_interrupt()
    return exit_code(report.problems)


def _report(scene: Scene, client: httpx.Client, wanted: Wanted, telling: Telling) -> Report:
    with telling.shown():
        answers, settled = play(scene, client, wanted.deliveries, telling)
    found = find_out(scene, client, answers, settled=settled)
    cases = cases_of(found) if wanted.is_sample else ()
    problems = problems_of(found, cases)
    kept = _kept(scene) if wanted.keep else None
    return Report(found, cases, problems, time.monotonic() - wanted.started_s, kept)


def _kept(scene: Scene) -> Kept:
    deployment = scene.deployment
    with deployment.database.write() as session:
        token = create_token(session, Role.VIEWER, None, deployment.clock.now())
    return Kept(scene.server_url, scene.sandbox_url, token, scene.environment)


def _print(report: Report, *, as_json: bool) -> None:
    if as_json:
        show_json(document(report))
    else:
        show(report)
    sys.stdout.flush()
    if report.problems:
        warn(f"mailroster: {sentence(report.problems)}")


def _wait_for_interrupt() -> None:
    try:
        Event().wait()
    except KeyboardInterrupt:
        warn("Stopping ...")


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
