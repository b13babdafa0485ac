"""``plan``: what would be done, without doing it; under a policy that is not in force, what the change alone brings."""

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.commands.submit import require_source
from worker.cli.documents import read_events
from worker.cli.opening import opened
from worker.cli.options import Json, PolicyFile, SourceName
from worker.cli.output import show_json
from worker.cli.plans_shown import preview_object, show_preview
from worker.cli.whom import person_meant
from worker.deployment import Deployment, read_policy
from worker.execution.compared import Difference, compare
from worker.execution.preview import OfEvents, OfEverybody, OfPerson, Preview, Question, preview
from worker.store.policies import active_policy


def plan(
    *,
    event: Annotated[str | None, typer.Option(metavar="FILE|-", help="What these events would bring about.")] = None,
    person: Annotated[str | None, typer.Option(metavar="KEY", help="What would be done for this person.")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="What would be done for everybody.")] = False,
    policy: PolicyFile = None,
    source: SourceName = "import",
    details: Annotated[bool, typer.Option("--details", help="Every call, however many there are.")] = False,
    as_json: Json = False,
) -> None:
    """Show the exact calls that would be made, before and after per field, and change nothing.

    With --policy, what the change of policy alone brings comes first; with nothing else, for everybody. Many calls are
    grouped. Only reads are made at the mail host. Exits with 3 if something could not go ahead without a person.
    """
    if (event is not None) + (person is not None) + (everybody or _is_alone(policy, event, person)) != 1:
        raise typer.BadParameter("say what for: one of --event FILE, --person KEY, --all, or --policy FILE by itself")
    with opened() as deployment:
        deployment.require_credentials()
        question = _question(deployment, event, person, source)
        found, difference = _preview(deployment, question, policy)
    if as_json:
        show_json(preview_object(found, difference))
    else:
        show_preview(found, difference, details=details)
    is_held = difference is not None and difference.admission.exceeds
    if is_held or any(each.needs_a_person for each in found.subjects):
        raise typer.Exit(3)


def _is_alone(policy: Path | None, event: str | None, person: str | None) -> bool:
    return policy is not None and event is None and person is None


def _preview(deployment: Deployment, question: Question, policy: Path | None) -> tuple[Preview, Difference | None]:
    """Preview under the policy in force; under another one, compared with that where there is one."""
    with deployment.database.read() as session:
        active = active_policy(session)
    rooms = deployment.execution, deployment.intake
    if policy is None:
        return preview(*rooms, question, None if active else read_policy(deployment.settings.policy)[1]), None
    other, text = read_policy(policy)
    if active is None or active[0] == other.hash:
        return preview(*rooms, question, text), None
    return compare(*rooms, question, active[1], text)


def _question(deployment: Deployment, event: str | None, person: str | None, source: str) -> Question:
    if event is not None:
        require_source(deployment, source)
        return OfEvents(source, read_events(event))
    if person is not None:
        with deployment.database.read() as session:
            return OfPerson(person_meant(session, person).id)
    return OfEverybody()
