"""``jobs``: look at them, run one again, give one up, take one back."""

from collections.abc import Mapping, Sequence
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from worker.cli.failed import Failed
from worker.cli.opening import actor, opened
from worker.cli.options import After, Id, Json
from worker.cli.output import moment, say, show_json, show_table
from worker.cli.steps import show_held_plan, show_step
from worker.cli.undone import show_undone
from worker.cli.whom import person_meant
from worker.deployment import Deployment
from worker.execution import undo as undoing
from worker.execution import verbs
from worker.store import jobs, people
from worker.store.database import Session
from worker.store.jobs import JobFilter
from worker.store.states import JobState
from worker.store.steps import attempts_of, of_job, to_step
from worker.store.subjects import SubjectKind
from worker.store.tables import JobRow
from worker.store.undos import ways_back
from worker.store.zones import Zones, zones
from worker.web.objects import job_detail, job_objects, listing

NEEDS_A_PERSON = (JobState.HELD, JobState.PARKED)


def commands() -> typer.Typer:
    """Return the group."""
    group = typer.Typer(no_args_is_help=True)
    group.command("list")(list_jobs)
    group.command()(show)
    group.command()(retry)
    group.command()(dismiss)
    group.command()(undo)
    return group


def list_jobs(
    *,
    state: Annotated[list[JobState] | None, typer.Option(help="Only jobs in this state; may be repeated.")] = None,
    person: Annotated[str | None, typer.Option(metavar="PERSON", help="Only jobs of this person.")] = None,
    after: After = 0,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 1000,
    as_json: Json = False,
) -> None:
    """List jobs, oldest first. Exits with 0 also where one is held or parked; `jobs show` and `why` tell by 3."""
    with opened() as deployment, deployment.database.read() as session:
        person_id = person_meant(session, person).id if person else None
        wanted = JobFilter(states=tuple(state or ()), person_id=person_id)
        rows = jobs.page(session, wanted, after=after, limit=limit + 1)
        if as_json:
            show_json(listing("jobs", job_objects(session, rows), limit=limit))
            return
        told = zip(rows[:limit], subjects_of(session, rows[:limit]), strict=True)
        local = _zones(session, deployment, rows[:limit])
        shown = [
            (row.id, subject, row.state.value, moment(row.run_at, local.of(row.person_id)), row.reason)
            for row, subject in told
        ]
    show_table(("id", "subject", "state", "run at", "why"), shown, empty="There are no such jobs.")
    if len(rows) > limit:
        say(f"There are more: --after {rows[limit - 1].id}")


def show(job_id: Id, *, as_json: Json = False) -> None:
    """Show a job with its calls. Exits with 3 if it is held or parked: then it needs a person."""
    with opened() as deployment, deployment.database.read() as session:
        row = jobs.get(session, job_id)
        if row is None:
            raise Failed(f"there is no job {job_id}")
        if as_json:
            show_json(job_detail(session, row))
        else:
            _show(session, row, _zones(session, deployment, [row]).of(row.person_id))
    if row.state in NEEDS_A_PERSON:
        raise typer.Exit(3)


def retry(job_id: Id) -> None:
    """Have a waiting, held or parked job run now, and a dismissed one anew. Brakes: `mailroster holds approve`."""
    with opened(ringing=True) as deployment:
        queued = verbs.retry(deployment.database, deployment.clock, deployment.bell, job_id, actor())
    say(f"job {queued} is queued")


def dismiss(
    job_id: Id,
    *,
    reason: Annotated[str, typer.Option(help="Why, for the audit.")] = "dismissed by an operator",
) -> None:
    """Give a job up. The next event about the person, the next change of members, or `jobs retry` makes a new one."""
    with opened(ringing=True) as deployment:
        verbs.dismiss(deployment.database, deployment.clock, deployment.bell, job_id, actor(), reason=reason)
    say(f"job {job_id} is dismissed")


def undo(job_id: Id, *, as_json: Json = False) -> None:
    """Restore what held before a job, as an operator's word that counts until a source says something newer.

    A departure, a block or a stage: the departure is called off. A suspension or its end: the other. A joining: it is
    called off, and a mailbox that was made goes the way of a departure. A change of facts: the former ones are stated.
    """
    with opened(ringing=True) as deployment:
        undone = undoing.undo(deployment.intake, job_id, actor())
    if as_json:
        show_json({"person": str(undone.person_id), "events": [str(each) for each in undone.events]})
        return
    show_undone(undone)


def subjects_of(session: Session, rows: Sequence[JobRow]) -> list[str]:
    """Return whom or what each of these jobs is about, in words."""
    names = people.names(session, sorted({row.person_id for row in rows if row.person_id is not None}))
    return [_subject(row, names) for row in rows]


def _zones(session: Session, deployment: Deployment, rows: Sequence[JobRow]) -> Zones:
    """Return the zones in which the times of these jobs are told."""
    person_ids = sorted({row.person_id for row in rows if row.person_id is not None})
    return zones(session, deployment.sources.precedence, person_ids)


def _subject(row: JobRow, names: Mapping[int, str]) -> str:
    if row.person_id is None:
        return row.subject_key if row.subject_kind == SubjectKind.SHARED else f"{row.subject_key} ({row.subject_kind})"
    return names.get(row.person_id) or f"person {row.person_id}"


def _show_way_back(session: Session, row: JobRow, zone: ZoneInfo) -> None:
    way = ways_back(session, [row])[row.id]
    if way.undone_by is not None:
        say(f"  undone by event {way.undone_by}")
    elif way.is_open:
        say(f"  undoable {'without end' if way.until is None else f'until {moment(way.until, zone)}'}")


def _show(session: Session, row: JobRow, zone: ZoneInfo) -> None:
    (subject,) = subjects_of(session, [row])
    say(f"job {row.id}: {subject}, {row.state.value}", style="bold")
    if row.reason:
        say(f"  {row.reason}")
    rows = of_job(session, row.id)
    for step in rows:
        show_step(to_step(step), f"{step.state.value}{f' ({step.reason})' if step.reason else ''}")
    show_held_plan(row, rows)
    _show_way_back(session, row, zone)
    _show_attempts(session, row, zone)


def _show_attempts(session: Session, row: JobRow, zone: ZoneInfo) -> None:
    """Print every request that was made: those without a target only looked."""
    target = {step.id: step.target for step in of_job(session, row.id)}
    show_table(
        ("at", "call", "target", "status", "class", "seconds", "answer"),
        [
            (
                f"{each.started_at.astimezone(zone):%Y-%m-%d %H:%M:%S} {zone.key}",
                each.operation,
                target.get(each.step_id or 0),
                each.status,
                each.failure,
                f"{each.duration_s:.2f}",
                each.excerpt,
            )
            for each in attempts_of(session, row.id)
        ],
        empty="  no calls were made",
    )
