"""What happened to a person, told as a canonical CloudEvents event: its values, its schema, its validation.

Pure: nothing here knows who sent an event, where it is kept or what follows from it.
"""

from worker.events.canonical import EVENT_TYPES, Event, EventType, FactValue
from worker.events.parsing import MAX_EVENT_BYTES, PERSON_NAMES, RENAMES, event_document, parse_event
from worker.events.problems import EventInvalid, Problem
from worker.events.schema import FACTS
from worker.events.strict import UNSTORABLE, flaw_of
from worker.events.times import utc_text

__all__ = [
    "EVENT_TYPES",
    "FACTS",
    "MAX_EVENT_BYTES",
    "PERSON_NAMES",
    "RENAMES",
    "UNSTORABLE",
    "Event",
    "EventInvalid",
    "EventType",
    "FactValue",
    "Problem",
    "event_document",
    "flaw_of",
    "parse_event",
    "utc_text",
]
