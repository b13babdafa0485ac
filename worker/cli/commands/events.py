"""``events``: what was told to us, and what an operator does with what could not be applied."""

from typing import Annotated

import typer

from worker.cli.commands.reapplying import replay
from worker.cli.failed import Failed
from worker.cli.opening import actor, opened
from worker.cli.options import After, Id, Json
from worker.cli.output import moment, say, show_json, show_table
from worker.cli.undone import show_undone
from worker.execution import event_verbs, undo
from worker.mail import counted
from worker.store import events, inbox
from worker.store.database import Session
from worker.store.states import EventState
from worker.store.tables import EventRow
from worker.web.objects import event_detail, event_object, listing


def commands() -> typer.Typer:
    """Return the group."""
    group = typer.Typer(no_args_is_help=True)
    group.command("list")(list_events)
    group.command()(show)
    group.command()(retry)
    group.command()(dismiss)
    group.command("undo")(undo_event)
    group.command()(replay)
    return group


def list_events(
    *,
    state: Annotated[list[EventState] | None, typer.Option(help="Only events in this state; may be repeated.")] = None,
    after: After = 0,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
    as_json: Json = False,
) -> None:
    """List events, oldest first. Exits with 0 also where one is parked; `events show` and `why` tell by 3."""
    with opened() as deployment, deployment.database.read() as session:
        rows = inbox.page(session, state or (), after=after, limit=limit + 1)
    if as_json:
        show_json(listing("events", [event_object(row) for row in rows], limit=limit))
        return
    shown = [
        (row.id, row.source, row.type, row.subject, moment(row.received_at), row.state.value, row.reason)
        for row in rows[:limit]
    ]
    columns = ("id", "source", "type", "subject", "received", "state", "why")
    show_table(columns, shown, empty="There are no such events.")
    if len(rows) > limit:
        say(f"There are more: --after {rows[limit - 1].id}")


def show(event_id: Id, *, as_json: Json = False) -> None:
    """Show an event as it was received, and what came of it. Exits with 3 if it is parked: then it needs a person."""
    with opened() as deployment, deployment.database.read() as session:
        row = events.get(session, event_id)
        if row is None:
            raise Failed(f"there is no event {event_id}")
        if as_json:
            show_json(event_detail(session, row, personal=True))
        else:
            _show(session, row)
    if row.state is EventState.PARKED:
        raise typer.Exit(3)


def retry(event_id: Id) -> None:
    """Have an event applied now that was parked or dismissed, or that failed and waits; its failures are forgotten."""
    with opened(ringing=True) as deployment:
        event_verbs.retry(deployment.database, deployment.clock, deployment.bell, event_id, actor())
    say(f"event {event_id} is accepted, and is applied as soon as a worker is free")


def dismiss(
    event_id: Id,
    *,
    reason: Annotated[str, typer.Option(help="Why, for the audit.")] = "dismissed by an operator",
) -> None:
    """Give a parked event up, so that it counts nowhere. It is kept; `events retry` has it applied after all."""
    with opened() as deployment:
        event_verbs.dismiss(deployment.database, deployment.clock, event_id, actor(), reason=reason)
    say(f"event {event_id} is dismissed")


def undo_event(event_id: Id, *, as_json: Json = False) -> None:
    """Restore what held before the job that came of an event, as `jobs undo` does."""
    with opened(ringing=True) as deployment:
        undone = undo.undo_event(deployment.intake, event_id, actor())
    if as_json:
        show_json({"person": str(undone.person_id), "events": [str(each) for each in undone.events]})
    else:
        show_undone(undone)


def _show(session: Session, row: EventRow) -> None:
    said = row.type or "something that is no event"
    say(f"event {row.id}: {row.source} says {said} of {row.subject or 'nobody'}, {row.state.value}", style="bold")
    if row.reason:
        say(f"  {row.reason}")
    if row.failures:
        again = f", and is tried again at {moment(row.retry_at)}" if row.retry_at else ""
        say(f"  failed {counted(row.failures, 'time')}{again}")
    say(f"  happened {moment(row.time)}, received {moment(row.received_at)}, applied {moment(row.applied_at)}")
    if row.person_id is not None:
        say(f"  about person {row.person_id}: `mailroster why {row.person_id}`")
    if (job := undo.job_of_event(session, row)) is not None:
        say(f"  job {job.id} came of it, which is {job.state.value}: `mailroster jobs show {job.id}`")
    if row.state is EventState.PARKED:
        say(f"  mend the cause, then `mailroster events retry {row.id}`; or `mailroster events dismiss {row.id}`")
    show_json(row.document)
