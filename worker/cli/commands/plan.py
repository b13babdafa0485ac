"""``plan``: what would be done, without doing it."""

from dataclasses import asdict
from typing import Annotated

import typer

from worker.cli.commands.submit import require_source
from worker.cli.documents import read_events
from worker.cli.opening import opened
from worker.cli.options import Json, PolicyFile, SourceName
from worker.cli.output import moment, say, show_json
from worker.cli.steps import show_step
from worker.cli.whom import person_meant
from worker.deployment import Deployment, read_policy
from worker.execution.preview import OfEvents, OfEverybody, OfPerson, Preview, Question, preview
from worker.execution.previewed import DRIFT, SubjectPlan
from worker.store.database import Session
from worker.store.policies import active_policy
from worker.web.objects import instant


def plan(
    *,
    event: Annotated[str | None, typer.Option(metavar="FILE|-", help="What these events would bring about.")] = None,
    person: Annotated[str | None, typer.Option(metavar="KEY", help="What would be done for this person.")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="What would be done for everybody.")] = False,
    policy: PolicyFile = None,
    source: SourceName = "import",
    as_json: Json = False,
) -> None:
    """Show the exact calls that would be made, before and after per field, and change nothing.

    Only reads are made at the mail host. Exits with 3 if something could not go ahead without a person.
    """
    if (event is not None) + (person is not None) + everybody != 1:
        raise typer.BadParameter("say what for: one of --event FILE, --person KEY or --all")
    with opened() as deployment:
        deployment.require_credentials()
        question = _question(deployment, event, person, source)
        text = read_policy(policy)[1] if policy else _inactive(deployment)
        found = preview(deployment.execution, deployment.intake, question, text)
    if as_json:
        show_json(_shown(found))
    else:
        _show(found)
    if any(each.stopped and each.stopped != DRIFT for each in found.subjects):
        raise typer.Exit(3)


def _question(deployment: Deployment, event: str | None, person: str | None, source: str) -> Question:
    if event is not None:
        require_source(deployment, source)
        return OfEvents(source, read_events(event))
    if person is not None:
        with deployment.database.read() as session:
            return OfPerson(person_meant(session, person).id)
    return OfEverybody()


def _inactive(deployment: Deployment) -> str | None:
    """Return the configured policy's text where none is active yet."""
    with deployment.database.read() as session:
        if _is_any_active(session):
            return None
    return read_policy(deployment.settings.policy)[1]


def _is_any_active(session: Session) -> bool:
    return active_policy(session) is not None


def _show(found: Preview) -> None:
    for note in found.notes:
        say(note)
    shown = [each for each in found.subjects if _says_something(each) or len(found.subjects) == 1]
    for each in shown:
        _show_subject(each)
    if len(shown) < len(found.subjects):
        say(f"The others ({len(found.subjects) - len(shown)}) are as they should be.")
    say(
        f"{found.writes + found.reads} calls ({found.writes} writing, {found.reads} reading); the call limit makes "
        f"them take {found.seconds:.0f} s. Nothing was changed.",
    )


def _says_something(each: SubjectPlan) -> bool:
    return bool(each.plan.steps or each.stopped or each.plan.note)


def _show_subject(each: SubjectPlan) -> None:
    address = f"<{each.address}>" if each.address and each.address != each.name else ""
    say(" ".join(part for part in (each.name, address) if part) or f"{each.kind.value} {each.key}")
    if each.stopped:
        say(f"  stopped: {each.stopped}", style="yellow")
    elif not each.plan.steps:
        say("  nothing to do")
    for step in each.plan.steps:
        show_step(step)
    if each.plan.note:
        say(f"  note: {each.plan.note}")
    if each.next_at:
        say(f"  next: {each.next_step or 'a look'} at {moment(each.next_at)}")


def _shown(found: Preview) -> dict[str, object]:
    return {
        "subjects": [_subject(each) for each in found.subjects],
        "notes": list(found.notes),
        "calls": found.writes + found.reads,
        "writes": found.writes,
        "reads": found.reads,
        "seconds": found.seconds,
    }


def _subject(each: SubjectPlan) -> dict[str, object]:
    return {
        "subject": {"kind": each.kind.value, "key": each.key},
        "name": each.name,
        "address": each.address,
        "steps": [asdict(step) for step in each.plan.steps],
        "planHash": each.plan.hash if each.plan.steps else None,
        "note": each.plan.note,
        "stopped": each.stopped,
        "nextChangeAt": instant(each.next_at),
        "nextStep": each.next_step,
    }
