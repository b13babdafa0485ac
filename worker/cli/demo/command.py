"""``mailroster demo``: what may be said on the command line."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from worker.cli.demo.week import Delivery, events_of, sample_week
from worker.cli.options import Json
from worker.clock import SystemClock

_EVENTS = typer.Option(
    "--events",
    metavar="FILE",
    exists=True,
    dir_okay=False,
    help="Canonical events to send: one, an array, or one a line.",
)
_KEEP = typer.Option("--keep", help="Leave it running afterwards, and print where.")


def demo(
    events: Annotated[Path | None, _EVENTS] = None,
    keep: Annotated[bool, _KEEP] = False,
    as_json: Json = False,
) -> None:
    """Show it all at work: a sandbox mail host, an empty database, and a sample week of signed events.

    Exits 0 only if every job ended as expected, 3 if something is held or parked.
    """
    started_s = time.monotonic()
    deliveries = _deliveries(events)
    from worker.cli.demo.run import Wanted, run  # noqa: PLC0415 - it imports everything, and other commands need none

    wanted = Wanted(deliveries, is_sample=events is None, keep=keep, as_json=as_json, started_s=started_s)
    raise typer.Exit(run(wanted))


def _deliveries(events: Path | None) -> Sequence[Delivery]:
    return sample_week(SystemClock().now()) if events is None else events_of(events)
