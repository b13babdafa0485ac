"""A step, shown: what it does to which object, before and after per field."""

from collections.abc import Iterator, Sequence

from worker.cli.output import say
from worker.mail import FieldValue
from worker.planning.step import Step
from worker.store.states import JobState, StepState
from worker.store.steps import planned, to_step
from worker.store.tables import JobRow, StepRow

MOST_MEMBERS = 10
"""So many members of a list are named; --json has them all."""


def show_step(step: Step, state: str | None = None) -> None:
    """Print a step and the fields it changes."""
    of = f" of {step.mailbox}" if step.mailbox else ""
    say(f"  {step.operation.value} {step.target}{of}{f': {state}' if state else ''}")
    for line in _changes(step):
        say(f"      {line}")


def show_held_plan(job: JobRow, rows: Sequence[StepRow]) -> None:
    """Print what a held job would do and has not done; ``rows``: all its steps. Nothing where no plan holds it."""
    done = [to_step(row) for row in rows if row.state is StepState.CONFIRMED]
    steps = [step for step in planned(job) if step not in done] if job.state is JobState.HELD else []
    if steps:
        say("  planned, and not carried out:")
    for step in steps:
        show_step(step)


def _changes(step: Step) -> Iterator[str]:
    for name in sorted({*step.before, *step.after}):
        if name not in step.after:
            yield f"{name}: {written(step.before[name])} -> gone"
        elif name in step.before and step.before[name] == step.after[name]:
            continue  # a call repeats what must hold; to somebody who reads it, it is no change
        elif name in step.before:
            yield f"{name}: {changed(step.before[name], step.after[name])}"
        else:
            yield f"{name}: {written(step.after[name])}"


def changed(before: FieldValue, after: FieldValue) -> str:
    """Return how a field changes, as people read it: of long lists how many there are, and what comes and goes."""
    if not (isinstance(before, tuple) and isinstance(after, tuple)) or max(len(before), len(after)) <= MOST_MEMBERS:
        return f"{written(before)} -> {written(after)}"
    gone, come = set(before) - set(after), set(after) - set(before)
    parts = [f"{len(before)} -> {len(after)}"]
    parts += [f"{said} {written(tuple(sorted(some)))}" for said, some in (("adds", come), ("removes", gone)) if some]
    return "; ".join(parts)


def written(value: FieldValue) -> str:
    """Return a field's value as people read it; of a long list the first of it, and how long it is."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case tuple() if len(value) > MOST_MEMBERS:
            return f"{len(value)}, of them {', '.join(value[:MOST_MEMBERS])}, ..."
        case tuple():
            return ", ".join(map(str, value)) or "nobody"
        case _:
            return repr(value) if value == "" else str(value)
