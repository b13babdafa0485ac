"""``db``: the schema's version."""

import typer

from worker.cli.opening import require_schema
from worker.cli.options import Json
from worker.cli.output import say, show_json
from worker.deployment import Deployment
from worker.settings import load_settings, without_password
from worker.store import schema


def commands() -> typer.Typer:
    """Return the group."""
    group = typer.Typer(no_args_is_help=True)
    group.command()(upgrade)
    group.command()(current)
    group.command()(check)
    return group


def upgrade() -> None:
    """Bring the database to the schema that this program needs. May be repeated."""
    url = load_settings().database_url
    schema.upgrade(url.get_secret_value())
    say(f"{without_password(url)} is at schema {schema.head()}")


def current(*, as_json: Json = False) -> None:
    """Show the schema that the database is at, and the one that is needed."""
    deployment = Deployment(load_settings())
    try:
        found = schema.current(deployment.database)
    finally:
        deployment.close()
    if as_json:
        show_json({"schema": found, "needed": schema.head()})
    else:
        say(f"at {found or 'none'}, needed {schema.head()}")


def check() -> None:
    """Exit with 0 if the database is at the schema this program needs, else with 1."""
    deployment = Deployment(load_settings())
    try:
        require_schema(deployment.database)
    finally:
        deployment.close()
    say(f"at {schema.head()}, as needed")
