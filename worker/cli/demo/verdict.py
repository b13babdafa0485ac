"""The verdict: what did not end as expected, in sentences, and the exit code that follows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from worker.cli.demo.cases import Case
from worker.cli.demo.delivering import Answer
from worker.cli.demo.findings import Findings
from worker.cli.demo.settling import PATIENCE_S
from worker.store.states import EventState, JobState
from worker.web.objects import JsonObject

DONE, FAILED, NEEDS_PERSON = 0, 1, 3
_MOST_TOLD = 3


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that did not end as expected."""

    sentence: str
    needs_person: bool = False
    """It is held or parked and goes on once somebody decides."""


def problems_of(found: Findings, cases: Sequence[Case]) -> tuple[Problem, ...]:
    """Return everything that did not end as expected."""
    return (
        *(Problem(_unexpected(answer)) for answer in found.answers if not answer.expected),
        *_unapplied(found),
        *_unfinished(found),
        *(Problem(f"this is not so: {case.sentence}") for case in cases if not case.held),
    )


def exit_code(problems: Sequence[Problem]) -> int:
    """Return 0 if there is no problem, 3 if something needs a person, else 1."""
    if not problems:
        return DONE
    return NEEDS_PERSON if any(problem.needs_person for problem in problems) else FAILED


def sentence(problems: Sequence[Problem]) -> str:
    """Return the problems as one sentence; the first few are told in full."""
    told = "; ".join(problem.sentence for problem in problems[:_MOST_TOLD])
    more = f"; and {len(problems) - _MOST_TOLD} more" if len(problems) > _MOST_TOLD else ""
    return f"not everything ended as expected: {told}{more}"


def _unexpected(answer: Answer) -> str:
    name = answer.delivery.name
    if answer.delivery.forged:
        return f"the forged delivery {name} was answered {answer.status} instead of 401"
    if answer.status != 202:
        return f"{name} was refused with {answer.status}: {answer.why}"
    if answer.conflict:
        return f"{name} has the id of an event that came before it, and says something else"
    return f"{name} was delivered twice and not recognised as a duplicate"


def _unapplied(found: Findings) -> Iterator[Problem]:
    for event in found.events.values():
        about = f"event {event['ceId']} of {event['subject']}"
        if event["state"] != EventState.APPLIED:
            yield Problem(f"{about} is {event['state']}: {event['reason']}", event["state"] == EventState.PARKED)
        elif event["person"] is None:
            yield Problem(f"{about} belongs to nobody yet: {event['reason']}", needs_person=True)


def _unfinished(found: Findings) -> Iterator[Problem]:
    if not found.settled:
        yield Problem(f"some work was still under way when nothing had moved for {PATIENCE_S:.0f} seconds")
    for job in found.jobs:
        if job["state"] != JobState.DONE:
            needs_person = job["state"] in (JobState.HELD, JobState.PARKED)
            yield Problem(
                f"job {job['id']} ({subject_of(job, found)}) is {job['state']}: {job['reason']}", needs_person
            )


def subject_of(job: JsonObject, found: Findings) -> str:
    """Return whom or what a job is about, as people say it."""
    subject = job["subject"]
    assert isinstance(subject, dict)
    return found.names.get(str(job["person"])) or str(subject["key"])
