"""Bodies: one event or a list of up to a hundred; what could hurt is refused before it does."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.sources.body import BodyInvalid, parse

EVENT = {"id": "1", "data": {"groups": ["a ] } b", 'quote " \\ ['], "x": 1.5, "y": None}}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_a_body_is_one_event_or_a_list_of_them() -> None:
    """Both forms give a list of what was sent."""
    assert parse(json.dumps(EVENT).encode()) == [EVENT]
    assert parse(json.dumps([EVENT] * 100).encode()) == [EVENT] * 100


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b'{"a": NaN}', "not valid JSON"),
        (b'{"a": 1e999}', "not valid JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b'\xef\xbb\xbf{"a": 1}', "not valid JSON"),
        (b'"Ping test"', "one event object or a list"),
        (b"42", "one event object or a list"),
        (b"[]", "1 to 100 events, it holds 0"),
        (b"[" + b",".join([b"{}"] * 101) + b"]", "1 to 100 events, it holds 101"),
        (b'{"a": "x\\u0000"}', "no database stores"),
        (b'{"\\ud800": 1}', "no database stores"),
        (b"[" * 21 + b"]" * 21, "deeper than 20"),
        (b'{"a":' * 100_000, "deeper than 20"),
        (b"[" * 1_000_000, "deeper than 20"),
    ],
)
def test_a_bad_body_gives_one_sentence(body: bytes, reason: str) -> None:
    """Every fault has a reason, and none of them quotes the body."""
    with pytest.raises(BodyInvalid, match=reason):
        parse(body)


def test_brackets_in_strings_are_no_depth() -> None:
    """Text may hold as many brackets as it likes, and twenty levels are fine."""
    nested = [{"note": "[{" * 50 + '"'}]
    for _ in range(18):
        nested = [nested]

    assert parse(json.dumps(nested).encode()) == nested


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Nothing but BodyInvalid comes out of bytes that anybody may send."""
    try:
        events = parse(body)
    except BodyInvalid:
        events = []

    assert isinstance(events, list)


@given(st.lists(json_values, min_size=1, max_size=5))
def test_what_is_storable_is_read_unchanged(values: list[object]) -> None:
    """Any JSON comes out as it went in, apart from text that no database stores."""
    body = json.dumps(values)
    try:
        events = parse(body.encode())
    except BodyInvalid as error:
        events = values if "no database stores" in str(error) and "\\u0000" in body else []

    assert events == values
