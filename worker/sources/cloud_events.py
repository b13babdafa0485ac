"""CloudEvents 1.0.2 in JSON: structured, batch and binary mode become documents of canonical events.

Each transport has a binding of its own (`event-sources.md` 2.2), which finds media type and attributes in its headers;
from there on all are read here. Our own reading, because whatever arrives must become either documents or one sentence.
"""

from collections.abc import Mapping

from worker.sources.body import BodyInvalid, parse

_STRUCTURED = "application/cloudevents+json"
_BATCH = "application/cloudevents-batch+json"
_WHITE_SPACE = b" \t\r\n"


def documents(content_type: str, attributes: Mapping[str, object], body: bytes) -> list[object]:
    """Return the events of a message, not validated yet.

    The content type tells structured and batch mode, attributes in headers tell binary mode; plain JSON without either
    is read as an event or a list of events. Raises BodyInvalid with one sentence.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == _STRUCTURED:
        return _one_object(body, "in structured mode the body must be one event object")
    if media_type == _BATCH:
        return _batch(body)
    if attributes:
        return [_binary(attributes, media_type, body)]
    return parse(body)


def _one_object(body: bytes, otherwise: str) -> list[object]:
    if not body.lstrip(_WHITE_SPACE).startswith(b"{"):
        raise BodyInvalid(otherwise)
    return parse(body)


def _batch(body: bytes) -> list[object]:
    if not body.lstrip(_WHITE_SPACE).startswith(b"["):
        raise BodyInvalid("in batch mode the body must be a list of event objects")
    return parse(body)


def _binary(attributes: Mapping[str, object], media_type: str, body: bytes) -> object:
    # Last, because no header may stand for the data or its type.
    document = {name: value for name, value in attributes.items() if not name.startswith("data")}
    if media_type:
        document["datacontenttype"] = media_type
    if body.strip(_WHITE_SPACE):
        (document["data"],) = _one_object(body, "in binary mode the body must be one object: the event's data")
    return document
