"""``people merge`` and ``people split``: an operator decides whose records are whose."""

from typing import Annotated

import typer

from worker.cli.failed import Failed
from worker.cli.opening import actor, opened
from worker.cli.options import Json
from worker.cli.output import say, show_json
from worker.cli.whom import person_meant
from worker.deployment import Deployment
from worker.intake import merging
from worker.intake.merging import Account

_DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would do, and change nothing.")]


def merge(
    keep: Annotated[str, typer.Argument(metavar="KEEP", help="Who stays, with their mailbox if they have one.")],
    other: Annotated[str, typer.Argument(metavar="OTHER", help="Who turns out to be the same person.")],
    *,
    dry_run: _DryRun = False,
    as_json: Json = False,
) -> None:
    """Make two people one. `people split KEEP` with the records that came takes it back exactly.

    Everything that sources said of both counts for the one, and no later event links otherwise. What operators said of
    the other stays behind. Refused while both have a mailbox: nothing is deleted by this.
    """
    with opened(ringing=not dry_run) as deployment:
        kept_id, other_id = _id(deployment, keep), _id(deployment, other)
        account = merging.merge(deployment.intake, kept_id, other_id, actor=actor(), dry_run=dry_run)
    _tell(account, dry_run=dry_run, as_json=as_json)


def split(
    who: Annotated[str, typer.Argument(metavar="PERSON", help="Who has records of somebody else.")],
    records: Annotated[list[str], typer.Argument(metavar="SOURCE/SUBJECT...", help="Those of somebody else.")],
    *,
    dry_run: _DryRun = False,
    as_json: Json = False,
) -> None:
    """Give records of a person to another: a new one, or whom a merge took them from. `people merge` takes it back.

    The mailbox stays with PERSON, unless the merge that is taken back had brought it.
    """
    keys = [_key(text) for text in records]
    with opened(ringing=not dry_run) as deployment:
        person_id = _id(deployment, who)
        account = merging.split(deployment.intake, person_id, keys, actor=actor(), dry_run=dry_run)
    _tell(account, dry_run=dry_run, as_json=as_json)


def _id(deployment: Deployment, who: str) -> int:
    with deployment.database.read() as session:
        return person_meant(session, who).id


def _key(text: str) -> tuple[str, str]:
    source, slash, subject = text.partition("/")
    if not (source and slash and subject):
        raise Failed(f"{text!r} is no record: write SOURCE/SUBJECT, as `mailroster people show` lists them")
    return source, subject


def _tell(account: Account, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        other = str(account.other_id) if account.other_id is not None else None
        show_json({"person": str(account.person_id), "other": other, "dryRun": dry_run, "changes": list(account.said)})
        return
    for sentence in account.said:
        say(sentence)
    if dry_run:
        say("Nothing was changed.")
    elif account.other_id is not None:
        say(f"Done: person {account.person_id} and person {account.other_id}.")
