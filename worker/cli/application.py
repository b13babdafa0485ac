"""Every command under its name."""

import sys
from collections.abc import Callable
from typing import Literal

import typer

from worker.cli.commands import (
    adopt,
    database,
    doctor,
    events,
    holds,
    init,
    jobs,
    people,
    plan,
    policy,
    reconcile,
    roster,
    running,
    schedule,
    sources,
    submit,
    tokens,
    why,
)
from worker.cli.demo.command import demo
from worker.cli.usage import Commands


def application() -> typer.Typer:
    """Return the application with all commands."""
    app = typer.Typer(
        name="mailroster",
        cls=Commands,
        help="Keeps an organisation's Migadu mailboxes in step with its roster.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=_markup(),
        add_completion=False,
    )
    for name, command in _alone().items():
        app.command(name)(command)
    for group in (database, jobs, events, people, roster, policy, holds, sources, tokens):
        app.add_typer(group.commands(), rich_help_panel=None)
    return app


def _alone() -> dict[str, Callable[..., None]]:
    return {
        "demo": demo,
        "init": init.init,
        "up": running.up,
        "serve": running.serve,
        "worker": running.worker,
        "bus": running.bus,
        "sandbox": running.sandbox,
        "submit": submit.submit,
        "plan": plan.plan,
        "adopt": adopt.adopt,
        "schedule": schedule.schedule,
        "reconcile": reconcile.reconcile,
        "why": why.why,
        "doctor": doctor.doctor,
    }


def _markup() -> Literal["rich"] | None:
    # Help and usage errors are framed on a terminal only: elsewhere they are plain lines.
    return "rich" if sys.stdout.isatty() and sys.stderr.isatty() else None
