"""How an answer of the mail host is judged."""

import json

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.migadu import CallName, FailureClass, MigaduError
from worker.migadu.answers import MalformedAnswer, judge, judge_silence, unsettled
from worker.migadu.calls import Call
from worker.migadu.errors import ERRORS, EchoMismatch
from worker.wire import retry_after_s

JSON = "application/json; charset=utf-8"
PATH = "/domains/example.org/mailboxes/*"
READ = Call(CallName.SHOW_MAILBOX, PATH)
WRITE = Call(CallName.UPDATE_MAILBOX, PATH)
DELETE = Call(CallName.DELETE_MAILBOX, PATH)
HAPROXY = b"<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n</body></html>"
PLAN_LIMIT = b'{"error":"mailbox limit reached for unverified accounts, please contact support!"}'

TRANSIENT, UNKNOWN, REFUSED = FailureClass.TRANSIENT, FailureClass.UNKNOWN, FailureClass.REFUSED
THROTTLED, FULL, ACCOUNT, ABSENT = (
    FailureClass.THROTTLED,
    FailureClass.FULL,
    FailureClass.ACCOUNT,
    FailureClass.ABSENT,
)


@pytest.mark.parametrize(
    ("status", "content_type", "body", "on_read", "on_write"),
    [
        (400, JSON, b'{"error":"bad request"}', REFUSED, REFUSED),
        (422, JSON, b'{"error":"dns_check_failed","message":"no"}', REFUSED, REFUSED),
        (409, JSON, b"", REFUSED, REFUSED),
        (401, JSON, b'{"error":"The token is invalid or expired."}', ACCOUNT, ACCOUNT),
        (402, JSON, b"", ACCOUNT, ACCOUNT),
        (403, "text/html", HAPROXY, THROTTLED, THROTTLED),
        (403, "", HAPROXY, THROTTLED, THROTTLED),
        (403, "text/plain", b"Request forbidden by administrative rules", THROTTLED, THROTTLED),
        (403, "text/html", b"", THROTTLED, THROTTLED),
        (403, JSON, PLAN_LIMIT, FULL, FULL),
        (403, JSON, b'{"error":"not yours"}', ACCOUNT, ACCOUNT),
        (403, "", b"", ACCOUNT, ACCOUNT),
        (404, JSON, b'{"error":"not found"}', ABSENT, ABSENT),
        (404, "", b"", ABSENT, ABSENT),
        (404, "text/html", b"<h1>404 page not found</h1>", TRANSIENT, UNKNOWN),
        (404, "", b" <html>no such way", TRANSIENT, UNKNOWN),
        (408, "text/html", b"", TRANSIENT, UNKNOWN),
        (429, JSON, b"", TRANSIENT, TRANSIENT),
        (500, JSON, b'"a bare string"', TRANSIENT, UNKNOWN),
        (502, "text/html", b"<html>", TRANSIENT, UNKNOWN),
        (503, "", b"", TRANSIENT, TRANSIENT),
        (504, "", b"", TRANSIENT, UNKNOWN),
        (599, "", b"", TRANSIENT, UNKNOWN),
        (301, "text/html", b"", TRANSIENT, UNKNOWN),
        (202, JSON, b"{}", TRANSIENT, UNKNOWN),
    ],
)
def test_every_failing_answer_has_its_class(status, content_type, body, on_read, on_write):
    """The class follows from the status, and with 403 from the body; where a read is repeated, a write is unknown."""
    judged = [judge(call, status, content_type, body) for call in (READ, WRITE, DELETE)]

    assert judged == [on_read, on_write, on_write]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (JSON, b""),
        (JSON, b'{"address":"ada@exam'),
        (JSON, b'["ada"]'),
        (JSON, b"null"),
        (JSON, b"[" * 100_000),
        (JSON, b"\xff\xfe\xfd"),
        ("text/html", b'{"address":"ada@example.org"}'),
    ],
)
def test_success_without_an_object_is_malformed(content_type, body):
    """An answer of 200 that is no JSON object is not believed, and its text is not in the error."""
    with pytest.raises(MalformedAnswer) as caught:
        judge(WRITE, 200, content_type, body)

    assert "ada" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_delete_needs_no_object():
    """A delete is done when it is answered 200 with nothing, or 204."""
    assert judge(DELETE, 200, "", b" ") == {}
    assert judge(DELETE, 204, "", b"") == {}


def test_a_content_type_may_be_missing():
    """An object without a content type is still an object."""
    assert judge(READ, 200, "", b'{"name":"Ada"}') == {"name": "Ada"}


@pytest.mark.parametrize(
    ("error", "on_write"),
    [
        (httpx.ConnectError("refused"), TRANSIENT),
        (httpx.ConnectTimeout("slow"), TRANSIENT),
        (httpx.PoolTimeout("busy"), TRANSIENT),
        (httpx.WriteTimeout("slow"), UNKNOWN),
        (httpx.ReadTimeout("slow"), UNKNOWN),
        (httpx.ReadError("reset"), UNKNOWN),
        (httpx.RemoteProtocolError("dropped"), UNKNOWN),
        (httpx.DecodingError("not gzip"), UNKNOWN),
    ],
)
def test_silence_is_harmless_until_something_was_sent(error, on_write):
    """Without an answer a write is unknown from the first byte sent, and a read is always transient."""
    assert judge_silence(WRITE, error) is on_write
    assert judge_silence(READ, error) is TRANSIENT


@pytest.mark.parametrize(
    ("value", "date", "expected"),
    [
        (None, None, None),
        ("120", None, 120.0),
        (" 0 ", None, 0.0),
        ("9" * 400, None, 86_400.0),
        ("Fri, 20 Nov 2026 09:02:00 GMT", "Fri, 20 Nov 2026 09:00:00 GMT", 120.0),
        ("Fri, 20 Nov 2026 08:00:00 GMT", "Fri, 20 Nov 2026 09:00:00 GMT", 0.0),
        ("Fri, 20 Nov 2026 09:02:00 GMT", None, None),
        ("Fri, 20 Nov 2026 09:02:00", "Fri, 20 Nov 2026 09:00:00 GMT", None),
        ("-5", None, None),
        ("soon", "later", None),
        ("²", None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_by_the_hosts_clock(value, date, expected):
    """Seconds are taken as they are, a date is measured against the answer's own date, and nonsense says nothing."""
    assert retry_after_s(value, date) == expected


@given(value=st.text(max_size=60), date=st.none() | st.text(max_size=60))
@settings(max_examples=200)
def test_no_retry_after_breaks_the_parser(value, date):
    """Whatever the header says, the answer is None or between nothing and a day."""
    stated = retry_after_s(value, date)

    assert stated is None or 0 <= stated <= 86_400


_JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    operation=st.sampled_from(CallName),
    status=st.integers(100, 999),
    content_type=st.sampled_from(["", JSON, "text/html", "text/plain"]) | st.text(max_size=20),
    body=st.binary(max_size=80) | _JSON_VALUES.map(lambda value: json.dumps(value).encode()),
)
@settings(max_examples=300)
def test_every_answer_is_an_object_a_class_or_malformed(operation, status, content_type, body):
    """No answer raises anything but MalformedAnswer, a write is never called transient but where it was turned away."""
    call = Call(operation, PATH)
    try:
        judged = judge(call, status, content_type, body)
    except MalformedAnswer:
        judged = unsettled(call)

    assert isinstance(judged, dict | FailureClass)
    if call.is_write and judged is FailureClass.TRANSIENT:
        assert status in (429, 503)
    if not call.is_write:
        assert judged is not FailureClass.UNKNOWN


def test_every_class_of_failure_has_one_error_type():
    """Errors and classes answer to each other one to one; an echo that differs is a refusal."""
    assert set(ERRORS) == set(FailureClass)
    assert all(kind.failure is failure for failure, kind in ERRORS.items())
    assert EchoMismatch.failure is FailureClass.REFUSED


def test_an_error_says_what_failed_in_one_sentence():
    """The text names the operation, the method, the path, what happened and what it means."""
    error: MigaduError = ERRORS[FailureClass.THROTTLED](WRITE, "was answered 403", status=403)

    assert str(error) == f"update-mailbox (PUT {PATH}) was answered 403: the mail host's call limit is closed."
    assert (error.operation, error.method, error.path) == (CallName.UPDATE_MAILBOX, "PUT", PATH)
    assert (error.status, error.failure) == (403, THROTTLED)
    assert (error.excerpt, error.retry_after_s) == ("", None)
