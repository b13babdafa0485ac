"""What a sender may write, what it becomes, and the sentence that a sender reads who wrote something else."""

import contextlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worker.events import EVENT_TYPES, MAX_EVENT_BYTES, Event, EventInvalid, EventType, event_document, parse_event

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def _wire(**changes: object) -> dict[str, object]:
    wire: dict[str, object] = {
        "specversion": "1.0",
        "id": "evt-1",
        "source": "urn:example:hr",
        "type": "person.joined",
        "subject": "E1001",
        "time": "2026-11-20T09:00:00Z",
        "data": {"givenName": "Ada"},
    }
    return {name: value for name, value in {**wire, **changes}.items() if value is not ...}


def _facts(**attributes: object) -> Mapping[str, object]:
    return parse_event(_wire(type="person.updated", data=attributes), now=NOW).facts


def _refusal(raw: object) -> EventInvalid:
    with pytest.raises(EventInvalid) as caught:
        parse_event(raw, now=NOW)
    return caught.value


def _reason(attribute: str, raw: object) -> str:
    reasons = {problem.attribute: problem.reason for problem in _refusal(raw).problems}
    assert list(reasons) == [attribute]
    return reasons[attribute]


def test_the_example_of_the_contract_is_an_event() -> None:
    """The documented event parses to the values it names."""
    attributes = {
        "givenName": "Ada",
        "familyName": "Lovelace",
        "personalEmail": "ada@home.example",
        "department": "Engineering",
        "manager": "E0007",
        "hireDate": "2026-11-23",
        "timezone": "Europe/London",
    }

    event = parse_event(_wire(data=attributes), now=NOW)

    assert event == Event(
        id="evt-1",
        source="urn:example:hr",
        type=EventType.JOINED,
        subject="E1001",
        time=datetime(2026, 11, 20, 9, tzinfo=UTC),
        facts=attributes,
    )


def test_absent_null_and_blank_are_told_apart() -> None:
    """An absent attribute is unknown; null and blank text are known to be empty."""
    assert _facts(title=None, department="  ", shoeSize="") == {"title": None, "department": None, "shoeSize": None}


def test_unknown_attributes_are_facts() -> None:
    """Scalars and lists of texts under any name are kept with their types, under that name exactly."""
    attributes = {"shoeSize": 42, "given_name": "x", "remote": True, "fte": 0.5, "tags": ["a", "b"], "note": "a\n b"}

    assert _facts(**attributes) == {**attributes, "tags": ("a", "b")}


def test_text_is_normalised() -> None:
    """Names are NFC, trimmed and one line; the work address takes its checked form, the personal one stays."""
    told = _facts(
        givenName=" Zoe\u0308\n Ann\t",
        workEmail=" Zoe@Example.ORG",
        personalEmail=" Zoe.O'Hara@Home.example ",
        country="gb",
    )

    assert told == {
        "givenName": "Zo\u00eb Ann",
        "workEmail": "zoe@example.org",
        "personalEmail": "Zoe.O'Hara@Home.example",
        "country": "GB",
    }


def test_times_are_brought_to_utc() -> None:
    """An offset is a way of writing, not part of the value."""
    event = parse_event(_wire(time="2026-11-20t10:00:00.5+01:00", data={"givenName": "A"}), now=NOW)

    assert event.time == datetime(2026, 11, 20, 9, 0, 0, 500_000, tzinfo=UTC)
    assert event.time.tzinfo is UTC
    assert _facts(leftAt="2026-12-01T00:00:00+05:30") == {"leftAt": "2026-11-30T18:30:00Z"}


def test_a_clock_that_runs_ahead_is_taken_as_the_time_of_receipt() -> None:
    """Up to five minutes are believed; more becomes the time of receipt, with a warning."""
    believed = parse_event(_wire(time="2026-11-20T12:05:00Z"), now=NOW)
    mended = parse_event(_wire(time="2026-11-20T12:05:01Z"), now=NOW)

    assert (believed.time, believed.warnings) == (NOW + timedelta(minutes=5), ())
    assert mended.time == NOW
    assert len(mended.warnings) == 1
    assert "2026-11-20T12:05:01Z" in mended.warnings[0]


def test_extensions_of_cloudevents_are_ignored() -> None:
    """Further attributes at the top level and a media type with parameters change nothing."""
    plain = parse_event(_wire(), now=NOW)
    extended = parse_event(
        _wire(traceparent="00-1", dataschema={"a": [1]}, datacontenttype="Application/json; charset=utf-8"), now=NOW
    )

    assert extended == plain


def test_immediate_belongs_to_departures_alone() -> None:
    """On person.left it is a flag and no fact; on others it is refused unless it is false."""
    departure = parse_event(_wire(type="person.left", data={"immediate": True}), now=NOW)
    harmless = parse_event(_wire(type="person.updated", data={"immediate": False}), now=NOW)

    assert (departure.immediate, departure.facts) == (True, {})
    assert (harmless.immediate, harmless.facts) == (False, {})
    assert "person.left" in _reason("data.immediate", _wire(type="person.updated", data={"immediate": True}))


def test_an_event_without_data_states_no_fact() -> None:
    """Absent and null data are an empty object."""
    suspended = _wire(type="person.suspended", data=...)

    assert parse_event(suspended, now=NOW).facts == {}
    assert parse_event({**suspended, "data": None}, now=NOW).facts == {}


@pytest.mark.parametrize(
    ("attribute", "value", "reason"),
    [
        ("specversion", "0.3", '"1.0"'),
        ("specversion", ..., "missing"),
        ("id", "", "empty"),
        ("id", " ", "empty"),
        ("id", 7, "text is expected, not a number"),
        ("source", "a\nb", "control characters"),
        ("source", "x" * 257, "256 characters"),
        ("subject", ..., "missing"),
        ("subject", None, "text is expected, not null"),
        ("subject", "ada@example.org", "not an e-mail address"),
        ("subject", "a\x00b", "control characters"),
        ("type", "person.fired", "'person.fired' is unknown; the known types are person.joined, "),
        ("type", ["person.joined"], "not a list"),
        ("time", "2026-11-20T09:00:00", "lacks its zone"),
        ("time", "yesterday", "RFC 3339"),
        ("time", "2026-11-20", "RFC 3339"),
        ("time", "2026-02-30T09:00:00Z", "no such instant"),
        ("time", "1969-12-31T23:59:59Z", "1970"),
        ("time", "0001-01-01T00:00:00+23:00", "no such instant"),
        ("time", 1_700_000_000, "not a number"),
        ("data", "givenName", "an object is expected, not text"),
        ("data", [], "an object is expected, not a list"),
        ("data", {}, "needs a name"),
        ("data", {"givenName": None, "familyName": " ", "nickName": "-"}, "needs a name"),
        ("data", {str(number): 1 for number in range(201)}, "200 attributes"),
        ("data", {"": 1}, "names of attributes"),
        ("data", {"a\nb": 1}, "names of attributes"),
        ("data_base64", "e30=", "JSON object"),
        ("datacontenttype", "text/xml", "JSON"),
    ],
)
def test_a_bad_envelope_is_refused_by_name(attribute: str, value: object, reason: str) -> None:
    """Each attribute of the envelope is refused under its own name, with what was expected."""
    assert reason in _reason(attribute, _wire(**{attribute: value}))


@pytest.mark.parametrize(
    ("attribute", "value", "reason"),
    [
        ("givenName", ["Ada"], "text is expected, not a list"),
        ("givenName", "A\x07da", "control characters"),
        ("givenName", "\ud800", "control characters"),
        ("givenName", "x" * 257, "256 characters"),
        ("title", "x" * 2_001, "2,000 characters"),
        ("title", True, "not a truth value"),
        ("note", "x" * 2_001, "2,000 characters"),
        ("groups", "engineering", "a list of texts is expected, not text"),
        ("groups", ["a", 1], "one entry is a number"),
        ("groups", ["a"] * 1_001, "1,000 entries"),
        ("tags", [["a"]], "one entry is a list"),
        ("address", {"city": "Paris"}, "an object is not accepted"),
        ("hireDate", "23.11.2026", "YYYY-MM-DD"),
        ("hireDate", "2026-11-23T00:00:00Z", "YYYY-MM-DD"),
        ("hireDate", "2026-02-29", "no such date"),
        ("lastWorkingDay", "9999-12-31", "between 1900 and 2199"),
        ("leftAt", "2026-11-23", "RFC 3339"),
        ("leftAt", "9999-12-31T00:00:00Z", "between 1900 and 2199"),
        ("timezone", "Mars/Olympus", "time zone"),
        ("timezone", "../etc/passwd", "time zone"),
        ("country", "GBR", "two letters"),
        ("workEmail", "ada at example.org", "local@domain"),
        ("personalEmail", "ada@", "local@domain"),
        ("personalEmail", "a@b@home.example", "local@domain"),
        ("shoeSize", float("inf"), "finite"),
        ("shoeSize", 2**60, "too large"),
        ("immediate", "yes", "true or false is expected, not text"),
    ],
)
def test_a_bad_attribute_is_refused_by_name(attribute: str, value: object, reason: str) -> None:
    """Each attribute of the data is refused under its path, with what was expected."""
    wire = _wire(type="person.left", data={attribute: value})

    assert reason in _reason(f"data.{attribute}", wire)


def test_a_rename_says_what_changed() -> None:
    """A rename without any name or address is refused; a name that was taken away is a change."""
    taken_away = parse_event(_wire(type="person.renamed", data={"middleName": None}), now=NOW)

    assert taken_away.facts == {"middleName": None}
    assert "what changed" in _reason("data", _wire(type="person.renamed", data={"title": "Dr"}))


def test_what_is_no_event_is_refused() -> None:
    """Other JSON, too much of it, and what JSON cannot hold are refused as a whole."""
    deep: dict[str, object] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    large = _wire(data={f"note{number}": "x" * 1_999 for number in range(40)})

    assert "not a list" in _reason("event", [_wire()])
    assert "nested too deeply" in _reason("event", _wire(data=deep))
    assert "nested too deeply" in _reason("event", _wire(data={"a": object()}))
    assert f"{MAX_EVENT_BYTES:,} bytes" in _reason("event", large)


def test_the_sentence_names_five_problems_and_counts_the_rest() -> None:
    """A sender reads what to mend, and a long list stays one sentence."""
    refusal = _refusal(_wire(data={f"bad{number}": {} for number in range(7)}))

    assert len(refusal.problems) == 7
    assert str(refusal).startswith("The event is refused: data.bad0: an object is not accepted")
    assert str(refusal).endswith("; and 2 more.")
    assert "bad5" not in str(refusal)


def test_a_refusal_repeats_no_value() -> None:
    """Neither the sentence nor the chain of causes that a traceback shows holds what the attributes held."""
    names = ["givenName", "title", "hireDate", "leftAt", "timezone", "country", "workEmail", "personalEmail", "groups"]
    for name in names:
        refusal = _refusal(_wire(type="person.left", data={name: "se\x01cret"}))

        assert "cret" not in str(refusal) + repr(refusal)
        assert refusal.__cause__ is None
        assert refusal.__context__ is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
ATTRIBUTES = st.sampled_from(
    ["givenName", "workEmail", "personalEmail", "hireDate", "leftAt", "timezone", "country", "groups", "immediate"]
)
NEARLY_EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(EVENT_TYPES)},
    optional={
        "id": JSON,
        "time": JSON,
        "subject": JSON,
        "specversion": JSON,
        "datacontenttype": JSON,
        "extension": JSON,
        "data": JSON | st.dictionaries(ATTRIBUTES | st.text(max_size=8), JSON, max_size=4),
    },
).map(lambda changes: _wire(**changes))


@pytest.mark.parametrize(
    ("changes", "attribute", "reason"),
    [
        ({"score": float("nan")}, "score", "a finite number is expected"),
        ({"trace": {"deep": [1, {"er": float("-inf")}]}}, "trace", "a finite number is expected"),
        ({"note": "a\0b"}, "note", "control characters"),
        ({"note": ["\udfff"]}, "note", "control characters"),
        ({"note": {"\ud800": 1}}, "note", "control characters"),
        ({"a\0b": 1}, "event", "the name of an attribute must not hold control characters"),
        ({"x" * 300: float("inf")}, "x" * 100, "a finite number is expected"),
    ],
)
def test_what_no_database_takes_is_refused_by_name(changes: dict[str, object], attribute: str, reason: str) -> None:
    """Also the attributes that the schema ignores hold nothing that could not be kept."""
    assert reason in _reason(attribute, _wire(**changes))


def test_every_problem_is_told_at_once() -> None:
    """A sender who mends an event by the sentence is not told the next thing afterwards."""
    refusal = _refusal(_wire(time="now", score=float("nan")))

    assert [problem.attribute for problem in refusal.problems] == ["time", "score"]


@given(JSON | NEARLY_EVENTS)
@example(_wire(data={"givenName": "A", "model_config": 1, "__class__": "x", "copy": None}))
@example(_wire(data={"givenName": "A", "personalEmail": "a@xn--a.org"}))
@example(_wire(id="\udfff"))
def test_any_json_is_an_event_or_refused(raw: object) -> None:
    """Nothing but EventInvalid is raised, and an event that was accepted is so again in its wire form."""
    with contextlib.suppress(EventInvalid):
        event = parse_event(raw, now=NOW)

        assert parse_event(event_document(event), now=NOW) == event
        written = json.dumps(raw, allow_nan=False, ensure_ascii=False)
        assert not re.search("[\ud800-\udfff]|(?<!\\\\)(?:\\\\{2})*\\\\u0000", written)


# Hypothesis takes the bounds of its datetimes without a zone.
EPOCH, RECEIPT = (moment.replace(tzinfo=None) for moment in (datetime(1970, 1, 2, tzinfo=UTC), NOW))
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
DATES = st.dates(date(1900, 1, 1), date(2199, 12, 31)).map(date.isoformat)
DATA = st.fixed_dictionaries(
    {"givenName": NAMES.map(lambda name: f"A{name}")},
    optional={
        "familyName": NAMES | st.none(),
        "note": NAMES,
        "hireDate": DATES,
        "leftAt": st.datetimes(EPOCH, RECEIPT, timezones=st.just(UTC)).map(str),
        "timezone": st.sampled_from(["Europe/Berlin", "UTC", None]),
        "groups": st.lists(NAMES, max_size=3),
        "shoeSize": st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans(),
        "personalEmail": st.emails().filter(lambda email: '"' not in email),
    },
)
EVENTS = st.builds(
    lambda kind, event_id, at, attributes: _wire(type=kind, id=event_id, time=at.isoformat(), data=attributes),
    st.sampled_from(EVENT_TYPES),
    st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20),
    st.datetimes(EPOCH, RECEIPT, timezones=st.just(UTC)),
    DATA,
)


@given(EVENTS)
def test_the_wire_form_of_an_event_is_that_event(raw: object) -> None:
    """An event is the same after any number of ways through its wire form."""
    event = parse_event(raw, now=NOW)

    assert parse_event(event_document(event), now=NOW) == event
