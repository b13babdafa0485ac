"""Events from a message bus: what our consumer takes from a real RabbitMQ, and what it refuses."""

import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.end_to_end.installation import wait_until
from tests.integration.bus_place import BATCH, STRUCTURED, Place, placed, told

ATTRIBUTES = {name: value for name, value in told().items() if name != "data"}
on_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@pytest.fixture
def place(migrated_url: str, amqp_url: str, tmp_path: Path) -> Iterator[Place]:
    """A source on a bus that is consumed, on each engine."""
    with placed(tmp_path, database_url=migrated_url, amqp_url=amqp_url) as one, one.consumed():
        yield one


@on_sqlite
@pytest.mark.parametrize("prefix", ["ce-", "cloudEvents:", "cloudEvents_"])
def test_binary_mode_is_understood_by_each_prefix(place: Place, prefix: str) -> None:
    """Attributes in headers and data in the body become the same document as in structured mode."""
    headers = {prefix + name: value for name, value in ATTRIBUTES.items()}
    place.send(told()["data"], headers=headers, content_type="application/json", content_encoding="utf-8")

    (row,) = wait_until(place.rows)
    assert row.source == "payroll"
    assert row.document == told() | {"datacontenttype": "application/json"}


@on_sqlite
@pytest.mark.parametrize("body", [b"", b"x" * 300_000], ids=["empty", "several frames"])
def test_routing_key_may_be_any_bytes(place: Place, body: bytes) -> None:
    """It tells us nothing, and what the client library cannot decode of it ends no connection."""
    with capture_logs() as logged:
        place.send(told(1), routing_key=b"\xff.\xc3")
        place.send(body, routing_key=b"\xff")
        place.send(told(2), routing_key="personal.ü")
        wait_until(lambda: len(place.rows()) == 3)

    assert [row.ce_id for row in place.rows()] == ["evt-1", None, "evt-2"]
    assert not [each for each in logged if each["event"] == "connected to the broker"]


@on_sqlite
def test_time_may_be_one_of_amqp(place: Place) -> None:
    """An attribute may come as what AMQP has for it, a timestamp or a number."""
    headers = {f"ce-{name}": value for name, value in ATTRIBUTES.items()}
    at = datetime(2026, 11, 20, 9, tzinfo=UTC)
    place.send(told()["data"], headers=headers | {"ce-time": at.replace(tzinfo=None), "ce-id": 7})

    (row,) = wait_until(place.rows)
    assert (row.ce_id, row.time) == ("7", at)


@pytest.mark.parametrize("content_type", [STRUCTURED, f"{STRUCTURED}; charset=UTF-8", "application/json", ""])
def test_structured_mode_and_plain_json_are_accepted_and_gone_from_the_queue(place: Place, content_type: str) -> None:
    """An event as JSON is accepted whatever the message says of itself, and acknowledged."""
    place.send(told(1), told(2), content_type=content_type)

    wait_until(lambda: len(place.rows()) == 2)
    assert place.inbox() == [("evt-1", "accepted"), ("evt-2", "accepted")]
    assert (place.waiting(), place.dead_count()) == (0, 0)


@on_sqlite
def test_valid_events_of_a_batch_are_accepted_and_the_message_is_kept(place: Place) -> None:
    """Nobody is there to mend the others: these are rejected with the reason, and the whole is a dead letter."""
    place.send([told(1), told(2, type="person.vanished"), told(3)], content_type=BATCH)

    wait_until(place.dead_count)
    assert sorted(place.inbox()) == [("evt-1", "accepted"), ("evt-2", "rejected"), ("evt-3", "accepted")]


UNREADABLE: list[tuple[bytes, dict[str, object], str]] = [
    (b"{", {}, "the body is not valid JSON (line 1, column 2)"),
    (b"", {}, "the body is not valid JSON (line 1, column 1)"),
    (b"\xff\xfe", {}, "the body is not UTF-8"),
    (b"[" * 1000, {}, "the body is nested deeper than 20 levels"),
    (b"hello", {"content_type": STRUCTURED}, "in structured mode the body must be one event object"),
    (b"{}", {"content_type": BATCH}, "in batch mode the body must be a list of event objects"),
    (b"x" * (1024 * 1024 + 1), {}, "the body is larger than 1,048,576 bytes"),
    (
        b"\x1f\x8b\x08",
        {"content_encoding": "gzip"},
        "an encoded body is not accepted: send it as UTF-8, without another content encoding",
    ),
    (b"{} ", {"headers": {"ce-id": ["1"]}}, "an attribute in the headers is neither text nor number nor time"),
    (b" {}", {"headers": {"ce-id": "1", "cloudEvents_id": "1"}}, "an attribute is given twice in the headers"),
    # A header by which the client library would decompress the body, whatever comes of that, means nothing to us.
    (zlib.compress(b"0" * 50_000_000), {"headers": {"compression": "application/x-gzip"}}, "the body is not UTF-8"),
    (
        b'{"specversion": "1.0", "id": "1", "source": "urn:x", "type": "person.left", "time": "2026-11-20T09:00:00Z"}',
        {"headers": {"x-delivery-count": "many"}},
        "The event is refused: subject: is missing.",
    ),
]


def test_what_cannot_be_read_is_a_dead_letter_and_rejected_with_the_reason(place: Place) -> None:
    """Each is kept by the broker as it was sent, and by the inbox with one sentence; what follows is accepted."""
    for body, properties, _ in UNREADABLE:
        place.send(body, **properties)
    place.send(told())
    wait_until(lambda: ("evt-1", "accepted") in place.inbox())
    wait_until(lambda: place.dead_count() == len(UNREADABLE))

    *refused, _ = place.rows()
    assert [row.reason for row in refused] == [reason for _, _, reason in UNREADABLE]
    assert {row.state.value for row in refused} == {"rejected"}
    letters = place.dead()
    assert [letter.body or b"" for letter in letters] == [body for body, _, _ in UNREADABLE]
    assert {letter.headers["x-first-death-reason"] for letter in letters} == {"rejected"}


class FarAhead(datetime):
    """A time of the year 37,000, as a sender writes who takes milliseconds for seconds."""

    def utctimetuple(self) -> tuple[int, ...]:
        """Return it for the client library to encode."""
        return 9999, 12, 10_000_000, 0, 0, 0


@on_sqlite
@pytest.mark.parametrize(
    "undecodable",
    [{"headers": {"sent": FarAhead(2026, 11, 20)}}, {"content_type": b"\xff"}],
    ids=["header", "property"],
)
@pytest.mark.parametrize("body", [b"{}", b"", b"x" * 300_000], ids=["small", "empty", "several frames"])
def test_message_whose_properties_cannot_be_decoded_is_rejected_as_others(
    place: Place, undecodable: dict[str, Any], body: bytes
) -> None:
    """It is a dead letter at once, kept with the reason, and the connection outlives it."""
    with capture_logs() as logged:
        place.send(told(1))
        place.send(body, **undecodable)
        place.send(told()["data"], headers={f"ce-{name}": value for name, value in ATTRIBUTES.items()} | {"ce-id": "2"})
        wait_until(lambda: len(place.rows()) == 3)

    assert [(row.ce_id, row.reason) for row in place.rows()] == [
        ("evt-1", None),
        (None, "a property or header of the message cannot be decoded"),
        ("2", None),
    ]
    wait_until(place.dead_count)
    assert not [each for each in logged if each["event"] == "connected to the broker"]


def test_duplicate_is_accepted_once_and_another_body_is_kept_apart(place: Place) -> None:
    """The same event again changes nothing; the same id with another body is rejected and shown, and no dead letter."""
    place.send(told(1), told(1), told(1, subject="E9"), told(2))

    wait_until(lambda: len(place.rows()) == 3)
    assert sorted(place.inbox()) == [("evt-1", "accepted"), ("evt-1", "rejected"), ("evt-2", "accepted")]
    assert (place.waiting(), place.dead_count()) == (0, 0)
