"""A trial of hydration: one question, about somebody or about nobody, and what its answer proves."""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from worker.events import EventInvalid
from worker.roster import Record
from worker.sources.hinted import Heard, events_of
from worker.sources.hook import HookSource
from worker.sources.hydration import Absent, CredentialsRefused, Failed, Fetched, Hydration, Throttled
from worker.sources.trial import SUBJECT

_TRY_SOMEBODY = "--body FILE with a delivery about somebody who is there tries record and map, too"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a question proved."""

    ok: bool
    said: str
    """Names facts, and nothing else of an answer."""


def try_hydration(hydration: Hydration, source: HookSource, subject: str, at: datetime) -> Verdict:
    """Ask a source once for the record of a person, or of ``SUBJECT``, who is nobody. Nothing comes of it."""
    is_nobody = subject == SUBJECT
    answer = hydration.ask_once(source.name, subject)
    match answer:
        case Fetched():
            return _of_nobody(answer) if is_nobody else _of_somebody(answer, source, subject, at)
        case Absent():
            return _without_record(answer, subject)
        case Failed(worth_repeating=False) if is_nobody:
            return Verdict(ok=False, said=f"{answer.reason}; it was asked for a key that nobody has: {_TRY_SOMEBODY}")
        case CredentialsRefused() | Throttled() | Failed():
            return Verdict(ok=False, said=answer.reason)
        case _:
            assert_never(answer)


def _without_record(answer: Absent, subject: str) -> Verdict:
    whom = "a key that nobody has" if subject == SUBJECT else subject
    proved = "that it can be reached and refuses no credentials, and not that the address is the right one"
    return Verdict(ok=True, said=f"it answered {answer.status} to {whom}, which proves {proved}: {_TRY_SOMEBODY}")


def _of_nobody(answer: Fetched) -> Verdict:
    if answer.facts:
        facts = ", ".join(sorted(answer.facts))
        said = f"it has a record with {facts} of a key that nobody has: is {{subject}} where the address needs it?"
        return Verdict(ok=False, said=said)
    return Verdict(ok=True, said=f"it answered a key that nobody has with a record that holds no fact: {_TRY_SOMEBODY}")


def _of_somebody(answer: Fetched, source: HookSource, subject: str, at: datetime) -> Verdict:
    if not answer.facts:
        return Verdict(ok=False, said=f"the map finds no fact in the record of {subject}")
    try:
        events_of(Heard(Record(source.name, subject), (), answer.facts, at, source.creates))
    except EventInvalid as error:
        return Verdict(ok=False, said=f"the record of {subject} cannot be used: {'; '.join(map(str, error.problems))}")
    return Verdict(ok=True, said=f"the record of {subject} states {', '.join(sorted(answer.facts))}")
