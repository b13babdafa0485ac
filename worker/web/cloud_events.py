"""CloudEvents 1.0.2 over HTTP: structured, batch and binary mode become documents of canonical events.

Our own reading of the binding, because whatever arrives must become either documents or one sentence.
"""

from collections.abc import Iterable, Mapping
from urllib.parse import unquote_to_bytes

from worker.sources.body import BodyInvalid, parse

_PREFIX = "ce-"
_STRUCTURED = "application/cloudevents+json"
_BATCH = "application/cloudevents-batch+json"
_WHITE_SPACE = b" \t\r\n"


def documents(headers: Iterable[tuple[str, str]], body: bytes) -> list[object]:
    """Return the events of a request, not validated yet.

    The content type tells structured and batch mode, a ``ce-`` header binary mode; plain JSON without one is read as
    an event or a list of events. Raises BodyInvalid with one sentence.
    """
    sent = [(name.lower(), value) for name, value in headers]
    media_type = _media_type(dict(sent).get("content-type", ""))
    if media_type == _STRUCTURED:
        return _one_object(body, "in structured mode the body must be one event object")
    if media_type == _BATCH:
        return _batch(body)
    if attributes := _attributes(sent):
        return [_binary(attributes, media_type, body)]
    return parse(body)


def _media_type(header: str) -> str:
    return header.partition(";")[0].strip().lower()


def _one_object(body: bytes, otherwise: str) -> list[object]:
    if not body.lstrip(_WHITE_SPACE).startswith(b"{"):
        raise BodyInvalid(otherwise)
    return parse(body)


def _batch(body: bytes) -> list[object]:
    if not body.lstrip(_WHITE_SPACE).startswith(b"["):
        raise BodyInvalid("in batch mode the body must be a list of event objects")
    return parse(body)


def _attributes(sent: list[tuple[str, str]]) -> dict[str, object]:
    attributes: dict[str, object] = {}
    for name, value in sent:
        if not name.startswith(_PREFIX):
            continue
        if (attribute := name.removeprefix(_PREFIX)) in attributes:
            raise BodyInvalid("a header that begins with ce- is given twice")
        attributes[attribute] = _decoded(value)
    return attributes


def _decoded(value: str) -> str:
    """Decode a header's value: a quoted string loses its quotes, then percent signs are resolved (binding, 3.1.3.2)."""
    if len(value) > 1 and value.startswith('"') and value.endswith('"'):
        value = value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    try:
        return unquote_to_bytes(value.encode("latin-1")).decode("utf-8")
    except UnicodeError:
        raise BodyInvalid("a header that begins with ce- is not percent-encoded UTF-8") from None


def _binary(attributes: Mapping[str, object], media_type: str, body: bytes) -> object:
    # Last, because no header may stand for the data or its type.
    document = {name: value for name, value in attributes.items() if not name.startswith("data")}
    document["datacontenttype"] = media_type
    if body.strip(_WHITE_SPACE):
        (document["data"],) = _one_object(body, "in binary mode the body must be one object: the event's data")
    return document
