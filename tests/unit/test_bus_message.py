"""Reading messages of a bus: whatever anybody sends becomes documents or one sentence."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.bus.message import Message, documents
from worker.sources import BodyInvalid

ATTRIBUTES = {"specversion": "1.0", "id": "1", "source": "urn:x", "type": "person.left", "subject": "E1"}


def message(body: bytes = b"{}", **more: Any) -> Message:
    """Return a message as the link makes it."""
    return Message(tag=1, body=body, size=len(body), **more)


def test_each_prefix_of_a_header_gives_the_attribute() -> None:
    """Prefixes are those of both bindings, whatever their case; other headers mean nothing."""
    for prefix in ("ce-", "CE-", "cloudEvents:", "cloudevents_"):
        headers = {f"{prefix}{name}": value for name, value in ATTRIBUTES.items()} | {"traceparent": "00-1", 7: "x"}

        assert documents(message(headers=headers)) == [ATTRIBUTES | {"data": {}}]


def test_values_of_amqp_are_written_as_cloud_events_writes_them() -> None:
    """Numbers, truth and times become text; the time of AMQP is in UTC."""
    headers = {"ce-id": 7, "ce-flag": True, "ce-time": datetime(2026, 11, 20, 9)}  # noqa: DTZ001 - as the client gives it
    (document,) = documents(message(headers=headers))

    assert document == {"id": "7", "flag": "true", "time": "2026-11-20T09:00:00+00:00", "data": {}}
    assert datetime(2026, 11, 20, 9, tzinfo=UTC).isoformat() == "2026-11-20T09:00:00+00:00"


def test_body_wins_over_headers_in_structured_mode() -> None:
    """Senders may repeat attributes in headers; the content type decides."""
    body, headers = b'{"id": "body"}', {"ce-id": "header"}

    assert documents(message(body, headers=headers, content_type="application/cloudevents+json")) == [{"id": "body"}]


def test_nothing_of_a_message_is_in_its_repr() -> None:
    """Whoever logs a message tells nobody's name."""
    assert "Ada" not in repr(message(b'"Ada"', content_type="Ada", headers={"Ada": "Ada"}))


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes() | st.decimals(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
_NAMES = st.text() | st.binary() | st.builds("".join, st.tuples(st.sampled_from(["ce-", "cloudEvents:"]), st.text()))


@given(
    body=st.binary() | st.text().map(str.encode),
    content_type=st.text() | st.sampled_from(["application/cloudevents+json", "application/cloudevents-batch+json"]),
    content_encoding=st.sampled_from(["", "utf-8", "gzip"]) | st.text(),
    headers=st.dictionaries(_NAMES, _VALUES, max_size=5),
)
def test_whatever_is_sent_becomes_documents_or_one_sentence(body: bytes, **sent: Any) -> None:
    """No body, header or property raises anything but BodyInvalid."""
    with suppress(BodyInvalid):
        assert 1 <= len(documents(message(body, **sent))) <= 100


@pytest.mark.parametrize("encoding", ["", "UTF-8", "identity", "binary"])
def test_encodings_that_say_nothing_are_accepted(encoding: str) -> None:
    """Clients write these though they encoded nothing."""
    assert documents(message(content_encoding=encoding)) == [{}]
