"""Arguments and options that several commands share."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from worker.cli.usage import read_day, read_id, read_time

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, and nothing else there.")]
Id = Annotated[int, typer.Argument(metavar="ID", parser=read_id)]
After = Annotated[int, typer.Option(metavar="ID", parser=read_id, help="Only those behind this one.")]
Who = Annotated[
    str, typer.Argument(metavar="PERSON", help="Our id, a source's subject, an employee number, an address or a name.")
]
EventsFile = Annotated[
    str, typer.Argument(metavar="FILE|-", help="Events as NDJSON, a JSON array or one object; - is standard input.")
]
SourceName = Annotated[str, typer.Option("--source", metavar="NAME", help="Which source these events are of.")]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", metavar="FILE", help="Another policy than the active one.")
]
LastDay = Annotated[datetime | None, typer.Option(metavar="DATE", parser=read_day, help="The last working day.")]
Moment = Annotated[
    datetime | None,
    typer.Option(metavar="TIME", parser=read_time, help="A day, or a time as 2026-11-28T14:30, in UTC."),
]
