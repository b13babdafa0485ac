"""What needs a person, counted: records of nobody, events and jobs that went no further, holds, pauses, drift."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from worker.cli.output import moment
from worker.mail import agreeing, counted
from worker.store import drift, figures, hint_pauses, hints, merges, waiting
from worker.store.database import Session
from worker.store.holds import Hold, list_holds
from worker.store.paused import what_is_paused
from worker.store.states import HintState, JobState
from worker.store.zones import zones

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
    number, records = figures.records_unmatched(session), waiting.unmatched(session)
    named = "; ".join(f"{record.source} {record.subject} ({why})" for record, why in records[:_MOST_NAMED])
    return f"{_at_least(number)} {agreeing(number, 'belongs', 'belong')} to nobody yet: {named}" if records else None


def _people(session: Session) -> str | None:
    groups = merges.same_numbers(session, limit=_MOST_NAMED)
    named = "; ".join(f"people {', '.join(map(str, group[:-1]))} and {group[-1]}" for group in groups)
    return f"{named} state the same employeeNumber" if groups else None


def _events(session: Session) -> str | None:
    number, parked = figures.events_parked(session), figures.oldest_parked(session, _MOST_NAMED)
    if not number:
        return None
    first = "" if number == len(parked) else ", the first of them"
    named = ", ".join(map(str, parked))
    return f"{_at_least(number)} could not be applied and {agreeing(number, 'is', 'are')} parked{first}: {named}"


def _hints(session: Session) -> str | None:
    said = [f"{row.source} is not asked for records: {row.reason}" for row in hint_pauses.refusals(session)]
    for source, numbers in hints.outstanding(session).items():
        for row in hints.parked(session, source=source, limit=1):
            number = numbers[HintState.PARKED]
            said.append(f"{source}: {counted(number, 'record')} could not be had, the first because {row.reason}")
    return "; ".join(said) or None


def _jobs(session: Session) -> str | None:
    by_state = figures.read_figures(session).jobs
    numbers = {state: by_state.get(state, 0) for state in (JobState.HELD, JobState.PARKED)}
    return ", ".join(f"{number} {state}" for state, number in numbers.items() if number) or None


def _holds(session: Session) -> str | None:
    return "; ".join(map(_hold, list_holds(session))) or None


def _hold(hold: Hold) -> str:
    if hold.policy is not None:
        return f"hold {hold.id} over policy {hold.policy.policy[:12]}, which by itself {hold.policy}"
    return f"hold {hold.id} over {counted(len(hold.job_ids), 'job')}"


def _pauses(session: Session, now: datetime) -> str | None:
    paused = [each for each in what_is_paused(session, now, at_most=_MOST_NAMED) if each.active]
    return "; ".join(map(str, paused)) or None


def _drift(session: Session) -> str | None:
    undecided = drift.count_undecided(session)
    differing = ", ".join(f"{number} {kind.value}" for kind, number in undecided.items())
    zone = zones(session, {}).organisation
    read = ", ".join(f"{row.domain} at {moment(row.read_at, zone)}" for row in drift.readings(session))
    return f"{differing}, as read from {read}" if undecided else None


def _at_least(number: int) -> str:
    return f"{number} or more" if number == figures.MOST_COUNTED else str(number)


def concerns(now: datetime) -> tuple[Concern, ...]:
    """Return all, for a look at this instant."""
    return (*CONCERNS, Concern("pauses", partial(_pauses, now=now), "the mail host is asked for everything", _END))


_END = (
    "each ends by itself with the first success: raise the plan's limit, or ask the mail host about the object; "
    "`mailroster jobs retry ID` tries at once"
)
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
        "`mailroster events list --state parked` says why; mend that, then `events retry ID`, or `events dismiss ID`; "
        "they are tried again when a worker starts",
    ),
    Concern(
        "hints",
        _hints,
        "every record that is to be asked for can be had",
        "mend it there, or in hydrate and map of the sources file; `mailroster sources retry NAME` asks again at once",
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
    Concern(
        "holds",
        _holds,
        "nothing is held by a brake or a source",
        "look with `mailroster holds list`, then approve or reject",
    ),
)
