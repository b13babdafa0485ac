"""``roster``: a file as a snapshot of who works here."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from worker.cli.commands.submit import require_source
from worker.cli.failed import Failed
from worker.cli.opening import opened
from worker.cli.options import Json
from worker.cli.output import moment, say, show_json, show_table, warn
from worker.deployment import Deployment
from worker.intake.rosters import Absences, Imported, Order, RosterRefused, Tally, import_roster
from worker.intake.rosters.order import Watch
from worker.intake.rosters.shown import imported_object, refused_object
from worker.mail import agreeing, counted
from worker.sources.roster_files import FileSource, form_of

_STANDARD_INPUT = "-"


def commands() -> typer.Typer:
    """Return the group."""
    group = typer.Typer(no_args_is_help=True)
    group.callback()(_roster)
    group.command("import")(import_)
    return group


def _roster() -> None:
    """Who works here, from a file."""


def import_(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="CSV, JSON or NDJSON; - is standard input.")],
    *,
    source: Annotated[str, typer.Option("--source", metavar="NAME", help="Whose roster this is.")] = "import",
    full: Annotated[bool, typer.Option("--full", help="It holds everybody: count who is absent.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the differences, and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Import a roster as a snapshot: what differs from what this source last stated becomes events.

    A file with any fault is refused as a whole. Who is not in the file has not left: with --full they are counted, and
    leave when several complete files in a row agree.
    """
    with opened(ringing=not dry_run) as deployment, _seekable(file) as roster:
        require_source(deployment, source)
        form = _form(deployment, source)
        with _progress() as watch:
            order = Order(deployment.clock.now(), full=full or form.full, dry_run=dry_run, watch=watch)
            try:
                imported = import_roster(deployment.intake, form, roster, order)
            except RosterRefused as refused:
                _show_refused(file, refused, as_json=as_json)
                raise Failed(f"{_named(file)}: {refused}") from refused
    if as_json:
        show_json({"file": _named(file), "source": source, "dry_run": dry_run, **imported_object(imported)})
    else:
        _show(file, form, imported, order)


def _form(deployment: Deployment, source: str) -> FileSource:
    configured = deployment.sources.get(source)
    return form_of(source, configured, creates=source in deployment.intake.creators)


@contextmanager
def _seekable(file: str) -> Iterator[BinaryIO]:
    """Yield a file that can be read twice: a pipe is set aside first, in a file that nobody else sees."""
    if file != _STANDARD_INPUT:
        with Path(file).open("rb") as opened_file:
            if opened_file.seekable():
                yield opened_file
                return
            with tempfile.TemporaryFile() as aside:
                shutil.copyfileobj(opened_file, aside)
                yield aside
        return
    with tempfile.TemporaryFile() as aside:
        shutil.copyfileobj(sys.stdin.buffer, aside)
        yield aside


@contextmanager
def _progress() -> Iterator[Watch]:
    """Show on standard error how far it is, if that is a terminal."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bar = Progress(*columns, TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal)
    with bar:
        task = bar.add_task("reading", total=None)
        yield lambda stage, done, total: bar.update(task, description=stage, completed=done, total=total)


def _show_refused(file: str, refused: RosterRefused, *, as_json: bool) -> None:
    if as_json:
        show_json({"file": _named(file), **refused_object(refused)})
    elif refused.fault_count > 1:
        for fault in refused.faults:
            warn(f"{_named(file)}: {fault}")
        if (untold := refused.fault_count - len(refused.faults)) > 0:
            warn(f"and {untold:,} more")


def _show(file: str, form: FileSource, imported: Imported, order: Order) -> None:
    tally = imported.differences
    say(f"{_named(file)} states {counted(imported.rows, 'person')} of {form.name} as of {moment(imported.taken_at)}")
    for kind, number in sorted(tally.by_type.items()):
        say(f"  {kind:<25} {number:>7,}")
    if tally.by_attribute:
        changed = ", ".join(f"{name} {number:,}" for name, number in tally.by_attribute.most_common())
        say(f"  of these, changes state:  {changed}")
    if order.dry_run and tally.first:
        _show_first(tally)
    if imported.absences is not None:
        _show_absent(form, imported.absences, order)
    if order.dry_run:
        say(f"{counted(tally.total, 'event')} would be accepted; this was a dry run, and nothing is changed")
    elif not tally.total:
        say("nothing differs from what was stated before")
    else:
        say(f"{counted(imported.accepted, 'event')} {agreeing(imported.accepted, 'is', 'are')} accepted")


def _show_first(tally: Tally) -> None:
    rows = [(one.line, one.subject, one.type, ", ".join(one.attributes)) for one in tally.first]
    show_table(("line", "subject", "event", "states"), rows, empty="")
    if (untold := tally.total - len(tally.first)) > 0:
        say(f"and {untold:,} more")


def _show_absent(form: FileSource, absences: Absences, order: Order) -> None:
    number = len(absences.absent)
    of = f"of {counted(absences.employed, 'person')} whom {form.name} has employed"
    say(f"absent: {number:,} {of}{': ' if number else ''}{_few(absences.absent)}")
    if not number or order.dry_run:
        return
    if not form.creates:
        say(f"  {form.name} makes no people (creates), so nobody leaves by being absent from it")
    elif not absences.counted:
        say("  not counted: the same roster was counted a moment ago (min_apart)")
    else:
        say(f"  counted; whoever is absent from {form.complete_snapshots} complete rosters in a row leaves")
    if absences.leaving:
        say(f"  leaving by absence: {len(absences.leaving):,}: {_few(absences.leaving)}")


def _few(subjects: tuple[str, ...]) -> str:
    listed = ", ".join(subjects[:20])
    return f"{listed} and {len(subjects) - 20:,} more" if len(subjects) > 20 else listed


def _named(file: str) -> str:
    return "standard input" if file == _STANDARD_INPUT else file
