"""Every command under its name, with its line in the list and the module that has it."""

from importlib.metadata import version
from typing import Annotated, Final

import typer
from typer.core import TyperGroup
from typer.main import get_group

from worker.cli.later import Commands, Later, markup

_LINES: Final = {
    "demo": "Show it all at work: a sandbox mail host, an empty database, and a sample week of signed events.",
    "init": "Write a commented starter policy.toml, sources.toml and env.example. Never overwrites a file.",
    "up": "Run everything in one process: HTTP, the worker and its sweep. SIGINT or SIGTERM end it, with 0.",
    "serve": "Serve HTTP: webhooks, the API and health. Workers run elsewhere.",
    "worker": "Be a Celery worker with its sweep, under the policy of the policy file.",
    "bus": "Take events from message buses, as the sources of the kind amqp say. SIGINT or SIGTERM end it, with 0.",
    "sandbox": "Run the stand-in Migadu alone, until SIGINT or SIGTERM. "
    "It needs no database, no settings and no network.",
    "submit": "Accept canonical events: all of them or, where one is invalid, none. Sending them again does no harm.",
    "plan": "Show the exact calls that would be made, before and after per field, and change nothing.",
    "adopt": "Match mailboxes that exist with people on the roster, show the table, and take over what you confirm.",
    "schedule": "Show what will happen by itself, soonest first, each in the zone of the person, "
    "and until when it can be undone.",
    "reconcile": "Compare what the mail host holds with what is wanted, in a few list calls per domain, "
    "and show what differs.",
    "why": "Tell one person's whole story in order: events, decisions, jobs with their calls, "
    "what comes next and when.",
    "doctor": "Check everything that is needed, a line each, and look for what needs a person. Makes one reading call.",
    "db": "The database's schema.",
    "jobs": "Jobs: one subject's way to what it should have.",
    "events": "Events: what was told to us.",
    "people": "People on the roster.",
    "roster": "Who works here, from a file.",
    "policy": "The policy file: what people should have.",
    "holds": "What the brakes stopped, or a silent source.",
    "sources": "Who tells us things.",
    "token": "Access tokens.",
}
_MODULES: Final = {  # of those that are not in worker.cli.commands under their own name
    "demo": "worker.cli.demo.command",
    **dict.fromkeys(("up", "serve", "worker", "bus"), "worker.cli.commands.running"),
    "db": "worker.cli.commands.database",
    "token": "worker.cli.commands.tokens",
}


def application() -> TyperGroup:
    """Return the application with all commands."""
    app = typer.Typer(
        name="mailroster",
        cls=Commands,
        help="Keeps an organisation's Migadu mailboxes in step with its roster.",
        no_args_is_help=True,
        rich_markup_mode=markup(),
        add_completion=False,
    )
    app.callback()(_mailroster)
    group = get_group(app)
    for name, line in _LINES.items():
        group.add_command(Later(name, _MODULES.get(name, f"worker.cli.commands.{name}"), line))
    return group


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"mailroster {version('mailroster')}")
        raise typer.Exit


def _mailroster(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that come before any command."""
