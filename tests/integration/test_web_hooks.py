"""Deliveries to /hooks: what is accepted, what is refused with which sentence, and what stays of each."""

import gzip
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_web_server import (
    FOREIGN_SECRET,
    OLD_SECRET,
    SECRET,
    Office,
    joined,
    on_sqlite,
    problem,
    served,
)
from worker.sources.presets import STANDARD_WEBHOOKS
from worker.sources.signature import sign
from worker.store import events
from worker.store.states import EventState

MEBIBYTE = 1024 * 1024


@pytest.fixture
def office(migrated_url: str, tmp_path: Path) -> Iterator[Office]:
    """A served deployment, on each engine."""
    with served(migrated_url, tmp_path) as one:
        yield one


def test_a_signed_delivery_is_committed_before_it_is_answered(office: Office) -> None:
    """202 names the event, which is in the inbox, and the bell was rung once."""
    answer = office.deliver(joined())

    assert answer.status_code == 202
    (receipt,) = answer.json()["events"]
    assert receipt == {"id": receipt["id"], "duplicate": False}
    with office.deployment.database.read() as session:
        row = events.get(session, int(receipt["id"]))
        assert row is not None
        assert (row.source, row.state, row.ce_id) == ("hr", EventState.ACCEPTED, "evt-1")
    assert office.bell.applies == 1


def test_a_list_is_accepted_as_a_whole(office: Office) -> None:
    """Several events in one delivery get a receipt each."""
    answer = office.deliver([joined(1), joined(2)])

    assert [receipt["duplicate"] for receipt in answer.json()["events"]] == [False, False]
    assert office.count("events") == 2


def test_a_duplicate_is_told_by_the_event_and_not_by_the_delivery(office: Office) -> None:
    """The same event under another webhook-id is one event, and nobody is woken for the second."""
    first, second = office.deliver(joined()), office.deliver(joined())

    assert second.status_code == 202
    assert second.json()["events"] == [{"id": first.json()["events"][0]["id"], "duplicate": True}]
    assert office.count("events") == 1
    assert office.bell.applies == 1


def test_the_same_id_with_another_body_is_kept_and_never_applied(office: Office) -> None:
    """A conflict is answered 202, because sending it again cannot mend it, and is kept with the reason."""
    office.deliver(joined())
    answer = office.deliver(joined(department="Sales"))

    assert answer.status_code == 202
    (receipt,) = answer.json()["events"]
    assert receipt["conflict"] is True
    with office.deployment.database.read() as session:
        row = events.get(session, int(receipt["id"]))
        assert row is not None
        assert row.state is EventState.REJECTED
        assert "another body came before" in (row.reason or "")


@on_sqlite
def test_a_secret_that_is_being_rotated_out_still_holds(office: Office) -> None:
    """Each of a source's secrets may have signed."""
    assert office.deliver(joined(1), secret=OLD_SECRET).status_code == 202
    assert office.deliver(joined(2), secret=SECRET).status_code == 202


@on_sqlite
def test_a_forged_delivery_is_refused(office: Office) -> None:
    """A signature by a secret that is not the source's is 401, and nothing is accepted."""
    told = problem(office.deliver(joined(), secret=FOREIGN_SECRET), 401)

    assert told["detail"] == "no signature matches"
    assert office.count("events") == 0


@on_sqlite
def test_a_body_that_was_changed_on_the_way_is_refused(office: Office) -> None:
    """A body that is cut off no longer fits its signature."""
    whole = json.dumps(joined()).encode()
    headers = sign(STANDARD_WEBHOOKS, whole, SECRET, office.deployment.clock.now()) | {
        "content-type": "application/json"
    }
    told = problem(office.http.post("/hooks/hr", content=whole[:-20], headers=headers), 401)

    assert told["detail"] == "no signature matches"


@on_sqlite
@pytest.mark.parametrize(
    ("shift", "sentence"),
    [(timedelta(minutes=-6), "the timestamp is too old"), (timedelta(minutes=6), "the timestamp is in the future")],
)
def test_a_delivery_of_another_time_is_refused(office: Office, shift: timedelta, sentence: str) -> None:
    """A recorded delivery cannot be played again later, nor one be made in advance."""
    body = json.dumps(joined()).encode()
    headers = sign(STANDARD_WEBHOOKS, body, SECRET, office.deployment.clock.now() + shift)
    told = problem(
        office.http.post("/hooks/hr", content=body, headers=headers | {"content-type": "application/json"}), 401
    )

    assert told["detail"] == sentence


@on_sqlite
def test_a_delivery_without_signature_is_refused(office: Office) -> None:
    """The sentence names the header that is missing."""
    told = problem(office.http.post("/hooks/hr", json=joined()), 401)

    assert told["detail"] == "the header webhook-signature is missing"


BAD_EVENTS = {
    "unknown type": ({"type": "person.promoted"}, "type: 'person.promoted' is unknown"),
    "wrong date": ({"data": {"givenName": "Ada", "hireDate": "31.12.2026"}}, "data.hireDate: "),
    "missing subject": ({"subject": None}, "subject: "),
    "text for a list": ({"data": {"givenName": "Ada", "groups": "all"}}, "data.groups: a list of texts is expected"),
}


@on_sqlite
@pytest.mark.parametrize("name", BAD_EVENTS)
def test_an_invalid_event_is_told_by_attribute_and_reason_and_is_kept(office: Office, name: str) -> None:
    """400 says what is wrong where; the event is in the inbox as rejected, with the same sentence."""
    change, sentence = BAD_EVENTS[name]
    told = problem(office.deliver(joined() | change), 400)

    assert sentence in told["detail"]
    assert told["problems"] == [told["detail"]]
    with office.deployment.database.read() as session:
        row = events.get(session, int(told["events"][0]["id"]))
        assert row is not None
        assert (row.state, row.reason) == (EventState.REJECTED, told["detail"])
    assert office.bell.applies == 0


def test_one_invalid_event_keeps_the_whole_delivery_out(office: Office) -> None:
    """Nothing is half done: the good event of a list with a bad one is not accepted, and may be sent again."""
    told = problem(office.deliver([joined(1), joined(2) | {"time": "yesterday"}, {}]), 400)

    assert told["detail"].startswith("event 2: ")
    assert told["detail"].endswith("None of the others was accepted: send all of them again.")
    assert len(told["problems"]) == 2
    assert office.count("events") == 2
    assert office.deliver(joined(1)).json()["events"][0]["duplicate"] is False


UNREADABLE = {
    b'{"specversion": "1.0", "id": "ev': "the body is not valid JSON",
    b"": "the body is not valid JSON",
    b"\xff\xfe{}": "the body is not UTF-8",
    b'"evt-1"': "the body must be one event object or a list of them",
    b"[]": "the body must hold 1 to 100 events, it holds 0",
    b"[" * 30 + b"]" * 30: "the body is nested deeper than 20 levels",
    b'{"id": "\\u0000"}': "the body holds text that no database stores",
    b'{"id": "\\ud800"}': "the body holds text that no database stores",
}


@pytest.mark.parametrize("body", UNREADABLE)
def test_a_signed_body_that_holds_no_events_is_kept(office: Office, body: bytes) -> None:
    """What an authenticated sender sent leaves a record even if it cannot be read."""
    told = problem(office.deliver(body), 400)

    assert told["detail"].startswith(UNREADABLE[body])
    with office.deployment.database.read() as session:
        row = events.get(session, int(told["events"][0]["id"]))
        assert row is not None
        assert (row.state, row.reason) == (EventState.REJECTED, told["detail"])
        assert "raw" in row.document


@on_sqlite
@pytest.mark.parametrize("sent", ["with a length", "in chunks"])
def test_a_body_of_two_megabytes_is_refused_with_or_without_a_length(office: Office, sent: str) -> None:
    """413 is read by the sender, also where only counting shows the size."""
    body = b"x" * (2 * MEBIBYTE)
    content: Any = iter([body[:MEBIBYTE], body[MEBIBYTE:]]) if sent == "in chunks" else body
    told = problem(office.deliver(body, content=content), 413)

    assert told["detail"] == "the body is larger than 1,048,576 bytes"
    assert office.count("events") == 0


@on_sqlite
def test_the_size_is_bounded_before_anybody_is_asked_who_they_are(office: Office) -> None:
    """Routes whose bodies the framework reads are bounded too, for strangers first of all."""
    assert problem(office.http.post("/api/v1/jobs/1/dismiss", content=b"x" * 2 * MEBIBYTE), 413)


def test_the_same_event_in_many_deliveries_at_once_is_one(office: Office) -> None:
    """Senders that repeat themselves in parallel get one id, and one of them made it."""
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: office.deliver([joined(1), joined(2)]), range(6)))

    receipts = [receipt for answer in answers for receipt in answer.json()["events"]]
    assert {answer.status_code for answer in answers} == {202}
    assert len({receipt["id"] for receipt in receipts}) == 2
    assert sum(not receipt["duplicate"] for receipt in receipts) == 2
    assert office.count("events") == 2


@on_sqlite
def test_a_body_of_exactly_one_mebibyte_is_read(office: Office) -> None:
    """The limit itself is allowed: what is wrong with such a body is something else."""
    told = problem(office.deliver(b" " * MEBIBYTE), 400)

    assert told["detail"].startswith("the body is not valid JSON")


@on_sqlite
def test_an_unknown_source_is_not_found(office: Office) -> None:
    """404 comes as a problem."""
    assert problem(office.http.post("/hooks/payroll", json=joined()), 404)["detail"] == (
        "no source of this name has a hook"
    )


@on_sqlite
@pytest.mark.parametrize("given", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
def test_only_json_is_accepted(office: Office, given: str) -> None:
    """Another content type, or none, is 415."""
    told = problem(office.deliver(joined(), headers={"content-type": given}), 415)

    assert told["detail"].startswith("the content type must be application/json")


@on_sqlite
def test_an_encoded_body_is_refused_by_name(office: Office) -> None:
    """A sender that compresses is told so instead of being told that its JSON is broken."""
    packed = gzip.compress(json.dumps(joined()).encode())
    told = problem(office.deliver(packed, headers={"content-encoding": "gzip"}), 415)

    assert "Content-Encoding" in told["detail"]


@on_sqlite
def test_a_charset_parameter_does_no_harm(office: Office) -> None:
    """Many senders add one."""
    assert office.deliver(joined(), headers={"content-type": "application/json; charset=utf-8"}).status_code == 202


def test_without_a_working_database_the_sender_is_asked_to_come_back(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """503 with Retry-After where nothing can be committed; the same delivery is accepted once it can be."""
    office.execute("alter table events rename to events_gone")
    answer = office.deliver(joined())
    told = problem(answer, 503)
    office.execute("alter table events_gone rename to events")

    assert int(answer.headers["retry-after"]) > 0
    assert "send the request again" in told["detail"]
    assert "Lovelace" not in caplog.text + answer.text
    assert office.bell.applies == 0
    assert office.deliver(joined()).json()["events"][0]["duplicate"] is False


def test_a_database_server_that_does_not_answer_is_503_too(tmp_path: Path) -> None:
    """The process starts and answers without its database."""
    with served("postgresql+psycopg://nobody@127.0.0.1:1/none", tmp_path) as office:
        assert problem(office.deliver(joined()), 503)
        assert problem(office.http.get("/readyz"), 503)
        assert office.http.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize("engine", [pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_connections_that_the_server_closed_are_replaced(migrated_url: str, tmp_path: Path) -> None:
    """A database that was restarted costs no delivery."""
    with served(migrated_url, tmp_path) as office:
        office.deliver(joined(1))
        office.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() "
            "and datname = current_database()"
        )

        assert office.deliver(joined(2)).status_code == 202


@on_sqlite
def test_nothing_that_was_sent_is_logged(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    """Neither names nor personal addresses reach the logs, whatever becomes of the delivery."""
    caplog.set_level("DEBUG")
    office.deliver(joined())
    office.deliver(joined() | {"type": "nonsense"})
    office.deliver(joined(), secret=FOREIGN_SECRET)
    office.deliver(b"{" + json.dumps(joined()).encode())

    assert not [word for word in ("Lovelace", "ada@home.example", "whsec_") if word in caplog.text]
