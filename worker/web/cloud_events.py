"""The HTTP binding of CloudEvents: where a request says the content type and the attributes of its event."""

from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from worker.sources import cloud_events
from worker.sources.body import BodyInvalid

_PREFIX = "ce-"


def documents(headers: Iterable[tuple[str, str]], body: bytes) -> list[object]:
    """Return the events of a request, in whichever mode, not validated yet. Raises BodyInvalid with one sentence."""
    sent = [(name.lower(), value) for name, value in headers]
    return cloud_events.documents(dict(sent).get("content-type", ""), _attributes(sent), body)


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
