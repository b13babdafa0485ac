"""Opening a deployment for one command, as somebody and with the bell that reaches its workers."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.bell import Bell, SilentBell
from worker.deployment import Deployment
from worker.settings import Settings, load_settings
from worker.store import schema
from worker.store.database import Database
from worker.store.schema import SchemaOutdated


@contextmanager
def opened(*, ringing: bool = False) -> Iterator[Deployment]:
    """Yield the deployment that the settings describe, its schema checked, and close it.

    ``ringing``: what the command does is work for workers, so that they should hear of it. Raises SettingsInvalid,
    SchemaOutdated.
    """
    settings = load_settings()
    deployment = Deployment(settings, bell_for(settings) if ringing else SilentBell())
    try:
        require_schema(deployment.database)
        yield deployment
    finally:
        deployment.close()


def require_schema(database: Database) -> None:
    """Return if the database is at the schema this program needs. Raises SchemaOutdated; makes no SQLite file."""
    file = database.engine.url.database
    if database.is_sqlite and file and file != ":memory:" and not Path(file).exists():
        raise SchemaOutdated(f"there is no database {file} yet: run `mailroster db upgrade`, or `mailroster up` once")
    schema.require_current(database)


def bell_for(settings: Settings) -> Bell:
    """Return the bell that reaches the workers of a deployment; within one process only the sweep hears others."""
    if settings.broker_url.get_secret_value().startswith("memory"):
        return SilentBell()
    from worker.app import configure  # noqa: PLC0415 - Celery takes long to import, and most commands need none
    from worker.tasks import CeleryBell  # noqa: PLC0415 - as above

    configure(settings)
    return CeleryBell()


def actor() -> str:
    """Return who acts, as the audit names them."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user may have a number and no name
        return "cli:unknown"
