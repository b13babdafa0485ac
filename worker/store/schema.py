"""The schema's version: bringing a database to the one this program needs, and refusing to run on any other.

The revisions are in ``migrations``, beside ``worker`` in a checkout and in an installed wheel alike. One process
upgrades at a time (``migrations/env.py``), so any number of them may try at once.
"""

from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import worker
from worker.store.database import Database

_MIGRATIONS = Path(worker.__file__).resolve().parent.parent / "migrations"


class SchemaOutdated(RuntimeError):
    """The database's schema is not the one this program was built for; the message says what to run."""


def upgrade(database_url: str) -> None:
    """Bring the database to ``head``: all revisions or none. Idempotent; waits for another upgrader.

    Raises SchemaOutdated if a newer program has been here: an upgrade never goes back.
    """
    with closing(Database(database_url)) as database:
        _refuse_unknown(current(database))
    config = _config()
    config.attributes["database_url"] = database_url  # not an option, because those interpolate % signs
    command.upgrade(config, "head")


def current(database: Database) -> str | None:
    """Return the revision the database is at, None if it was never upgraded."""
    with database.read() as session:
        return MigrationContext.configure(session.connection()).get_current_revision()


def head() -> str:
    """Return the revision this program needs."""
    revision = _scripts().get_current_head()
    if revision is None:
        raise RuntimeError(f"no migrations in {_MIGRATIONS}: the installation is incomplete")
    return revision


def require_current(database: Database) -> None:
    """Return if the database is at ``head``. Raises SchemaOutdated otherwise."""
    found, needed = current(database), head()
    if found == needed:
        return
    _refuse_unknown(found)
    at = "has no schema yet" if found is None else f"is at schema {found}"
    raise SchemaOutdated(f"the database {at}, {needed} is needed: run `mailroster db upgrade`")


def _refuse_unknown(found: str | None) -> None:
    if found is not None and found not in {script.revision for script in _scripts().walk_revisions()}:
        raise SchemaOutdated(
            f"the database is at schema {found}, which this program does not know: a newer one has upgraded it, and "
            "`mailroster db upgrade` never goes back; install that program here too",
        )


def _config() -> Config:
    config = Config()
    # Options interpolate, so a directory with a % sign in its name must be doubled.
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
