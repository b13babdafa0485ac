"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, and nothing else there.")]
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
