"""What happened to a person, told as a canonical CloudEvents event: its values, its schema, its validation.

Pure: nothing here knows who sent an event, where it is kept or what follows from it.
"""

from worker.events.canonical import EVENT_TYPES, Event, EventType, FactValue
from worker.events.parsing import MAX_EVENT_BYTES, event_document, parse_event
from worker.events.problems import EventInvalid, Problem

__all__ = [
    "EVENT_TYPES",
    "MAX_EVENT_BYTES",
    "Event",
    "EventInvalid",
    "EventType",
    "FactValue",
    "Problem",
    "event_document",
    "parse_event",
]
