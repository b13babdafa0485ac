"""The commands that stay: ``up``, ``serve``, ``worker``, ``bus`` and ``sandbox``."""

import logging
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from worker.cli.failed import Failed
from worker.cli.opening import bell_for, require_schema
from worker.cli.output import say, warn
from worker.cli.stopping import stopped_by_signals
from worker.deployment import Deployment
from worker.log import configure_logging
from worker.settings import Settings, load_settings

T = TypeVar("T")

_LATENCY = "How long each call waits before it is applied: SECONDS, or drawn from LOW-HIGH, as in 0.5-0.8."

# What Celery, FastAPI and uvicorn take to import, no other command should wait for: hence the imports within.

_ALONE = (
    "the broker is memory://, which rings within one process only: work waits for the next sweep of a worker, some "
    "seconds. `mailroster up` runs everything in one process; for several, set MAILROSTER_BROKER_URL"
)


def up(
    *,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Start a stand-in mail host, too, and use it.")] = False,
    sandbox_port: Annotated[int, typer.Option(min=0, max=65_535, help="Its port; 0 takes a free one.")] = 8026,
) -> None:
    """Run everything in one process: HTTP, the worker and its sweep. SIGINT or SIGTERM end it, with 0."""
    from worker.cli.embedded import run_up, run_up_with_sandbox  # noqa: PLC0415 - see above

    _log_all_along()
    with stopped_by_signals():
        if sandbox:
            run_up_with_sandbox(load_settings(), port=sandbox_port)
        else:
            run_up(load_settings())


def serve() -> None:
    """Serve HTTP: webhooks, the API and health. Workers run elsewhere."""
    from worker.cli.broker import answering  # noqa: PLC0415 - see above
    from worker.web.app import create_app  # noqa: PLC0415 - see above
    from worker.web.server import serve as serve_http  # noqa: PLC0415 - see above

    _log_all_along()
    with stopped_by_signals():
        deployment = _in_a_process_of_its_own(load_settings())
        try:
            app = create_app(deployment, broker_answers=answering(deployment.settings))
            serve_http(app, *deployment.settings.listen, announce=lambda url: say(f"listening  {url}"))
        finally:
            deployment.close()


def worker(
    *,
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", "-c", min=1, max=64, help="Else MAILROSTER_WORKER_THREADS.")
    ] = None,
) -> None:
    """Be a Celery worker with its sweep, under the policy of the policy file."""
    from worker.process import run_worker  # noqa: PLC0415 - see above

    _log_all_along()
    settings = load_settings()
    if concurrency is not None:
        settings = settings.model_copy(update={"worker_threads": concurrency})
    deployment = _in_a_process_of_its_own(settings)
    try:
        deployment.require_credentials()
        deployment.begin_work()
        run_worker(deployment)
    finally:
        deployment.close()


def bus() -> None:
    """Take events from message buses, as the sources of the kind amqp say. SIGINT or SIGTERM end it, with 0."""
    from worker.bus import Bus  # noqa: PLC0415 - see above

    _log_all_along()
    with stopped_by_signals(), closing(_in_a_process_of_its_own(load_settings())) as deployment:
        consumers = Bus(deployment)
        if not consumers.sources:
            raise Failed(f"{deployment.settings.sources} has no source of the kind amqp")
        with consumers:
            say(f"consuming  {consumers}")
            while True:
                signal.pause()


def sandbox(
    *,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 8026,
    seed: Annotated[
        Path | None,
        typer.Option(metavar="FILE", exists=True, dir_okay=False, help="JSON to begin with, as /_sandbox/state."),
    ] = None,
    rate_limit: Annotated[str, typer.Option(metavar="CALLS/SECONDS|off", help="Its call limit.")] = "60/120",
    block: Annotated[
        float | None,
        typer.Option(min=0, metavar="SECONDS", help="How long nothing passes above the limit; else one window."),
    ] = None,
    latency: Annotated[str, typer.Option(metavar="SECONDS|LOW-HIGH", help=_LATENCY)] = "0",
) -> None:
    """Run the stand-in Migadu alone, until SIGINT or SIGTERM. It needs no database, no settings and no network.

    Its control (state, seed, calls, faults, reset) is below /_sandbox, for this machine only; the README has a chapter.
    """
    from worker import sandbox as stand_in  # noqa: PLC0415 - see above

    _log_all_along()
    limit = _option("--rate-limit", stand_in.parse_rate_limit, rate_limit)
    latency_s = _option("--latency", stand_in.parse_latency, latency)
    with stopped_by_signals():
        try:
            stand_in.serve(
                port=port,
                seed=stand_in.read_seed(seed.read_bytes()) if seed else None,
                rate_limit=limit,
                block_s=block,
                latency_s=latency_s,
                announce=lambda url: say(
                    f"sandbox at {url}/v1 (admin@example.org, sandbox-key); control at {url}/_sandbox"
                ),
            )
        except stand_in.InvalidSeed as error:
            raise Failed(f"{seed}: {error}") from error
        except OSError as error:
            raise Failed(f"port {port} cannot be had: {error.strerror or error}") from error


def _log_all_along() -> None:
    configure_logging(level=logging.INFO)


def _in_a_process_of_its_own(settings: Settings) -> Deployment:
    """Return a deployment whose other half runs in another process, its schema checked."""
    if settings.broker_url.get_secret_value().startswith("memory"):
        warn(f"mailroster: {_ALONE}")
    deployment = Deployment(settings, bell_for(settings))
    require_schema(deployment.database)
    return deployment


def _option(name: str, parse: Callable[[str], T], text: str) -> T:
    """Read the text of an option; one that cannot be read is a usage error."""
    try:
        return parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=name) from error
