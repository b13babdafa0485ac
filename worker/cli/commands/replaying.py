"""``sources replay``: what a source delivered, read once more by today's configuration."""

from collections import Counter
from typing import Annotated, Final

import typer

from worker.cli.failed import Failed
from worker.cli.opening import actor, opened
from worker.cli.options import Json, Moment
from worker.cli.output import say, show_json
from worker.cli.usage import read_id
from worker.deployment import Deployment
from worker.intake.replay import Outcome, Told, Wanted
from worker.intake.replay import replay as replayed
from worker.intake.source_health import watched
from worker.mail import counted
from worker.store import audit, deliveries
from worker.web.reading import reader

_WORDS: Final = {
    Outcome.ACCEPTED: "not in the inbox before: accepted",
    Outcome.CHANGED: "read otherwise than before: accepted as a new reading",
    Outcome.SAME: "read as before: nothing changes",
    Outcome.ASKED: "tell who changed: their records are asked for once more",
    Outcome.CONFLICT: "came under the id of another one: never applied",
    Outcome.REFUSED: "still refused",
    Outcome.UNOPENED: "sealed under a key that is not ours",
}
_FOR_A_PERSON = (Outcome.REFUSED, Outcome.UNOPENED)
_MOST_SAID = 10


def replay(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The source whose deliveries are read once more.")],
    *,
    since: Moment = None,
    until: Moment = None,
    delivery: Annotated[int | None, typer.Option(metavar="ID", parser=read_id, help="This delivery alone.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would come of it, and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Read what a source delivered by today's configuration, and accept what is new; times are UTC.

    May be repeated and interrupted. Exits with 3 if something is still refused.
    """
    wanted = Wanted(name, since, until, delivery)
    with opened(ringing=not dry_run) as deployment:
        _require(deployment, name)
        told = list(replayed(deployment.intake, wanted, reader(deployment.sources, name), dry_run=dry_run))
        counts = Counter(each.outcome for each in told)
        if not dry_run:
            _record(deployment, name, counts)
    number = len({each.delivery for each in told})
    if as_json:
        show_json({"source": name, "dryRun": dry_run, "deliveries": number, **_shown(told, counts)})
    else:
        _say(told, counts, number, dry_run=dry_run)
    if any(counts[each] for each in _FOR_A_PERSON):
        raise typer.Exit(3)


def _require(deployment: Deployment, name: str) -> None:
    """Return if there is such a source, or was one of which deliveries are left."""
    with deployment.database.read() as session:
        known = [each.name for each in watched(session, deployment.sources.by_name)]
        if name not in known and not deliveries.of_source(session, name)[0]:
            raise Failed(f"there is no source {name!r}; known are {', '.join(known) or 'none'}")


def _record(deployment: Deployment, name: str, counts: Counter[Outcome]) -> None:
    with deployment.database.write() as session:
        detail = {outcome.value: number for outcome, number in counts.items()}
        audit.record(session, actor(), "sources.replay", name, detail, deployment.clock.now())


def _shown(told: list[Told], counts: Counter[Outcome]) -> dict[str, object]:
    news = [each for each in told if each.outcome not in (Outcome.SAME, Outcome.ASKED)]
    return {
        "counts": {outcome.value: counts[outcome] for outcome in Outcome},
        "told": [
            {
                "delivery": str(each.delivery),
                "outcome": each.outcome.value,
                "event": None if each.event is None else str(each.event),
                "said": each.said,
            }
            for each in news
        ],
    }


def _say(told: list[Told], counts: Counter[Outcome], number: int, *, dry_run: bool) -> None:
    say(counted(number, "delivery") + (", and nothing is changed: this is a dry run" if dry_run else ""))
    for outcome in Outcome:
        if counts[outcome]:
            say(f"  {counts[outcome]} {_WORDS[outcome]}")
    reasons = [f"  delivery {each.delivery}: {each.said}" for each in told if each.said]
    for reason in reasons[:_MOST_SAID]:
        say(reason)
    if more := len(reasons[_MOST_SAID:]):
        say(f"  and {more} more, which --json shows")
