"""From what a sender wrote to a canonical event, or to every reason why not."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import ValidationError

from worker.events.canonical import Event, EventType, FactValue
from worker.events.problems import EventInvalid, Problem
from worker.events.reading import Refused, kind_of
from worker.events.schema import Envelope
from worker.events.strict import flaw_of
from worker.events.times import utc_text

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MAX_EVENT_BYTES = 64 * 1024
"""The most bytes of JSON, in UTF-8 and without spaces, that one event may have."""

_LONGEST_ECHO = 100

MOST_AHEAD = timedelta(minutes=5)
"""How far a sender's clock may run ahead before its time is replaced by the time of receipt (`design.md` 3)."""

PERSON_NAMES = ("givenName", "familyName", "displayName", "nickName")
"""Any of these is enough of a name for somebody who joins."""
RENAMES = (*PERSON_NAMES, "middleName", "workEmail")
"""The facts whose change is a rename."""


def parse_event(raw: object, *, now: datetime) -> Event:
    """Return the event that a decoded JSON value holds. ``now`` is the instant of receipt, aware.

    A time more than five minutes ahead of ``now`` becomes ``now``, which ``warnings`` tells.
    Raises EventInvalid, and nothing else whatever JSON holds, with every attribute that is wrong and why; the
    message repeats no value of a person.
    """
    envelope = _validated(_plain_json(raw))
    facts: dict[str, FactValue] = envelope.data.model_dump(exclude_unset=True)
    facts.pop("immediate", None)
    event = Event(
        id=envelope.id,
        source=envelope.source,
        type=envelope.type,
        subject=envelope.subject,
        time=envelope.time,
        facts=facts,
        immediate=envelope.data.immediate,
    )
    if problems := _shortfalls(event):
        raise EventInvalid(problems)
    return _not_ahead(event, now)


def event_document(event: Event) -> dict[str, object]:
    """Return the wire form of an event; parsing it gives the same event, its warnings apart."""
    attributes: dict[str, object] = {
        name: list(value) if isinstance(value, tuple) else value for name, value in event.facts.items()
    }
    if event.immediate:
        attributes["immediate"] = True
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type.value,
        "subject": event.subject,
        "time": utc_text(event.time),
        "data": attributes,
    }


def _plain_json(raw: object) -> dict[str, object]:
    if not isinstance(raw, dict):
        raise EventInvalid((Problem("event", f"a JSON object is expected, not {kind_of(raw)}"),))
    try:
        encoded = json.dumps(raw, ensure_ascii=False, separators=(",", ":"))
        size = len(encoded.encode("utf-8", "surrogatepass"))
    except (TypeError, ValueError, RecursionError):
        raise EventInvalid((Problem("event", "it is nested too deeply or holds what JSON cannot"),)) from None
    if size > MAX_EVENT_BYTES:
        raise EventInvalid((Problem("event", f"it may have {MAX_EVENT_BYTES:,} bytes, this one has {size:,}"),))
    plain: dict[str, object] = json.loads(encoded)
    return plain


def _validated(plain: dict[str, object]) -> Envelope:
    flaws = _flaws_of_extensions(plain)
    try:
        envelope = Envelope.model_validate(plain)
    except ValidationError as error:
        problems = tuple(_problem(detail) for detail in error.errors(include_url=False, include_input=False))
    else:
        if not flaws:
            return envelope
        problems = ()
    # Raised outside the handler: pydantic's error repeats the values, and as a context it would reach tracebacks.
    raise EventInvalid((*problems, *flaws))


def _flaws_of_extensions(plain: dict[str, object]) -> tuple[Problem, ...]:
    """Look at what the schema ignores: it is kept with the event, so the database must take it too."""
    flaws = []
    for name in plain.keys() - Envelope.model_fields.keys():
        if (why := flaw_of(name)) is not None:
            flaws.append(Problem("event", f"the name of an attribute {why}"))
        elif (why := flaw_of(plain[name])) is not None:
            flaws.append(Problem(name[:_LONGEST_ECHO], why))
    return tuple(sorted(flaws, key=str))


def _problem(detail: "ErrorDetails") -> Problem:
    attribute = ".".join(str(part) for part in detail["loc"])
    refused = detail.get("ctx", {}).get("error")
    if isinstance(refused, Refused):
        return Problem(attribute, str(refused))
    return Problem(attribute, "is missing" if detail["type"] == "missing" else "is not valid")


def _shortfalls(event: Event) -> tuple[Problem, ...]:
    problems = []
    if event.immediate and event.type is not EventType.LEFT:
        problems.append(Problem("data.immediate", f"only {EventType.LEFT} may be immediate"))
    if event.type is EventType.JOINED and not any(_is_name(event.facts.get(name)) for name in PERSON_NAMES):
        problems.append(Problem("data", f"a person who joins needs a name: one of {', '.join(PERSON_NAMES)}"))
    if event.type is EventType.RENAMED and not any(name in event.facts for name in RENAMES):
        problems.append(Problem("data", f"a rename needs what changed: one of {', '.join(RENAMES)}"))
    return tuple(problems)


def _is_name(value: FactValue) -> bool:
    return isinstance(value, str) and any(character.isalnum() for character in value)


def _not_ahead(event: Event, now: datetime) -> Event:
    if event.time <= now + MOST_AHEAD:
        return event
    warning = f"time: {utc_text(event.time)} lies ahead of receipt; the time of receipt was taken instead"
    return replace(event, time=now, warnings=(*event.warnings, warning))
