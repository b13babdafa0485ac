"""The map: from a sender's own body to canonical events or hints, and one sentence for what a body lacks."""

import hashlib
import hmac
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jmespath.functions import Functions

from worker.events import EventInvalid, parse_event
from worker.sources import BadSignature, BodyInvalid, Delivery, Hint, HookSource, Parsed, SourcesInvalid, load_sources
from worker.sources.expression import Expression, NotFitting
from worker.sources.mapping import BodyMap
from worker.sources.signature import Proof

NOW = datetime(2026, 11, 20, 9, 0, 0, tzinfo=UTC)
KEY = "a text of no special form"
HEAD = '[sources.hr]\nkind = "hmac"\nsecret_env = "KEY"\nsignature = { header = "S", id_header = "I" }\n'
GUSTO = """[sources.hr.map]
id = "uuid"
subject = "entity_uuid"
time = "timestamp"
type = "event_type"
[sources.hr.map.types]
"employee.onboarded" = "person.joined"
"employee.updated" = ""
"employee.terminated" = "person.left"
[sources.hr.map.facts]
givenName = "data.first_name"
familyName = "data.last_name"
employeeNumber = "data.number"
department = "data.department.name"
lastWorkingDay = "data.last_day"
immediate = "data.fired"
badge = "data.badge"
"""
ITEM: dict[str, Any] = {
    "uuid": "03ff",
    "entity_uuid": 4711,
    "timestamp": 1763629200,
    "event_type": "employee.onboarded",
    "data": {"first_name": "Ada", "number": 7, "department": {"name": None}, "last_day": "2026-11-30T00:00:00Z"},
}


def source(text: str = GUSTO) -> HookSource:
    """A source with this map."""
    (one,) = load_sources(HEAD + text, {"KEY": KEY}).of(HookSource)
    return one


def delivery(body: object, message_id: str | None = None, at: datetime = NOW) -> Delivery:
    """A body, signed."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"S": hmac.new(KEY.encode(), raw, hashlib.sha256).hexdigest()}
    return Delivery(raw, headers | ({"I": message_id} if message_id else {}), at)


def told(body: object, text: str = GUSTO, message_id: str | None = None) -> Parsed:
    """What a delivery of this body tells."""
    return source(text).read(delivery(body, message_id))


def refused(body: object, text: str = GUSTO) -> str:
    """The sentence with which a body is refused."""
    with pytest.raises(BodyInvalid) as error:
        told(body, text)
    return str(error.value)


def test_an_item_becomes_a_canonical_event() -> None:
    """Names, keys and times are found by their paths; numbers become text where ours is text; null stays known."""
    (event,) = told(ITEM).events

    assert event == {
        "specversion": "1.0",
        "id": "03ff",
        "source": "urn:mailroster:hr",
        "type": "person.joined",
        "subject": "4711",
        "time": "2025-11-20T09:00:00Z",
        "data": {"givenName": "Ada", "employeeNumber": "7", "department": None, "lastWorkingDay": "2026-11-30"},
    }
    assert parse_event(event, now=NOW).facts["givenName"] == "Ada"


def test_a_word_that_is_not_listed_is_passed_over_and_counted() -> None:
    """Whatever else its item lacks; a listed word without a type of ours means that facts changed."""
    many = "[sources.hr.map]\nitems = 'all[]'\n" + GUSTO.partition("\n")[2]
    parsed = told({"all": [{"event_type": "payroll.run"}, ITEM | {"event_type": "employee.updated"}]}, many)

    assert parsed.passed_over == 1
    assert [event["type"] for event in parsed.events if isinstance(event, dict)] == ["person.updated"]


def test_immediate_is_told_of_departures_alone() -> None:
    """The canonical event knows it nowhere else."""
    fired = ITEM | {"data": {"first_name": "Ada", "fired": True}}
    (joined,), (left,) = told(fired).events, told(fired | {"event_type": "employee.terminated"}).events

    assert isinstance(joined, dict)
    assert isinstance(left, dict)
    assert "immediate" not in joined["data"]
    assert left["data"]["immediate"] is True


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (1763629200, "2025-11-20T09:00:00Z"),
        (1763629200123, "2025-11-20T09:00:00.123000Z"),
        (1763629200.5, "2025-11-20T09:00:00.500000Z"),
        ("1763629200", "2025-11-20T09:00:00Z"),
        ("2025-11-20T09:00:00Z", "2025-11-20T09:00:00Z"),
        ("2025-11-20T09:00:00+0100", "2025-11-20T08:00:00Z"),
        ("2025-11-20T09:00:00.123456", "2025-11-20T09:00:00.123456Z"),
        ("2025-11-20 09:00:00", "2025-11-20T09:00:00Z"),
        ("2025-11-20", "2025-11-20T00:00:00Z"),
    ],
)
def test_times_are_read_as_senders_write_them(written: object, text: str) -> None:
    """ISO 8601 with or without an offset, seconds and milliseconds since 1970."""
    (event,) = told(ITEM | {"timestamp": written}).events

    assert isinstance(event, dict)
    assert event["time"] == text


THIN = """[sources.hr.map]
items = "employees[]"
subject = "id"
facts = { givenName = "name" }
"""
TWO = {"company": "c", "employees": [{"id": 1, "name": "Ada"}, {"id": 2, "name": "Alan"}]}


def test_without_an_id_in_the_body_the_delivery_tells_it() -> None:
    """The sender's id of the delivery and the ordinal; else a hash, equal for equal bodies of one source alone."""
    by_id, by_hash, again = (told(TWO, THIN, message_id) for message_id in ("m-1", None, None))
    other = told(TWO | {"company": "d"}, THIN)

    assert [event["id"] for event in by_id.events if isinstance(event, dict)] == ["m-1:0", "m-1:1"]
    assert by_hash == again
    ids = {event["id"] for event in (*by_id.events, *by_hash.events, *other.events) if isinstance(event, dict)}
    assert len(ids) == 6


def test_without_a_time_in_the_body_the_event_says_that_it_was_recorded_then() -> None:
    """So that a repeated delivery is known as the same event."""
    first, later = (source(THIN).read(delivery(TWO, "m-1", at)) for at in (NOW, NOW + timedelta(hours=1)))

    for parsed, text in ((first, "2026-11-20T09:00:00Z"), (later, "2026-11-20T10:00:00Z")):
        times = [(event["time"], event["recordedtime"]) for event in parsed.events if isinstance(event, dict)]
        assert times == [(text, text)] * 2


def test_a_path_that_begins_with_a_dollar_looks_at_the_whole_body() -> None:
    """What an envelope says holds for each of its items; an id of the envelope tells them apart by their ordinal."""
    text = (
        '[sources.hr.map]\nitems = "data.resource[]"\nid = "$.data.meta.event_id"\nsubject = "contract_id"\n'
        'type = "$.data.meta.event_type"\n[sources.hr.map.types]\n"contract.terminated" = "person.left"\n'
    )
    meta = {"event_type": "contract.terminated", "event_id": "evt_1"}
    parsed = told({"data": {"meta": meta, "resource": [{"contract_id": "a"}, {"contract_id": "b"}]}}, text)

    events = [(event["id"], event["subject"], event["type"]) for event in parsed.events if isinstance(event, dict)]
    assert events == [("evt_1:0", "a", "person.left"), ("evt_1:1", "b", "person.left")]


def test_a_thin_source_tells_hints() -> None:
    """Who, when, our type where theirs is listed with one, and a key that is the same when it is delivered again."""
    section = source().map
    assert section is not None
    thin = BodyMap("hr", section, thin=True)
    left = ITEM | {"event_type": "employee.terminated", "timestamp": "2026-11-20T09:04:00Z"}
    ahead = ITEM | {"event_type": "employee.updated", "timestamp": "2027-11-20T09:04:00Z"}

    assert thin.parse(delivery(left), Proof("m", NOW)).hints == (
        Hint("4711", NOW + timedelta(minutes=4), "person.left", "03ff"),
    )
    assert thin.parse(delivery(ahead), Proof("m", NOW)).hints == (Hint("4711", NOW, None, "03ff"),)


def test_the_same_words_at_another_time_are_another_hint() -> None:
    """Who only says who changed says the same each time; what has an id, or says what changed, is known by that."""
    later = NOW + timedelta(minutes=1)
    section = source(GUSTO.replace('id = "uuid"\n', "")).map
    assert section is not None
    thin, whole = (BodyMap("hr", section, thin=each) for each in (True, False))

    def keys(reader: BodyMap, *proofs: Proof) -> int:
        parsed = [reader.parse(delivery(ITEM), proof) for proof in proofs]
        return len({one.hints[0].key if one.hints else one.events[0]["id"] for one in parsed})

    assert keys(thin, Proof(None, NOW), Proof(None, later)) == 2
    assert keys(thin, Proof(None, NOW), Proof(None, NOW)) == 1
    assert keys(thin, Proof("m", NOW), Proof("m", later)) == 1
    assert keys(whole, Proof(None, NOW), Proof(None, later)) == 1


def test_a_hint_fits_where_it_is_kept() -> None:
    """A long id becomes a hash, a word without a table is no type of ours, a subject is checked as an event's is."""
    section = source(GUSTO.partition("[sources.hr.map.types]")[0] + FACT).map
    assert section is not None
    thin = BodyMap("hr", section, thin=True)
    (hint,) = thin.parse(delivery(ITEM | {"uuid": "x" * 5000}), Proof("m", NOW)).hints

    assert (len(hint.key), hint.type) == (64, None)
    for subject in ("ada@example.org", "x" * 300, "a\nb"):
        with pytest.raises(BodyInvalid, match=r"^map\.subject: "):
            thin.parse(delivery(ITEM | {"entity_uuid": subject}), Proof("m", NOW))


LACKING = {
    "no type": ({}, "map.type: the body has nothing at event_type"),
    "no subject": ({"event_type": "employee.updated"}, "map.subject: the body has nothing at entity_uuid"),
    "a type that is a list": (ITEM | {"event_type": ["a"]}, "map.type: text or a whole number is expected there"),
    "a subject that is true": (ITEM | {"entity_uuid": True}, "map.subject: text or a whole number is expected there"),
    "a subject of spaces": (ITEM | {"entity_uuid": "  "}, "map.subject: text or a whole number is expected there"),
    "a broken number": (ITEM | {"entity_uuid": 1.5}, "map.subject: text or a whole number is expected there"),
    "a time that is none": (ITEM | {"timestamp": "soon"}, "map.time: an ISO 8601 instant"),
    "a time before 1970": (ITEM | {"timestamp": "0001-01-01"}, "map.time: an ISO 8601 instant"),
    "a negative time": (ITEM | {"timestamp": -1}, "map.time: an ISO 8601 instant"),
    "a time out of reach": (ITEM | {"timestamp": 10**300}, "map.time: an ISO 8601 instant"),
    "no id": ({k: v for k, v in ITEM.items() if k != "uuid"}, "map.id: the body has nothing at uuid"),
    "a ping": ("Ping test", "map.type: the body has nothing at event_type"),
    "no JSON": (b"Ping test", "the body is not valid JSON"),
}


@pytest.mark.parametrize("name", LACKING)
def test_what_a_body_lacks_is_told_in_one_sentence(name: str) -> None:
    """With the key of the map, and without quoting the body."""
    body, sentence = LACKING[name]

    assert refused(body).startswith(sentence)


def test_of_many_items_the_one_at_fault_is_told() -> None:
    """Nothing of the delivery is taken then. Too many items, or none where they should be, are told too."""
    assert refused({"employees": [{"id": 1}, {}]}, THIN) == "item 2: map.subject: the body has nothing at id"
    assert refused({"people": []}, THIN) == "map.items: the body has nothing at employees[]"
    assert refused({"employees": [{"id": 1}] * 1001}, THIN).startswith("map.items: the body has 1,001 items")
    assert told({"employees": []}, THIN) == Parsed()
    assert len(told({"employees": {"id": 1}}, '[sources.hr.map]\nitems="employees"\nsubject="id"\n' + FACT).events) == 1


FACT = '[sources.hr.map.facts]\ngivenName = "name"\n'


def test_an_expression_that_does_not_fit_is_told_without_values() -> None:
    """A function that is handed something else than it takes."""
    text = "[sources.hr.map]\nsubject = \"join(',', names)\"\n" + FACT
    facts = "[sources.hr.map]\nsubject = 'id'\n[sources.hr.map.facts]\ngivenName = 'max(name)'\n"

    assert refused({"names": 7}, text) == "map.subject: the expression does not fit what is there"
    assert refused({"id": 7, "name": "Ada"}, facts) == "map.facts.givenName: the expression does not fit what is there"


@pytest.mark.parametrize(
    ("key", "expression", "sentence"),
    [
        ("subject", "a.", "is not a JMESPath expression"),
        ("subject", "", "must be a JMESPath expression"),
        ("subject", "a" * 2000, "must be a JMESPath expression"),
        ("subject", "(" * 900, "is not a JMESPath expression"),
        ("items", "$x", "is not a JMESPath expression"),
        ("id", "upper(a)", "upper is not a function of JMESPath"),
        ("id", "join(a)", "join takes another number of arguments"),
        ("time", "&a", "may hold & only inside a function"),
        ("time", "[&a]", "may hold & only inside a function"),
    ],
)
def test_an_expression_that_cannot_work_is_refused_when_it_is_read(key: str, expression: str, sentence: str) -> None:
    """With line and key."""
    keys = {"subject": "id"} | {key: expression}
    text = "[sources.hr.map]\n" + "".join(f"{name} = {json.dumps(path)}\n" for name, path in keys.items()) + FACT
    line = 5 + 1 + list(keys).index(key)

    with pytest.raises(SourcesInvalid, match=rf"^line {line}: sources\.hr\.map\.{key}: {sentence}"):
        source(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            GUSTO.replace("person.joined", "person.promoted"),
            'line 11: .*employee.onboarded: must be "" or one of',
        ),
        (GUSTO.replace('type = "event_type"\n', ""), "sources.hr.map.type: is required"),
        (GUSTO + "hireDate = 7", "line 22: sources.hr.map.facts.hireDate: must be a JMESPath expression"),
        (GUSTO.replace("subject", "subjct"), "line 7: sources.hr.map.subjct: unknown key; did you mean 'subject'"),
        ('[sources.hr.map]\nsubject = "id"', "line 5: sources.hr.map: needs facts or"),
    ],
)
def test_a_map_that_cannot_work_is_refused_when_it_is_read(text: str, sentence: str) -> None:
    """With line and key."""
    with pytest.raises(SourcesInvalid, match=sentence):
        source(text)


def test_a_source_that_tells_ids_alone_needs_more() -> None:
    """Finch's ready map finds who changed; an operator's types make events of it, or its records are asked for."""
    head, secret = '[sources.hr]\nkind = "finch"\nsecret_env = "KEY"\n', {"KEY": "A" * 40}
    left = head + '[sources.hr.map.types]\n"directory.deleted" = "person.left"\n'
    (one,) = load_sources(left, secret).of(HookSource)

    assert one.map is not None
    assert one.map.subject.text == "data.individual_id"
    assert dict(one.map.types) == {"directory.deleted": "person.left"}
    with pytest.raises(SourcesInvalid, match=r"^line 1: sources.hr.map: needs facts or \[sources.hr.hydrate\]"):
        load_sources(head, secret)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*ITEM, "employees", "id"]), inner),
    max_leaves=12,
)
MAPS = [GUSTO, THIN, '[sources.hr.map]\nitems = "*[]"\nsubject = "max_by(@, &id).join(\',\', id)"\n' + FACT]


@given(json_values | st.builds(lambda change: ITEM | change, st.dictionaries(st.sampled_from([*ITEM]), json_values)))
def test_any_body_is_read_or_refused(body: object) -> None:
    """Nothing but BodyInvalid comes out of a signed body, and its events are valid or refused as events are."""
    for text in MAPS:
        try:
            parsed = told(body, text)
        except BodyInvalid:
            continue
        for event in parsed.events:
            try:
                parse_event(event, now=NOW)
            except EventInvalid:
                continue


@given(st.text(alphabet="abc\\.[]*|&@(){}`'\"?=!<>$, 0-9:", max_size=30))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    """Whatever an operator writes, the answer is a source or a sentence."""
    try:
        one = source(f"[sources.hr.map]\nsubject = {json.dumps(text)}\n" + FACT)
        one.read(delivery(ITEM))
    except (SourcesInvalid, BodyInvalid):
        return


@pytest.mark.parametrize("call", ["contains('x', `1`)", "ceil(to_number('inf'))", "floor(to_number('nan'))"])
def test_an_error_of_pythons_own_does_not_fit_either(call: str) -> None:
    """The library lets it through."""
    with pytest.raises(NotFitting):
        Expression.parse(call).find({}, {})


CALLS = st.builds(
    lambda name, arguments: f"{name}({', '.join(arguments[: len(Functions.FUNCTION_TABLE[name]['signature'])])})",
    st.sampled_from(sorted(Functions.FUNCTION_TABLE)),
    st.lists(st.sampled_from(["a", "b", "`1`", "'x'", "&a", "@", "*", "to_number(a)"]), min_size=3, max_size=3),
)


@given(CALLS, json_values, st.sampled_from(["inf", "nan", "1e9", "a", ""]))
def test_any_function_on_any_body_is_read_or_refused(call: str, value: object, text: str) -> None:
    """The library lets Python's own errors through; here they are what does not fit."""
    expression = Expression.parse(call)
    for body in ({"a": value, "b": text}, {"a": text, "b": value}):
        with suppress(NotFitting):
            expression.find({}, body)


def test_an_unsigned_body_is_not_looked_at() -> None:
    """The signature comes first."""
    with pytest.raises(BadSignature):
        source().read(Delivery(b"no JSON", {}, NOW))
