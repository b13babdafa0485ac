"""``up``: the whole of Mailroster in one process, on a mail host or on the sandbox."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from importlib.resources import files
from pathlib import Path

from pydantic import SecretStr

from worker.bus import Bus
from worker.cli.broker import answering
from worker.cli.failed import Failed
from worker.cli.opening import require_schema
from worker.cli.output import say
from worker.deployment import Deployment
from worker.intake import Admission
from worker.process import EmbeddedWorker, WorkerNotReady
from worker.sandbox import RunningSandbox
from worker.settings import Settings, without_password
from worker.store import schema
from worker.tasks import CeleryBell
from worker.web.app import create_app
from worker.web.server import serve

_STARTER = Path(str(files("worker.policy").joinpath("starter.toml")))
_USER, _KEY = "admin@example.org", "sandbox-key"


def run_up(settings: Settings) -> None:
    """Run until a signal ends it. Raises NotConfigured, PolicyInvalid, SourcesInvalid, SchemaOutdated, Failed."""
    with closing(Deployment(settings, CeleryBell())) as deployment:
        deployment.require_credentials()
        _bring_schema(deployment)
        app = create_app(deployment, broker_answers=answering(settings))
        bus = Bus(deployment)
        admission = deployment.begin_work()
        with _worker(deployment), bus:
            say(f"database   {without_password(settings.database_url)}")
            say(f"mail host  {settings.migadu_url}{' (dry run: nothing is written there)' if settings.dry_run else ''}")
            say(f"policy     {_policy(settings, admission)}")
            if bus.sources:
                say(f"consuming  {bus}")
            serve(app, *settings.listen, announce=lambda url: say(f"listening  {url}"))


def run_up_with_sandbox(settings: Settings, *, port: int) -> None:
    """Run on a stand-in mail host; where there is no policy file, under the starter policy. Raises as ``run_up``."""
    with ExitStack() as running:
        try:
            sandbox = running.enter_context(RunningSandbox(port=port, user=_USER, key=_KEY))
        except OSError as error:
            why = error.strerror or str(error)
            raise Failed(f"the sandbox cannot have port {port} ({why}): name another with --sandbox-port") from error
        say(f"sandbox    {sandbox.api_url} ({_USER}, {_KEY}); it begins empty and forgets everything when it stops,")
        say("           so give it a database of its own, and remove that before going live. For commands beside it:")
        say(
            f"           export MAILROSTER_MIGADU_URL={sandbox.api_url} MAILROSTER_MIGADU_USER={_USER} "
            f"MAILROSTER_MIGADU_KEY={_KEY}"
        )
        run_up(_on_sandbox(settings, sandbox.api_url))


def _on_sandbox(settings: Settings, api_url: str) -> Settings:
    host = {"migadu_url": api_url, "migadu_user": _USER, "migadu_key": SecretStr(_KEY)}
    policy = {} if settings.policy.exists() else {"policy": _STARTER}
    return settings.model_copy(update=host | policy)


def _policy(settings: Settings, admission: Admission) -> str:
    domains = ", ".join(admission.in_force.mail_domains)
    if admission.kept_out is None:
        return f"{settings.policy} for {domains}"
    return f"the one before, for {domains}; {settings.policy} is not in force: {admission.kept_out}"


def _bring_schema(deployment: Deployment) -> None:
    """Upgrade the embedded database by itself; a shared one is its operators' business."""
    if deployment.database.is_sqlite:
        schema.upgrade(deployment.settings.database_url.get_secret_value())
    else:
        require_schema(deployment.database)


@contextmanager
def _worker(deployment: Deployment) -> Iterator[None]:
    with ExitStack() as running:
        try:
            running.enter_context(EmbeddedWorker(deployment))
        except WorkerNotReady as error:
            raise Failed(f"{error} (broker {without_password(deployment.settings.broker_url)})") from error
        yield
