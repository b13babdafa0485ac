"""``holds``: what the brakes stopped, a policy too, or a source that does not answer, and the decision about it."""

from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from worker.cli.commands.jobs import subjects_of
from worker.cli.failed import Failed
from worker.cli.opening import actor, opened
from worker.cli.options import Id, Json
from worker.cli.output import moment, say, show_json
from worker.deployment import Deployment
from worker.execution import verbs
from worker.mail import agreeing, counted
from worker.planning.policy_change import PolicyChange, counted_by
from worker.planning.step import Brake
from worker.store import holds
from worker.store.database import Session
from worker.store.holds import Hold
from worker.store.steps import planned
from worker.store.zones import zones
from worker.web.objects import hold_object, jobs_of_hold, listing


def commands() -> typer.Typer:
    """Return the group."""
    group = typer.Typer(no_args_is_help=True)
    group.command("list")(list_holds)
    group.command()(show)
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
        say("Nothing is held by a brake or a source.")


def show(hold_id: Id, *, as_json: Json = False) -> None:
    """Show one hold, decided or not. Exits with 3 while it waits for a decision."""
    with opened() as deployment, deployment.database.read() as session:
        hold = holds.find_hold(session, hold_id)
        if hold is None:
            raise Failed(f"there is no hold {hold_id}")
        if as_json:
            show_json(hold_object(hold, jobs_of_hold(session, hold)))
        else:
            _show(session, hold)
    if hold.state is holds.HoldState.OPEN:
        raise typer.Exit(3)


def approve(
    hold_id: Id,
    *,
    plan: Annotated[str, typer.Option(metavar="HASH", help="The hash that `holds list` shows.")],
) -> None:
    """Let pass what a brake stopped, or the policy in, if it is still what you looked at."""
    with opened(ringing=True) as deployment:
        number = verbs.approve_hold(deployment.database, deployment.clock, deployment.bell, hold_id, actor(), plan=plan)
        policy = _policy_of(deployment, hold_id)
    if policy is None:
        say(f"hold {hold_id} is approved: {counted(number, 'job')} {agreeing(number, 'goes', 'go')} on")
    else:
        say(f"hold {hold_id} is approved: policy {policy.policy[:12]} is in force")


def reject(hold_id: Id) -> None:
    """Dismiss the jobs that a brake stopped, or keep the policy out."""
    with opened(ringing=True) as deployment:
        number = verbs.reject_hold(deployment.database, deployment.clock, deployment.bell, hold_id, actor())
        policy = _policy_of(deployment, hold_id)
    if policy is None:
        say(f"hold {hold_id} is rejected: {counted(number, 'job')} {agreeing(number, 'is', 'are')} dismissed")
    else:
        say(f"hold {hold_id} is rejected: policy {policy.in_force[:12]} stays in force")


def _policy_of(deployment: Deployment, hold_id: int) -> PolicyChange | None:
    with deployment.database.read() as session:
        hold = holds.find_hold(session, hold_id)
    return hold.policy if hold else None


def _show(session: Session, hold: Hold) -> None:
    zone = zones(session, {}).organisation
    if hold.policy is not None:
        _show_policy(hold, hold.policy, zone)
    else:
        _show_jobs(session, hold, zone)
    if hold.state is holds.HoldState.OPEN:
        say(f"  mailroster holds approve {hold.id} --plan {hold.hash}")
    else:
        say(f"  decided {moment(hold.decided_at, zone)} by {hold.decided_by}")


def _show_jobs(session: Session, hold: Hold, zone: ZoneInfo) -> None:
    if hold.brake is None:
        what, why = f"{hold.source} must agree and does not answer", "what cannot be undone waits for it"
    else:
        what = f"the brake on {hold.brake.value} of {hold.source}"
        why = f"{hold.counted} already, {hold.allowed} allowed for {counted(hold.population, counted_by(hold.brake))}"
        why += "; those that are about to go count, too" if hold.brake is Brake.LISTS else ""
    say(f"hold {hold.id}: {what}, {hold.state.value}", style="bold")
    say(f"  since {moment(hold.opened_at, zone)}: {why}")
    stopped = jobs_of_hold(session, hold)
    for row, subject in zip(stopped, subjects_of(session, stopped), strict=True):
        calls = ", ".join(f"{step.operation.value} {step.target}" for step in planned(row))
        say(f"  job {row.id}: {subject}: {calls}")


def _show_policy(hold: Hold, change: PolicyChange, zone: ZoneInfo) -> None:
    say(f"hold {hold.id}: policy {change.policy[:12]} is not put into force, {hold.state.value}", style="bold")
    say(f"  since {moment(hold.opened_at, zone)}: by itself it {change}")
    if hold.state is holds.HoldState.OPEN:
        say(f"  policy {change.in_force[:12]} stays in force; `mailroster plan --all --policy FILE` shows each call")
