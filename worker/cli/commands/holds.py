"""``holds``: what the brakes stopped, and the decision about it."""

from typing import Annotated

import typer

from worker.cli.commands.jobs import subjects_of
from worker.cli.opening import actor, opened
from worker.cli.options import Json
from worker.cli.output import moment, say, show_json
from worker.execution import verbs
from worker.store import holds
from worker.store.database import Session
from worker.store.holds import Hold
from worker.store.steps import planned
from worker.web.objects import hold_object, jobs_of_hold, listing

HoldId = Annotated[int, typer.Argument(metavar="ID")]


def commands() -> typer.Typer:
    """Return the group."""
    group = typer.Typer(name="holds", help="What the brakes stopped.", no_args_is_help=True)
    group.command("list")(list_holds)
    group.command()(approve)
    group.command()(reject)
    return group


def list_holds(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Those that were decided, too.")] = False,
    as_json: Json = False,
) -> None:
    """List what waits for a decision, with the hash that an approval must name. Exits with 0 whatever it lists."""
    with opened() as deployment, deployment.database.read() as session:
        found = holds.list_holds(session, None if everything else holds.HoldState.OPEN)
        if as_json:
            shown = [hold_object(hold, jobs_of_hold(session, hold)) for hold in found]
            show_json(listing("holds", shown, limit=len(shown)))
            return
        for hold in found:
            _show(session, hold)
    if not found:
        say("Nothing is held by a brake.")


def approve(
    hold_id: HoldId,
    *,
    plan: Annotated[str, typer.Option(metavar="HASH", help="The hash that `holds list` shows.")],
) -> None:
    """Let pass what a brake stopped, if it is still what you looked at."""
    with opened(ringing=True) as deployment:
        number = verbs.approve_hold(deployment.database, deployment.clock, deployment.bell, hold_id, actor(), plan=plan)
    say(f"hold {hold_id} is approved: {number} jobs go on")


def reject(hold_id: HoldId) -> None:
    """Dismiss the jobs that a brake stopped."""
    with opened(ringing=True) as deployment:
        number = verbs.reject_hold(deployment.database, deployment.clock, deployment.bell, hold_id, actor())
    say(f"hold {hold_id} is rejected: {number} jobs are dismissed")


def _show(session: Session, hold: Hold) -> None:
    say(f"hold {hold.id}: the brake on {hold.brake.value} of {hold.source}, {hold.state.value}", style="bold")
    say(f"  since {moment(hold.opened_at)}: {hold.counted} already, {hold.allowed} allowed for {hold.population}")
    stopped = jobs_of_hold(session, hold)
    for row, subject in zip(stopped, subjects_of(session, stopped), strict=True):
        calls = ", ".join(f"{step.operation.value} {step.target}" for step in planned(row))
        say(f"  job {row.id}: {subject}: {calls}")
    if hold.state is holds.HoldState.OPEN:
        say(f"  mailroster holds approve {hold.id} --plan {hold.hash}")
    else:
        say(f"  decided {moment(hold.decided_at)} by {hold.decided_by}")
