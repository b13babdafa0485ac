"""The scene: a sandbox mail host, an empty database, the embedded worker and the HTTP server, gone again afterwards."""

import base64
import secrets
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import SecretStr

from worker.deployment import Deployment
from worker.process import EmbeddedWorker
from worker.sandbox import RunningSandbox
from worker.settings import Settings
from worker.store.schema import upgrade
from worker.tasks import CeleryBell
from worker.web.app import create_app
from worker.web.server import RunningServer

SOURCE = "hr"
"""Our name of the source that the demo's sources file configures."""
_ACCOUNT = "admin@example.org"
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that runs, for as long as ``running_scene`` is open."""

    deployment: Deployment
    server_url: str
    """Our own HTTP server."""
    sandbox_url: str
    """The mail host, without ``/v1``; its control is below it."""
    secret: SecretStr
    """What the HR system signs with."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The settings that point other commands at what runs here."""
        settings = self.deployment.settings
        assert settings.migadu_key is not None
        return {
            "MAILROSTER_DATABASE_URL": settings.database_url.get_secret_value(),
            "MAILROSTER_MIGADU_URL": settings.migadu_url,
            "MAILROSTER_MIGADU_USER": _ACCOUNT,
            "MAILROSTER_MIGADU_KEY": settings.migadu_key.get_secret_value(),
            "MAILROSTER_POLICY": str(settings.policy),
            "MAILROSTER_SOURCES": str(settings.sources),
            "MAILROSTER_CALL_LIMIT": "off",
        }


@contextmanager
def running_scene() -> Iterator[Scene]:
    """Start everything on free ports of 127.0.0.1 and in a temporary directory; stop and remove it all at the end."""
    key, secret = secrets.token_urlsafe(_SECRET_BYTES), new_secret()
    with (
        TemporaryDirectory(prefix="mailroster-demo-") as name,
        RunningSandbox(user=_ACCOUNT, key=key) as sandbox,
        closing(_deployment(Path(name), sandbox.api_url, key, secret)) as deployment,
        EmbeddedWorker(deployment),
        RunningServer(create_app(deployment), "127.0.0.1", 0) as server,
    ):
        yield Scene(deployment, server.url, sandbox.url, secret)


def new_secret() -> SecretStr:
    """Return a fresh secret for signing webhooks."""
    return SecretStr("whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode())


def _deployment(directory: Path, mail_host_url: str, key: str, secret: SecretStr) -> Deployment:
    """Furnish the directory as an operator would: policy, sources, secret, an empty database at the newest schema."""
    for name in ("policy.toml", "sources.toml"):
        text = files("worker.cli.demo").joinpath(name).read_text(encoding="utf-8")
        (directory / name).write_text(text, encoding="utf-8")
    (directory / "hr.secret").write_text(secret.get_secret_value(), encoding="utf-8")
    settings = Settings(
        database_url=SecretStr(f"sqlite:///{directory / 'mailroster.db'}"),
        migadu_url=mail_host_url,
        migadu_user=_ACCOUNT,
        migadu_key=SecretStr(key),
        policy=directory / "policy.toml",
        sources=directory / "sources.toml",
        call_limit=None,  # the sandbox has none either, so nothing waits
    )
    upgrade(settings.database_url.get_secret_value())
    deployment = Deployment(settings, CeleryBell())
    deployment.activate_policy()
    return deployment
