"""The commands that stay: ``up``, ``serve``, ``worker`` and ``bus``."""

import signal
from contextlib import closing
from typing import Annotated

import typer

from worker.cli.failed import Failed
from worker.cli.opening import bell_for, require_schema
from worker.cli.output import say, warn
from worker.cli.stopping import stopped_by_signals
from worker.deployment import Deployment
from worker.log import configure_logging
from worker.settings import Settings, load_settings

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

    configure_logging()
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

    configure_logging()
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

    configure_logging()
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

    configure_logging()
    with stopped_by_signals(), closing(_in_a_process_of_its_own(load_settings())) as deployment:
        consumers = Bus(deployment)
        if not consumers.sources:
            raise Failed(f"{deployment.settings.sources} has no source of the kind amqp")
        with consumers:
            say(f"consuming  {consumers}")
            while True:
                signal.pause()


def _in_a_process_of_its_own(settings: Settings) -> Deployment:
    """Return a deployment whose other half runs in another process, its schema checked."""
    if settings.broker_url.get_secret_value().startswith("memory"):
        warn(f"mailroster: {_ALONE}")
    deployment = Deployment(settings, bell_for(settings))
    require_schema(deployment.database)
    return deployment
