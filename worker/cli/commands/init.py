"""``init``: files to start from."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from worker.cli.failed import Failed
from worker.cli.output import say

_STARTERS = {
    "policy.toml": ("worker.policy", "starter.toml"),
    "sources.toml": ("worker.sources", "starter_sources.toml"),
    "env.example": ("worker.sources", "starter.env"),
}


def init(
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write; made if missing.")] = Path(),
) -> None:
    """Write a commented starter policy.toml, sources.toml and env.example. Never overwrites a file."""
    there = [name for name in _STARTERS if (directory / name).exists()]
    if there:
        raise Failed(f"{', '.join(str(directory / name) for name in there)} exist already: nothing was written")
    directory.mkdir(parents=True, exist_ok=True)
    for name, (package, starter) in _STARTERS.items():
        with (directory / name).open("x", encoding="utf-8") as file:
            file.write(files(package).joinpath(starter).read_text(encoding="utf-8"))
        say(f"wrote {directory / name}")
    say("Next: edit the domain in policy.toml, copy env.example to .env, then `mailroster doctor`.")
