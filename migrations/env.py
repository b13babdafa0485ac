"""How Alembic reaches the database: one transaction for all revisions, and one upgrader at a time.

On PostgreSQL an advisory lock makes a second upgrader wait until the first has committed; on SQLite BEGIN IMMEDIATE
does. DDL is transactional on both, so an upgrade that fails leaves the schema as it was.
"""

from contextlib import closing

from alembic import context
from sqlalchemy import Connection, text

from worker.settings import load_settings
from worker.store.database import Database
from worker.store.tables import Base

UPGRADE_LOCK = 0x6D61696C  # "mail": any number that no other program on the same database takes


def database_url() -> str:
    """Return the URL the caller handed over (``worker.store.schema``), else the deployment's (``alembic`` by hand)."""
    handed_over = context.config.attributes.get("database_url")
    return str(handed_over) if handed_over else load_settings().database_url.get_secret_value()


def wait_for_our_turn(connection: Connection) -> None:
    """Take the advisory lock, which ends with the transaction, then bound every wait of the DDL itself."""
    if connection.dialect.name != "postgresql":
        return
    connection.execute(text("SET LOCAL lock_timeout = '10min'"))  # for the other upgrader, who may rewrite a big table
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
    # DDL that waits for a lock stops everyone behind it: rather fail and be run again than stop the intake.
    connection.execute(text("SET LOCAL lock_timeout = '4s'"))


def migrate() -> None:
    """Run the revisions that were asked for, all or none."""
    with closing(Database(database_url(), connections=1)) as database, database.engine.begin() as connection:
        wait_for_our_turn(connection)
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            transactional_ddl=True,  # true of SQLite too, because we begin the transaction and not its driver
            compare_type=True,
        )
        with context.begin_transaction():
            context.run_migrations()


def print_sql() -> None:
    """Print the statements of ``alembic upgrade --sql``, for those who let a database administrator run them."""
    context.configure(url=database_url(), target_metadata=Base.metadata, literal_binds=True, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    print_sql()
else:
    migrate()
