"""``events replay``: the stored events applied once more, as after a defect or a restored backup."""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from worker.cli.opening import actor, opened
from worker.cli.options import Json, Moment
from worker.cli.output import say, show_json
from worker.deployment import Deployment
from worker.intake.reapply import UNLESS_TOLD, Outcome, Replayable, Told, Wanted, reapply
from worker.mail import counted
from worker.store import audit

_WORDS: Final = {
    Outcome.SAME: "as they were: nothing changes",
    Outcome.MENDED: "mended: what is known or wanted is another now",
    Outcome.RETRIED: "not applied before: accepted again, their failures forgotten",
    Outcome.FAILED: "cannot be applied",
}
_MOST_SAID = 10


def replay(
    *,
    since: Moment = None,
    source: Annotated[str | None, typer.Option(metavar="NAME", help="Only events of this source.")] = None,
    state: Annotated[
        list[Replayable] | None,
        typer.Option(help="Only events in this state; may be repeated. Those applied and those parked unless given."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would come of it, and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Apply stored events again: people are folded anew, and what was right stays as it is; --since is UTC.

    May be repeated and interrupted. Exits with 3 if something cannot be applied.
    """
    wanted = Wanted(tuple(state or UNLESS_TOLD), source, since)
    with opened(ringing=not dry_run) as deployment:
        counts, news = _heard(reapply(deployment.intake, wanted, dry_run=dry_run))
        if not dry_run:
            _record(deployment, source, counts)
    if as_json:
        show_json({"dryRun": dry_run, "counts": {each.value: counts[each] for each in Outcome}, "told": _shown(news)})
    else:
        _say(counts, news, dry_run=dry_run)
    if counts[Outcome.FAILED]:
        raise typer.Exit(3)


def _heard(told: Iterator[Told]) -> tuple[Counter[Outcome], list[Told]]:
    """Return how often each outcome was, and everything but what stayed as it was."""
    counts: Counter[Outcome] = Counter()
    news: list[Told] = []
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.completed} looked at"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("")
        for each in told:
            counts[each.outcome] += 1
            if each.outcome is not Outcome.SAME:
                news.append(each)
            bar.advance(task)
    return counts, news


def _record(deployment: Deployment, source: str | None, counts: Counter[Outcome]) -> None:
    with deployment.database.write() as session:
        detail = {outcome.value: number for outcome, number in counts.items()}
        audit.record(session, actor(), "events.replay", source or "all sources", detail, deployment.clock.now())


def _shown(news: list[Told]) -> list[dict[str, object]]:
    return [
        {
            "event": str(each.event),
            "source": each.source,
            "subject": each.subject,
            "outcome": each.outcome.value,
            "said": each.said,
        }
        for each in news
    ]


def _say(counts: Counter[Outcome], news: list[Told], *, dry_run: bool) -> None:
    subjects = counts.total() - counts[Outcome.RETRIED]
    say(counted(subjects, "subject") + (", and nothing is changed: this is a dry run" if dry_run else ""))
    for outcome in Outcome:
        if counts[outcome]:
            say(f"  {counts[outcome]} {_WORDS[outcome]}")
    for each in news[:_MOST_SAID]:
        why = f" ({each.said})" if each.said else ""
        say(f"  {each.outcome.value}: {each.subject} of {each.source}, event {each.event}{why}")
    if more := len(news[_MOST_SAID:]):
        say(f"  and {more} more, which --json shows")
