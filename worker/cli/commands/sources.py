"""``sources``: who tells us things, how each fares, whether it would be heard, and what it told once more."""

from typing import Annotated

import typer

from worker.cli.commands.replaying import replay
from worker.cli.commands.trying import try_source
from worker.cli.failed import Failed
from worker.cli.opening import actor, opened
from worker.cli.options import Json
from worker.cli.output import moment, say, show_json, show_table
from worker.deployment import Deployment
from worker.intake.source_health import Health, health_of, health_of_all, span, watched
from worker.mail import counted
from worker.store import audit, deliveries, hint_pauses, hints
from worker.store.database import Session
from worker.store.source_health import Counts
from worker.web.objects import instant, listing
from worker.web.source_objects import source_object

Name = Annotated[str, typer.Argument(metavar="NAME", help="A source of the sources file, or another way in.")]


def commands() -> typer.Typer:
    """Return the group."""
    group = typer.Typer(no_args_is_help=True)
    group.command("list")(list_sources)
    group.command()(show)
    group.command("test")(try_source)
    group.command()(replay)
    group.command()(retry)
    return group


def list_sources(*, as_json: Json = False) -> None:
    """List all sources: when each was heard, and what came of it in the last day. Exits with 3 if an alarm stands."""
    with opened() as deployment, deployment.database.read() as session:
        now = deployment.clock.now()
        found = health_of_all(session, deployment.sources.by_name, now)
    if as_json:
        show_json(listing("sources", [source_object(each, now) for each in found], limit=len(found)))
    else:
        columns = ("source", "kind", "last heard", "accepted", "repeated", "rejected", "unsigned", "lag", "alarms")
        show_table(columns, map(_row, found), empty="There is no source: write one into the sources file.")
        _say_alarms(found)
    _exit_for(found)


def show(name: Name, *, as_json: Json = False) -> None:
    """Show how one source fares, and what of it can be replayed. Exits with 3 if an alarm stands."""
    with opened() as deployment, deployment.database.read() as session:
        now = deployment.clock.now()
        found = _health(session, deployment, name)
        kept, oldest = deliveries.of_source(session, name)
        outstanding = {state.value: number for state, number in hints.outstanding(session).get(name, {}).items()}
    if as_json:
        show_json(
            source_object(found, now)
            | {"deliveriesKept": kept, "oldestDeliveryAt": instant(oldest), "hints": outstanding}
        )
    else:
        _say(found)
        since = f"{kept} since {moment(oldest)}" if kept else "none"
        say(f"kept to be replayed: {since}")
        if outstanding:
            say(f"records to be asked for: {', '.join(f'{number} {state}' for state, number in outstanding.items())}")
        _say_alarms([found])
    _exit_for([found])


def retry(name: Name, *, as_json: Json = False) -> None:
    """Ask a source at once for the records that could not be had, and end its pause."""
    with opened(ringing=True) as deployment:
        now = deployment.clock.now()
        with deployment.database.write() as session:
            _health(session, deployment, name)
            hint_pauses.end_now(session, source=name)
            number = hints.retry(session, now, source=name)
            audit.record(session, actor(), "sources.retry", name, {"hints": number}, now)
        deployment.bell.ring_hydrate()
    if as_json:
        show_json({"source": name, "hints": number})
    else:
        say(f"{counted(number, 'record')} will be asked for once more")


def _health(session: Session, deployment: Deployment, name: str) -> Health:
    known = watched(session, deployment.sources.by_name)
    found = next((each for each in known if each.name == name), None)
    if found is None:
        listed = ", ".join(each.name for each in known) or "none"
        raise Failed(f"there is no source {name!r} in {deployment.settings.sources}; known are {listed}")
    return health_of(session, found, deployment.clock.now())


def _row(health: Health) -> tuple[object, ...]:
    heard, day = health.heard, health.heard.day
    lag = span(heard.lag) if heard.lag is not None else None
    alarms = ", ".join(each.kind for each in health.alarms)
    numbers = (day.accepted, day.repeated, day.rejected, day.refused)
    return (health.source.name, health.source.kind, heard.last_at, *numbers, lag, alarms)


def _say(health: Health) -> None:
    source, heard = health.source, health.heard
    say(f"{source.name}: {source.kind or 'not in the sources file'}")
    say(f"last heard: {moment(heard.last_at)}")
    if heard.failure is not None:
        say(
            f"last failure: {moment(heard.failure.at)}, {heard.failure.kind}: {heard.failure.said or 'no reason known'}"
        )
    for when, counts in (("last day", heard.day), ("last 7 days", heard.week)):
        say(f"{when}: {_counted(counts)}")
    if heard.lag is not None:
        say(f"lag: the newest events reached us {span(heard.lag)} after they happened")
    if heard.waiting_since is not None:
        say(f"waits to be applied: the oldest since {moment(heard.waiting_since)}")


def _counted(counts: Counts) -> str:
    return (
        f"{counts.accepted} accepted, {counts.repeated} repeated, {counts.rejected} rejected, {counts.parked} parked, "
        f"{counts.refused} not signed by it, {counts.turned_away} turned away unread, "
        f"{counted(counts.without_event, 'delivery')} without an event"
    )


def _say_alarms(found: list[Health]) -> None:
    for health in found:
        for alarm in health.alarms:
            say(f"{health.source.name}: {alarm.said}", style="yellow")
            say(f"{health.source.name}: {alarm.mend}")


def _exit_for(found: list[Health]) -> None:
    if any(health.alarms for health in found):
        raise typer.Exit(3)
