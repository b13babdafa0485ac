"""Events through the API: CloudEvents in each mode of the HTTP binding, as the token's source."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.test_web_server import Office, joined, on_sqlite, problem, served
from worker.intake import apply_next
from worker.store import events, people
from worker.store.states import EventState
from worker.store.tables import EventRow
from worker.store.tokens import Role, list_tokens, revoke_token

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
BINARY = {
    "content-type": "application/json",
    "ce-specversion": "1.0",
    "ce-id": "evt-1",
    "ce-source": "urn:example:hr",
    "ce-type": "person.joined",
    "ce-subject": "E1",
    "ce-time": "2026-11-20T09:00:00Z",
}


@pytest.fixture
def office(migrated_url: str, tmp_path: Path) -> Iterator[Office]:
    """A served deployment, on each engine."""
    with served(migrated_url, tmp_path) as one:
        yield one


def send(office: Office, body: object, headers: dict[str, str], source: str = "payroll") -> httpx.Response:
    """Send events with a sender's token."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return office.http.post("/api/v1/events", content=content, headers=office.token(Role.SOURCE, source) | headers)


def kept(office: Office, answer: httpx.Response) -> EventRow:
    """Return the first event that an answer names."""
    with office.deployment.database.read() as session:
        row = events.get(session, int(answer.json()["events"][0]["id"]))
        assert row is not None
        return row


@on_sqlite
@pytest.mark.parametrize("content_type", [STRUCTURED, f"{STRUCTURED}; charset=UTF-8", "application/json"])
def test_one_event_is_accepted_as_the_sources_own(office: Office, content_type: str) -> None:
    """Structured mode, and plain JSON for senders that know no other: the token says whose event it is."""
    answer = send(office, joined(), {"content-type": content_type})

    assert answer.status_code == 202
    assert kept(office, answer).source == "payroll"


@on_sqlite
def test_a_batch_is_accepted_as_a_whole(office: Office) -> None:
    """Batch mode gives a receipt for each event."""
    answer = send(office, [joined(1), joined(2)], {"content-type": BATCH})

    assert [receipt["duplicate"] for receipt in answer.json()["events"]] == [False, False]


def test_what_is_refused_of_a_batch_again_is_told_as_known_and_why(office: Office) -> None:
    """The record of an equal one that was refused before holds its reason wherever in a batch it stood."""
    wrong, other = (joined(number) | {"type": f"person.{number}"} for number in (2, 3))
    first = send(office, [joined(1), wrong], {"content-type": BATCH})
    again = send(office, [wrong, joined(1), other], {"content-type": BATCH})

    (known,) = first.json()["events"]
    assert [each["duplicate"] for each in again.json()["events"]] == [True, False]
    assert again.json()["events"][0]["id"] == known["id"]
    problems = again.json()["problems"]
    assert [each[:9] for each in problems] == ["event 1: ", "event 3: "]
    for receipt, told in zip(again.json()["events"], problems, strict=True):
        shown = office.http.get(f"/api/v1/events/{receipt['id']}", headers=office.token(Role.VIEWER)).json()
        assert shown["reason"] == told[9:]


def test_binary_mode_means_the_same_as_structured(office: Office) -> None:
    """Attributes from headers and data from the body fold into the same event."""
    answer = send(office, joined()["data"], BINARY)

    assert answer.status_code == 202
    assert kept(office, answer).document == joined() | {"datacontenttype": "application/json"}


@on_sqlite
def test_binary_mode_needs_no_data(office: Office) -> None:
    """An event that says everything in its attributes has an empty body, and no header stands for its data."""
    answer = send(office, b"", BINARY | {"ce-type": "person.left", "ce-data": "x"})

    assert answer.status_code == 202
    assert "data" not in kept(office, answer).document


@on_sqlite
def test_values_of_headers_are_decoded(office: Office) -> None:
    """Percent signs and quoted strings of the binding are resolved."""
    headers = {"ce-subject": "%C5%81%C3%B3d%C5%BA%20%22E1%22", "ce-id": '"evt \\"1\\""'}
    answer = send(office, joined()["data"], BINARY | headers)

    row = kept(office, answer)
    assert (row.subject, row.ce_id) == ('Łódź "E1"', 'evt "1"')
    assert row.document["data"] == joined()["data"]


WRONG: dict[str, tuple[object, dict[str, str], str]] = {
    "a list in structured mode": ([joined()], {"content-type": STRUCTURED}, "in structured mode the body must be one"),
    "an object in batch mode": (joined(), {"content-type": BATCH}, "in batch mode the body must be a list"),
    "an empty batch": ([], {"content-type": BATCH}, "the body must hold 1 to 100 events"),
    "a list as data": ([{}], BINARY, "in binary mode the body must be one object"),
    "broken encoding": ({}, BINARY | {"ce-subject": "%FF"}, "a header that begins with ce- is not percent-encoded"),
    "broken JSON": (b"{", BINARY, "the body is not valid JSON"),
    "a missing attribute": (
        {},
        {k: v for k, v in BINARY.items() if k != "ce-subject"},
        "The event is refused: subject",
    ),
    "an invisible character": ({}, BINARY | {"ce-subject": "%00"}, "The event is refused: subject"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_follows_no_mode_is_told_and_kept(office: Office, name: str) -> None:
    """400 with one sentence, and a record of what came."""
    body, headers, sentence = WRONG[name]
    answer = send(office, body, headers)

    assert problem(answer, 400)["detail"].startswith(sentence)
    assert kept(office, answer).reason == answer.json()["detail"]


@on_sqlite
def test_an_attribute_that_is_sent_twice_is_refused(office: Office) -> None:
    """Nobody guesses which of two values was meant."""
    headers: Any = [*office.token(Role.SOURCE, "payroll").items(), *BINARY.items(), ("ce-id", "evt-2")]
    told = problem(office.http.post("/api/v1/events", content=b"{}", headers=headers), 400)

    assert told["detail"] == "a header that begins with ce- is given twice"


@on_sqlite
def test_other_content_is_415(office: Office) -> None:
    """Binary mode carries JSON only."""
    assert problem(send(office, b"<x/>", BINARY | {"content-type": "text/xml"}), 415)


@on_sqlite
def test_nobody_speaks_as_the_operator(office: Office) -> None:
    """A sender's token that names the operator's own source would outrank every source, and is refused."""
    assert problem(send(office, joined(), {"content-type": STRUCTURED}, source="operator"), 403)
    assert office.count("events") == 0


def test_no_request_is_a_defect_of_ours(office: Office) -> None:
    """Whatever the bytes and headers, in any mode: an answer with a sentence, never a 500."""
    token = office.token(Role.SOURCE, "payroll")
    values = st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=30) | st.sampled_from(["%00", "%FF"])
    bodies = st.binary(max_size=60) | st.dictionaries(st.sampled_from([*joined()]), st.text() | st.integers())

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(bodies, st.sampled_from([STRUCTURED, BATCH, None]), st.dictionaries(st.sampled_from([*BINARY]), values))
    def ask(told: bytes | dict[str, Any], mode: str | None, changed: dict[str, str]) -> None:
        body = told if isinstance(told, bytes) else json.dumps(joined() | told).encode()
        headers = {"content-type": mode} if mode else BINARY | changed
        sent = {name: value.encode("latin-1") for name, value in (token | headers).items()}
        answer = office.http.post("/api/v1/events", content=body, headers=sent)

        assert answer.status_code in {202, 400, 415}, answer.text

    ask()


@on_sqlite
def test_a_token_speaks_for_one_source(office: Office) -> None:
    """Whatever the event says of its source, it is kept under the token's; the hook of another asks for a signature."""
    office.deliver(joined())
    other = send(office, joined(department="Sales"), {"content-type": STRUCTURED})

    assert kept(office, other).source == "payroll"
    assert other.json()["events"][0]["duplicate"] is False
    assert problem(office.http.post("/hooks/hr", json=joined(2), headers=office.token(Role.SOURCE, "payroll")), 401)
    assert problem(office.http.get("/api/v1/people", headers=office.token(Role.SOURCE, "payroll")), 403)


def test_an_event_that_comes_again_is_known(office: Office) -> None:
    """In each mode, and alone or in a batch: one event, and nobody is woken for it."""
    first = send(office, joined(2), {"content-type": STRUCTURED})
    again = send(office, [joined(2)], {"content-type": BATCH})
    in_headers = [send(office, joined()["data"], BINARY) for _ in range(2)]

    assert again.json()["events"] == [{"id": first.json()["events"][0]["id"], "duplicate": True}]
    assert [answer.json()["events"][0]["duplicate"] for answer in in_headers] == [False, True]
    assert (office.count("events"), office.bell.applies) == (2, 2)


def test_the_same_id_with_another_body_is_kept_and_never_applied(office: Office) -> None:
    """202, because sending it again cannot mend it; of another token's source it is another event."""
    send(office, joined(), {"content-type": STRUCTURED})
    other = send(office, joined(department="Sales"), {"content-type": STRUCTURED})
    elsewhere = send(office, joined(department="Sales"), {"content-type": STRUCTURED}, source="it")

    assert (other.status_code, other.json()["events"][0]["conflict"]) == (202, True)
    assert kept(office, other).state is EventState.REJECTED
    assert "another body came before" in (kept(office, other).reason or "")
    assert elsewhere.json()["events"][0].get("conflict") is None


@on_sqlite
def test_two_events_out_of_order_end_as_if_in_order(office: Office) -> None:
    """When it happened counts, not when it came."""
    office.deployment.activate_policy()
    later, earlier = joined(3, department="Sales"), joined(2, department="R&D")
    later |= {"type": "person.updated", "subject": "E1", "time": "2026-11-20T12:00:00Z"}
    earlier |= {"type": "person.updated", "subject": "E1", "time": "2026-11-20T11:00:00Z"}
    for event in (joined(), later, earlier):
        assert send(office, event, {"content-type": STRUCTURED}).status_code == 202
    while apply_next(office.deployment.intake):
        pass

    with office.deployment.database.read() as session:
        record = people.load_record(session, "payroll", "E1")
    assert record is not None
    assert people.stated_text(record[0], "department") == "Sales"


@on_sqlite
def test_a_revoked_token_sends_nothing(office: Office) -> None:
    """401 from the moment it is revoked, and another of the same source holds, as during a rotation."""
    old, new = office.token(Role.SOURCE, "payroll"), office.token(Role.SOURCE, "payroll")
    structured = {"content-type": STRUCTURED}
    assert office.http.post("/api/v1/events", json=joined(), headers=old | structured).status_code == 202
    with office.deployment.database.write() as session:
        (first, *_) = list_tokens(session)
        assert revoke_token(session, first.id, office.deployment.clock.now())
    assert problem(office.http.post("/api/v1/events", json=joined(2), headers=old | structured), 401)
    assert office.http.post("/api/v1/events", json=joined(3), headers=new | structured).status_code == 202
    assert office.count("events") == 2


@on_sqlite
def test_a_sender_that_asks_first_is_given_consent(office: Office) -> None:
    """The handshake of CloudEvents webhooks needs no token and grants nothing; without an origin OPTIONS is 405."""
    path = "/api/v1/events"
    asked = office.http.options(path, headers={"WebHook-Request-Origin": "eventgrid.azure.net"})

    assert (asked.status_code, asked.headers["allow"], asked.content) == (200, "POST, OPTIONS", b"")
    assert asked.headers["webhook-allowed-origin"] == "eventgrid.azure.net"
    assert asked.headers["webhook-allowed-rate"] == "*"
    assert problem(office.http.options(path), 405)
    for wrong in ({"WebHook-Request-Origin": "a b"}, {"WebHook-Request-Origin": "a", "WebHook-Request-Rate": "0"}):
        assert problem(office.http.options(path, headers=wrong), 400)


@on_sqlite
def test_a_body_is_not_read_for_a_stranger(office: Office) -> None:
    """Whoever has no token is told so, whatever the body."""
    answer = office.http.post("/api/v1/events", content=b"{", headers={"content-type": STRUCTURED})

    assert problem(answer, 401)
