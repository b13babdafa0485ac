"""``sandbox``: the stand-in Migadu. A module of its own, because it needs nothing of the rest and starts at once."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from worker import sandbox as stand_in
from worker.cli.failed import Failed
from worker.cli.output import say
from worker.cli.stopping import stopped_by_signals
from worker.log import configure_logging

T = TypeVar("T")

_LATENCY = "How long each call waits before it is applied: SECONDS, or drawn from LOW-HIGH, as in 0.5-0.8."


def sandbox(
    *,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 8026,
    seed: Annotated[
        Path | None,
        typer.Option(metavar="FILE", exists=True, dir_okay=False, help="JSON to begin with, as /_sandbox/state."),
    ] = None,
    rate_limit: Annotated[str, typer.Option(metavar="CALLS/SECONDS|off", help="Its call limit.")] = "60/120",
    block: Annotated[
        float | None,
        typer.Option(min=0, metavar="SECONDS", help="How long nothing passes above the limit; else one window."),
    ] = None,
    latency: Annotated[str, typer.Option(metavar="SECONDS|LOW-HIGH", help=_LATENCY)] = "0",
) -> None:
    """Run the stand-in Migadu alone, until SIGINT or SIGTERM. It needs no database, no settings and no network.

    Its control (state, seed, calls, faults, reset) is below /_sandbox, for this machine only; the README has a chapter.
    """
    configure_logging()
    limit = _option("--rate-limit", stand_in.parse_rate_limit, rate_limit)
    latency_s = _option("--latency", stand_in.parse_latency, latency)
    with stopped_by_signals():
        try:
            stand_in.serve(
                port=port,
                seed=stand_in.read_seed(seed.read_bytes()) if seed else None,
                rate_limit=limit,
                block_s=block,
                latency_s=latency_s,
                announce=lambda url: say(
                    f"sandbox at {url}/v1 (admin@example.org, sandbox-key); control at {url}/_sandbox"
                ),
            )
        except stand_in.InvalidSeed as error:
            raise Failed(f"{seed}: {error}") from error
        except OSError as error:
            raise Failed(f"port {port} cannot be had: {error.strerror or error}") from error


def _option(name: str, parse: Callable[[str], T], text: str) -> T:
    """Read the text of an option; one that cannot be read is a usage error."""
    try:
        return parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=name) from error
