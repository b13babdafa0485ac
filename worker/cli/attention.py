"""What needs a person, counted: records of nobody, events and jobs that went no further, open holds, and drift."""

from collections.abc import Callable
from dataclasses import dataclass

from worker.store import drift, figures, merges, people
from worker.store.database import Session
from worker.store.holds import Hold, list_holds
from worker.store.states import JobState

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Concern:
    """One kind of thing that may need a person."""

    name: str
    look: Callable[[Session], str | None]
    """Says what there is; None where there is nothing."""
    nothing: str
    mend: str


def _records(session: Session) -> str | None:
    number, waiting = figures.records_unmatched(session), people.unmatched(session)
    named = "; ".join(f"{record.source} {record.subject} ({why})" for record, why in waiting[:_MOST_NAMED])
    return f"{_counted(number)} belong to nobody yet: {named}" if waiting else None


def _people(session: Session) -> str | None:
    groups = merges.same_numbers(session, limit=_MOST_NAMED)
    named = "; ".join(f"people {', '.join(map(str, group[:-1]))} and {group[-1]}" for group in groups)
    return f"{named} state the same employeeNumber" if groups else None


def _events(session: Session) -> str | None:
    number, parked = figures.events_parked(session), figures.oldest_parked(session, _MOST_NAMED)
    first = "" if number == len(parked) else ", the first of them"
    return (
        f"{_counted(number)} could not be applied and are parked{first}: {', '.join(map(str, parked))}"
        if number
        else None
    )


def _jobs(session: Session) -> str | None:
    counted = figures.read_figures(session).jobs
    numbers = {state: counted.get(state, 0) for state in (JobState.HELD, JobState.PARKED)}
    return ", ".join(f"{number} {state}" for state, number in numbers.items() if number) or None


def _holds(session: Session) -> str | None:
    return "; ".join(map(_hold, list_holds(session))) or None


def _hold(hold: Hold) -> str:
    if hold.policy is not None:
        return f"hold {hold.id} over policy {hold.policy.policy[:12]}, which by itself {hold.policy}"
    return f"hold {hold.id} over {len(hold.job_ids)} jobs"


def _drift(session: Session) -> str | None:
    undecided = drift.count_undecided(session)
    counted = ", ".join(f"{number} {kind.value}" for kind, number in undecided.items())
    read = ", ".join(f"{row.domain} at {row.read_at:%Y-%m-%d %H:%M} UTC" for row in drift.readings(session))
    return f"{counted}, as read from {read}" if undecided else None


def _counted(number: int) -> str:
    return f"{number} or more" if number == figures.MOST_COUNTED else str(number)


CONCERNS = (
    Concern(
        "records",
        _records,
        "every record belongs to a person",
        "give the record an employeeNumber or a workEmail that one person has, in the system it comes from",
    ),
    Concern(
        "people",
        _people,
        "no two state one employeeNumber",
        "if they are one person, `mailroster people merge KEEP OTHER --dry-run` says what that would do; else mend it "
        "where it is stated",
    ),
    Concern(
        "events",
        _events,
        "none is parked",
        "the log has the reason; they are tried again when a worker starts",
    ),
    Concern(
        "jobs",
        _jobs,
        "none is held or parked",
        "`mailroster jobs list --state held --state parked` says why",
    ),
    Concern(
        "drift",
        _drift,
        "no difference is known that somebody must decide about",
        "`mailroster reconcile` looks again and shows each; with --apply it repairs what the policy allows",
    ),
    Concern("holds", _holds, "no brake holds anything", "look with `mailroster holds list`, then approve or reject"),
)
