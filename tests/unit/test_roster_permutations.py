"""The promise of the roster: every order and every repetition of the same events ends in the same person."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from worker.events import EVENT_TYPES, Event, EventType
from worker.roster import (
    OPERATOR,
    Person,
    Record,
    Version,
    employment_of,
    fold,
    from_document,
    profile,
    spoken,
    to_document,
)
from worker.roster.record import Withdrawal
from worker.roster.withdrawing import write_withdrawals

START = datetime(2026, 11, 20, tzinfo=UTC)
SUBJECTS = {"hr": "E1001", "it": "ada", "operator": "1"}


class Delivery(NamedTuple):
    """An event, whose it is, and when it was received."""

    source: str
    event: Event
    received_at: datetime


def _instant(hours: int) -> datetime:
    return START + timedelta(hours=hours)


# Few values on purpose: times, ids and facts shall collide, across sources and within one.
FACTS = st.dictionaries(
    st.sampled_from(["title", "manager", "groups", "shoeSize"]),
    st.sampled_from(["a", "b", None, (), ("a", "b"), True, 1, 2.5]),
    max_size=3,
)
DATES = st.fixed_dictionaries(
    {},
    optional={
        "hireDate": st.sampled_from(["2026-11-01", "2026-12-01", None]),
        "lastWorkingDay": st.sampled_from(["2026-11-30", "2026-12-31", None]),
        "leftAt": st.sampled_from(["2026-11-30T12:00:00Z", None]),
    },
)
INSTANTS = st.integers(0, 4).map(_instant)


@st.composite
def deliveries(draw: st.DrawFn) -> Delivery:
    """Draw one delivery of any kind of event from a source, or of an operator's statement."""
    source, kind = draw(st.sampled_from(sorted(SUBJECTS))), draw(st.sampled_from(EVENT_TYPES))
    event = Event(
        id=draw(st.sampled_from(["evt-1", "evt-2", "evt-3"])),
        source=draw(st.sampled_from(["urn:one", "urn:two"])),
        type=kind,
        subject=SUBJECTS[source],
        time=draw(INSTANTS),
        facts={**draw(FACTS), **draw(DATES)},
        immediate=kind is EventType.LEFT and draw(st.booleans()),
    )
    return Delivery(source, event, draw(INSTANTS))


@st.composite
def withdrawals(draw: st.DrawFn) -> Delivery:
    """Draw an operator's statement that takes back what a source may have said, or may say later."""
    versions = st.builds(
        Version, INSTANTS, st.sampled_from(["urn:one", "urn:two"]), st.sampled_from(["evt-1", "evt-2", "evt-3"])
    )
    names = st.sampled_from(["title", "manager", "groups", "shoeSize"])
    withdrawn = draw(st.frozensets(st.builds(Withdrawal, names, versions), min_size=1, max_size=3))
    at = draw(INSTANTS)
    facts = {**draw(FACTS), **write_withdrawals(withdrawn)}
    return Delivery(OPERATOR, Event(f"undo-{at:%H}", "urn:us", EventType.UPDATED, SUBJECTS[OPERATOR], at, facts), at)


def _folded(delivered: Sequence[Delivery]) -> dict[str, Record]:
    records = {source: Record(source, subject) for source, subject in SUBJECTS.items()}
    for source, event, received_at in delivered:
        records[source] = fold(records[source], event, received_at)
    return records


@st.composite
def shuffled(draw: st.DrawFn) -> tuple[list[Delivery], list[Delivery]]:
    """Draw deliveries, and the same ones in another order with some of them repeated."""
    once = draw(st.lists(st.one_of(deliveries(), withdrawals()), max_size=7))
    again = draw(st.lists(st.sampled_from(once), max_size=4)) if once else []
    return once, draw(st.permutations(once + again))


PRECEDENCES = st.dictionaries(st.sampled_from(["hr", "it"]), st.integers(-1, 1))


@given(shuffled(), PRECEDENCES)
def test_order_and_repetition_do_not_matter(
    orders: tuple[list[Delivery], list[Delivery]], precedence: dict[str, int]
) -> None:
    """Records, profile and employment are the same however the events arrived."""
    once, again = (_folded(order) for order in orders)
    person, other = Person("p1", tuple(once.values())), Person("p1", tuple(again.values())[::-1])

    assert once == again
    assert {name: repr(stated) for record in once.values() for name, stated in record.facts.items()} == {
        name: repr(stated) for record in again.values() for name, stated in record.facts.items()
    }
    assert profile(person, precedence) == profile(other, precedence)
    assert employment_of(person.records, precedence) == employment_of(other.records, precedence)


@given(st.lists(deliveries(), max_size=6), PRECEDENCES)
def test_operators_word_holds_until_the_source_that_speaks_says_more(
    delivered: list[Delivery], precedence: dict[str, int]
) -> None:
    """Fact by fact an operator is believed exactly where the source that would be is not newer."""
    records = _folded(delivered)
    sources = profile(Person("1", (records["hr"], records["it"])), precedence)
    spoken_by_sources = spoken(Person("1", (records["hr"], records["it"])), precedence)
    together = spoken(Person("1", tuple(records.values())), precedence)

    for name, stated in records["operator"].facts.items():
        of_source = spoken_by_sources.get(name)
        held = of_source is None or stated.version.time >= of_source.stated.version.time
        assert together[name].stated == (stated if held or of_source is None else of_source.stated)
    for name in sources.facts.keys() - records["operator"].facts.keys():
        assert together[name] == spoken_by_sources[name]


@given(deliveries(), deliveries())
def test_folding_twice_is_folding_once(before: Delivery, delivery: Delivery) -> None:
    """A repeated event changes nothing, nor does one that was folded before others."""
    once = _folded([before, delivery])

    assert _folded([before, delivery, delivery, before]) == once


@given(st.lists(deliveries(), max_size=6))
def test_a_record_is_its_document(delivered: list[Delivery]) -> None:
    """A record comes back from JSON as it was, and can be folded into further."""
    for record in _folded(delivered).values():
        document = json.loads(json.dumps(to_document(record)))

        kept = from_document(record.source, record.subject, document)

        assert kept == record
        assert to_document(kept) == document
        assert repr(sorted(kept.facts.items())) == repr(sorted(record.facts.items()))


@given(shuffled())
def test_equal_records_have_equal_documents(orders: tuple[list[Delivery], list[Delivery]]) -> None:
    """The document does not betray the order of arrival, so it can be compared as text."""
    once, again = (_folded(order) for order in orders)

    assert [json.dumps(to_document(record)) for record in once.values()] == [
        json.dumps(to_document(record)) for record in again.values()
    ]
