"""Every kind of hook over HTTP: what its deliveries become, and every way in which one may be wrong."""

import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import standardwebhooks
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.integration.hook_senders import ENVIRONMENT, FOREIGN, NEW, OLD, SENDERS, Sender, independent
from tests.integration.test_web_server import Office, joined, on_sqlite, problem, served
from worker.intake import apply_next
from worker.sources import BodyInvalid, Delivery, HookSource, load_sources
from worker.store import events, people
from worker.store.states import EventState
from worker.store.tables import EventRow

each_kind = pytest.mark.parametrize("kind", SENDERS)


@pytest.fixture
def sender(kind: str) -> Sender:
    """The sender of the kind."""
    return SENDERS[kind]


@pytest.fixture
def office(migrated_url: str, tmp_path: Path, sender: Sender) -> Iterator[Office]:
    """A served deployment with the one source `x`."""
    for name, key in ENVIRONMENT.items():
        (tmp_path / name).write_text(key)
    with served(migrated_url, tmp_path, sources=sender.sources) as one:
        yield one


def deliver(
    office: Office,
    sender: Sender,
    event: dict[str, Any],
    *,
    secret: SecretStr = NEW,
    off: timedelta = timedelta(),
    message_id: str = "msg-1",
    content: bytes | None = None,
) -> httpx.Response:
    """Deliver an event; ``content`` goes instead of the body that was signed."""
    body = sender.body(event)
    headers = sender.headers(body, office.deployment.clock.now() + off, secret, message_id)
    return office.http.post("/hooks/x", content=body if content is None else content, headers=headers)


def row_of(office: Office, answer: httpx.Response) -> EventRow:
    """The one event that an answer names."""
    (receipt,) = answer.json()["events"]
    with office.deployment.database.read() as session:
        row = events.get(session, int(receipt["id"]))
    assert row is not None
    return row


@on_sqlite
@each_kind
def test_a_delivery_is_an_event_of_its_source(office: Office, sender: Sender) -> None:
    """202 when it is committed, with the canonical type, subject and facts, whatever the sender's words."""
    answer = deliver(office, sender, joined(1, department="R&D"))

    assert answer.status_code == 202, answer.text
    row = row_of(office, answer)
    assert (row.source, row.state, row.type, row.subject) == ("x", EventState.ACCEPTED, "person.joined", "E1")
    assert row.document["data"]["department"] == "R&D"
    assert office.bell.applies == 1


@on_sqlite
@each_kind
def test_only_the_sources_secrets_are_believed(office: Office, sender: Sender) -> None:
    """The new and the old one during a rotation; another's is 401 and leaves nothing."""
    first, second = (deliver(office, sender, joined(n), secret=held) for n, held in enumerate((NEW, OLD), start=1))
    told = problem(deliver(office, sender, joined(3), secret=FOREIGN), 401)

    assert (first.status_code, second.status_code, told["detail"]) == (202, 202, "no signature matches")
    assert office.count("events") == 2


@on_sqlite
@pytest.mark.parametrize("kind", ["github"])
def test_the_ping_of_a_new_hook_is_taken_and_tells_of_nobody(office: Office, sender: Sender) -> None:
    """GitHub sends one when a hook is made: refused, it would show as a failure there and as a rejected event here."""
    body = b'{"zen":"Keep it logically awesome.","hook_id":1}'
    headers = sender.headers(body, office.deployment.clock.now()) | {"X-GitHub-Event": "ping"}
    answer = office.http.post("/hooks/x", content=body, headers=headers)

    assert (answer.status_code, answer.json()["events"], office.count("events")) == (202, [], 0)
    headers["X-GitHub-Event"] = "member"
    assert office.http.post("/hooks/x", content=body, headers=headers).status_code == 400


@on_sqlite
@each_kind
@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_recorded_delivery_is_refused_where_a_time_is_signed(office: Office, sender: Sender, minutes: int) -> None:
    """And is what it was, at any time, where none is."""
    answer = deliver(office, sender, joined(), off=timedelta(minutes=minutes))

    assert answer.status_code == (401 if sender.signs_time else 202)
    assert not sender.signs_time or "timestamp" in problem(answer, 401)["detail"]


@on_sqlite
@each_kind
@pytest.mark.parametrize("how", ["truncated", "encoded anew", "empty"])
def test_another_body_than_was_signed_is_refused(office: Office, sender: Sender, how: str) -> None:
    """The signature is over the bytes: what a proxy cut or wrote anew is 401."""
    event = joined(1, givenName="Łucja")
    body = sender.body(event)
    content = {"truncated": body[:-9], "encoded anew": json.dumps(json.loads(body)).encode(), "empty": b""}[how]

    assert problem(deliver(office, sender, event, content=content), 401)["detail"] == "no signature matches"
    assert office.count("events") == 0


@on_sqlite
@each_kind
def test_a_delivery_that_comes_again_is_known(office: Office, sender: Sender) -> None:
    """Signed anew a minute later, as retries are: the same event, and nobody is woken for it."""
    first = deliver(office, sender, joined())
    again = deliver(office, sender, joined(), off=timedelta(minutes=1))

    assert again.json()["events"] == [{"id": first.json()["events"][0]["id"], "duplicate": True}]
    assert (office.count("events"), office.bell.applies) == (1, 1)


@on_sqlite
@each_kind
def test_the_same_id_with_another_body_is_kept_and_never_applied(office: Office, sender: Sender) -> None:
    """202, because sending it again cannot mend it; kept as rejected, with the reason."""
    deliver(office, sender, joined())
    answer = deliver(office, sender, joined(department="Sales"))

    assert answer.json()["events"][0]["conflict"] is True
    row = row_of(office, answer)
    assert row.state is EventState.REJECTED
    assert "another body came before" in (row.reason or "")


@on_sqlite
@each_kind
def test_two_events_out_of_order_end_as_if_in_order(office: Office, sender: Sender) -> None:
    """When it happened counts, not when it came, where the sender tells; else it is as if it had just happened."""
    office.deployment.activate_policy()
    later, earlier = joined(3, department="Sales"), joined(2, department="R&D")
    later |= {"type": "person.updated", "subject": "E1", "time": "2026-11-20T12:00:00Z"}
    earlier |= {"type": "person.updated", "subject": "E1", "time": "2026-11-20T11:00:00Z"}
    for number, event in enumerate((joined(), later, earlier)):
        off = timedelta(seconds=number)
        assert deliver(office, sender, event, message_id=f"msg-{number}", off=off).status_code == 202
    while apply_next(office.deployment.intake):
        pass

    with office.deployment.database.read() as session:
        record = people.load_record(session, "x", "E1")
    assert record is not None
    assert people.stated_text(record[0], "department") == ("Sales" if sender.tells_time else "R&D")


@on_sqlite
@each_kind
def test_a_hook_of_canonical_events_agrees_to_be_delivered_to(office: Office, sender: Sender) -> None:
    """The handshake of CloudEvents webhooks; 405 where bodies are the sender's own, and for other uses of OPTIONS."""
    asked = {"WebHook-Request-Origin": "hr.example.com", "WebHook-Request-Rate": "120"}
    answer = office.http.options("/hooks/x", headers=asked | {"WebHook-Request-Callback": "http://127.0.0.1:1/never"})

    if "map" in sender.table:
        assert problem(answer, 405)
        assert answer.headers["allow"] == "POST"
    else:
        assert (answer.status_code, answer.headers["allow"]) == (200, "POST, OPTIONS")
        assert answer.headers["webhook-allowed-origin"] == "hr.example.com"
        assert answer.headers["webhook-allowed-rate"] == "120"
    assert problem(office.http.options("/hooks/x"), 405)
    assert problem(office.http.options("/hooks/y", headers=asked), 404)


@on_sqlite
@pytest.mark.parametrize("kind", ["standard-webhooks"])
def test_the_librarys_own_deliveries_are_accepted(office: Office, sender: Sender) -> None:
    """Signed by the library of the standard, not by us."""
    now, body = office.deployment.clock.now(), sender.body(joined())
    headers = {
        "content-type": "application/json",
        "webhook-id": "msg-1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": standardwebhooks.Webhook(NEW.get_secret_value()).sign("msg-1", now, body.decode()),
    }

    assert office.http.post("/hooks/x", content=body, headers=headers).status_code == 202


@on_sqlite
@pytest.mark.parametrize("kind", ["github", "hmac, bare"])
def test_signatures_that_no_code_of_ours_made_are_accepted(office: Office, sender: Sender) -> None:
    """An HMAC of the body, by the standard library; a body that is sent again without any id is known by its ids."""
    body = sender.body(joined())
    first, again = (office.http.post("/hooks/x", content=body, headers=independent(sender, body)) for _ in range(2))

    assert (first.status_code, again.json()["events"][0]["duplicate"]) == (202, True)


@on_sqlite
@pytest.mark.parametrize("kind", ["github"])
def test_what_a_body_lacks_is_told_and_kept(office: Office, sender: Sender) -> None:
    """400 with the key of the map; what came is kept with the same sentence. An unlisted word is 202 and nothing."""
    body = json.dumps({"happened": "hired", "employee": {}}).encode()
    answer = office.http.post("/hooks/x", content=body, headers=independent(sender, body))
    other = json.dumps({"happened": "payroll"}).encode()
    passed = office.http.post("/hooks/x", content=other, headers=independent(sender, other))

    assert problem(answer, 400)["detail"] == "map.subject: the body has nothing at employee.number"
    assert row_of(office, answer).reason == answer.json()["detail"]
    assert (passed.status_code, passed.json()) == (202, {"events": [], "hints": []})


@on_sqlite
@pytest.mark.parametrize("kind", ["hmac"])
def test_a_mapped_event_is_validated_as_every_other(office: Office, sender: Sender) -> None:
    """400 with the attribute of the canonical event, kept as rejected."""
    answer = deliver(office, sender, joined(1, lastWorkingDay="31.12.2026"))

    assert "data.lastWorkingDay: a date as YYYY-MM-DD is expected" in problem(answer, 400)["detail"]
    assert row_of(office, answer).state is EventState.REJECTED


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
changes = st.dictionaries(
    st.sampled_from(["uuid", "happened", "at", "employee", "id", "time", "type", "subject", "data", "event_type"]),
    json_values,
    max_size=3,
)
tokens = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)


@pytest.mark.parametrize(
    ("kind", "engine"),
    [(kind, "sqlite") for kind in SENDERS]
    + [pytest.param(kind, "postgresql", marks=pytest.mark.postgres) for kind in ("standard-webhooks", "github")],
)
def test_no_delivery_is_a_defect_of_ours(office: Office, sender: Sender) -> None:
    """Signed or not, whatever the bytes and headers: an answer with a sentence, never a 500."""

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=200) | changes, st.booleans(), st.dictionaries(st.sampled_from(_HEADERS), tokens))
    def send(told: bytes | dict[str, Any], is_signed: bool, headers: dict[str, str]) -> None:  # noqa: FBT001
        body = told if isinstance(told, bytes) else json.dumps(sender.words(joined()) | told).encode()
        signed = sender.headers(body, office.deployment.clock.now())
        answer = office.http.post("/hooks/x", content=body, headers=signed if is_signed else signed | headers)

        assert answer.status_code in ({202, 400} if is_signed else {202, 400, 401, 415}), answer.text

    send()


_HEADERS = [
    *("webhook-id", "webhook-timestamp", "webhook-signature", "svix-signature", "svix-timestamp", "Finch-Signature"),
    *("Finch-Timestamp", "X-Hub-Signature-256", "X-GitHub-Delivery", "X-Own", "X-At", "X-Id", "X-Bare", "content-type"),
]


MEBIBYTE = 1024 * 1024
HOSTILE = {
    "zeros": b"\0" * MEBIBYTE,
    "brackets": b"[" * MEBIBYTE,
    "empty lists": b"[" + b"[]," * (MEBIBYTE // 3 - 2) + b"[]]",
    "empty objects": b'{"employees":[' + b"{}," * (MEBIBYTE // 3 - 8) + b"{}]}",
    "quotes": b'"' + b'\\"' * (MEBIBYTE // 2 - 2) + b'"',
    "an open string": b'{"a":"' + b"x" * (MEBIBYTE - 10),
    "backslashes": b'"' + b"\\" * (MEBIBYTE - 2),
    "digits": b"9" * MEBIBYTE,
    "a long fraction": b"0." + b"1" * (MEBIBYTE - 10),
    "names": b"{" + b",".join(b'"%d":0' % number for number in range(80_000)) + b"}",
    "a long time": b'{"uuid":1,"happened":"hired","employee":{"number":1},"at":"%s"}' % (b"1" * 900_000),
    "a long subject": b'{"uuid":1,"happened":"hired","at":1e9,"employee":{"number":"%s"}}' % (b"x" * 900_000),
    "half a million numbers": b"[" + b"1," * (MEBIBYTE // 2 - 2) + b"1]",
}


MOST_FLOORS = 250
"""The costliest takes some dozens of floors; what grew with the square of a body would take many thousands."""


def _processor_s(doing: Callable[[], object]) -> float:
    began = time.thread_time()
    doing()
    return time.thread_time() - began


@pytest.mark.parametrize("kind", ["standard-webhooks", "github"])
@pytest.mark.parametrize("name", HOSTILE)
def test_the_worst_bodies_cost_little(kind: str, name: str) -> None:
    """A body of a mebibyte is read or refused for a small multiple of reading one, in our words or in others'.

    And within a hundred mebibytes.
    """
    body, at = HOSTILE[name], datetime(2026, 11, 20, 9, tzinfo=UTC)
    (source,) = load_sources(SENDERS[kind].sources.replace("_file", "_env"), ENVIRONMENT).of(HookSource)
    delivery = Delivery(body, SENDERS[kind].headers(body, at), at)
    plain = b"[" + b'{"a": "b"},' * (MEBIBYTE // 11 - 2) + b"{}]"

    def read() -> None:
        with suppress(BodyInvalid):
            source.read(delivery)

    floor_s, spent_s = (min(map(_processor_s, [doing] * 3)) for doing in (lambda: json.loads(plain), read))
    tracemalloc.start()
    with suppress(BodyInvalid):
        source.read(delivery)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert spent_s < MOST_FLOORS * floor_s
    assert peak < 100 * MEBIBYTE
