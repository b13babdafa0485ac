"""``schedule``: what will happen to whom, when, and until when it can be undone."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated

import typer

from worker.cli.failed import Failed
from worker.cli.opening import opened
from worker.cli.options import Json
from worker.cli.output import moment, show_json, show_table
from worker.deployment import Deployment
from worker.mail import counted
from worker.policy import load_policy
from worker.store.database import Session
from worker.store.policies import active_policy
from worker.store.schedule import Coming, coming
from worker.web.objects import change_object


def schedule(
    *,
    days: Annotated[int, typer.Option(min=1, max=36_500, help="How far to look ahead.")] = 30,
    as_json: Json = False,
) -> None:
    """Show what will happen by itself, soonest first, each in the zone of the person, and until when it can be undone.

    It holds if nobody says anything new until then and everything is done when it is due. What is due and not done yet
    comes first.
    """
    with opened() as deployment, deployment.database.read() as session:
        now = deployment.clock.now()
        found = _coming(deployment, session, now, now + timedelta(days=days))
        if as_json:
            show_json({"changes": [_object(each) for each in found], "next": None})
            return
        lines = [_line(each, now) for each in found]
    columns = ("when", "person", "name", "what", "can be undone until")
    show_table(columns, lines, empty=f"Nothing changes by itself within {counted(days, 'day')}.")


def _coming(deployment: Deployment, session: Session, now: datetime, until: datetime) -> Iterator[Coming]:
    active = active_policy(session)
    if active is None:
        raise Failed("no policy is active yet: a worker activates the policy file when it starts")
    return coming(session, load_policy(active[1]), deployment.sources.precedence, now, until)


def _object(each: Coming) -> dict[str, object]:
    about = {"person": str(each.person_id), "name": each.name, "address": each.address, "zone": each.zone.key}
    return about | change_object(each.change, each.zone)


def _line(each: Coming, now: datetime) -> tuple[object, ...]:
    due = " (due)" if each.change.at <= now else ""
    return (
        f"{moment(each.change.at, each.zone)}{due}",
        each.person_id,
        each.name,
        each.change.step,
        way_back(each),
    )


def way_back(each: Coming) -> str:
    """Return in words until when a change can be undone, in the person's zone."""
    if each.change.irreversible:
        return "cannot be undone"
    if each.change.undoable_until is None:
        return "without end"
    return moment(each.change.undoable_until, each.zone)
