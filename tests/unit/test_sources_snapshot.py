"""The snapshot differ: what a source states now against what it last stated, and the events in between."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.events import EventInvalid, FactValue, parse_event
from worker.roster import Record, employment_of, fold
from worker.sources.snapshot import SNAPSHOTS, Snapshot, Status, departure_by_absence, differences, is_gone

START = datetime(2026, 11, 20, 9, tzinfo=UTC)
NOBODY = Record("hr", "E1001")
ADA: Mapping[str, FactValue] = {"givenName": "Ada", "familyName": "Lovelace", "department": "Engineering"}


def snapshot(days: float = 0, status: Status | None = None, **facts: object) -> Snapshot:
    """Return what is stated of Ada some days after the start."""
    return Snapshot("E1001", START + timedelta(days=days), {**ADA, **facts}, status)


def folded(known: Record, documents: Sequence[object]) -> Record:
    """Return a record once it has heard of these events, at the time at which they happened."""
    for document in documents:
        event = parse_event(document, now=START + timedelta(days=999))
        known = fold(known, event, event.time)
    return known


def after(*snapshots: Snapshot, creates: bool = True) -> Record:
    """Return the record that snapshots lead to, one after the other."""
    known = NOBODY
    for one in snapshots:
        known = folded(known, differences(known, one, creates=creates))
    return known


def told(known: Record, *events: tuple[str, float, Mapping[str, object]]) -> Record:
    """Return a record that heard of events that no snapshot made: type, day and data."""
    return folded(
        known,
        [
            {
                "specversion": "1.0",
                "id": f"{kind}-{days}",
                "source": "urn:example:hr",
                "type": f"person.{kind}",
                "subject": known.subject,
                "time": (START + timedelta(days=days)).isoformat(),
                "data": data,
            }
            for kind, days, data in events
        ],
    )


def types(known: Record, now: Snapshot, *, creates: bool = True) -> list[str]:
    """Return the types of the events between a record and a snapshot."""
    return [str(one["type"]).removeprefix("person.") for one in differences(known, now, creates=creates)]


def test_who_is_listed_first_joins_with_everything_that_is_stated() -> None:
    """The first snapshot of a subject is a joining; its time is when it was taken."""
    (document,) = differences(NOBODY, snapshot(hireDate="2026-12-01"), creates=True)

    assert document["type"] == "person.joined"
    assert document["time"] == "2026-11-20T09:00:00Z"
    assert document["source"] == SNAPSHOTS
    assert document["data"] == {**ADA, "hireDate": "2026-12-01"}


@pytest.mark.parametrize("status", [None, Status.ACTIVE])
def test_who_is_listed_first_with_a_last_day_ahead_joins_and_then_leaves(status: Status | None) -> None:
    """A fixed term, or notice given before the first roster: who only left would never have had a mailbox."""
    now = snapshot(0, status, lastWorkingDay="2026-12-31")
    joined, left = differences(NOBODY, now, creates=True)

    assert (joined["type"], joined["data"]) == ("person.joined", {**ADA, "lastWorkingDay": "2026-12-31"})
    assert (left["type"], left["data"]) == ("person.left", {"lastWorkingDay": "2026-12-31"})
    assert (joined["time"], left["time"]) == ("2026-11-20T09:00:00Z", "2026-11-20T09:00:00.000001Z")
    assert differences(after(now), replace(now, taken_at=START + timedelta(days=1)), creates=True) == ()


def test_who_comes_back_for_a_fixed_term_joins_and_then_leaves() -> None:
    """A first day after the departure, with a last one: the rehire is told, not only its end."""
    gone = after(snapshot(), snapshot(1, lastWorkingDay="2026-11-21"))

    assert types(gone, snapshot(9, hireDate="2026-12-01", lastWorkingDay="2027-01-31")) == ["joined", "left"]
    assert types(gone, snapshot(9, lastWorkingDay="2027-01-31")) == ["left"]
    assert types(NOBODY, snapshot(lastWorkingDay="2026-11-19")) == ["left"]
    assert types(NOBODY, snapshot(0, Status.LEFT, lastWorkingDay="2026-12-31")) == ["left"]
    assert types(NOBODY, snapshot(lastWorkingDay="2026-12-31"), creates=False) == ["left"]


@pytest.mark.parametrize(
    ("now", "kind", "data"),
    [
        (snapshot(1), None, {}),
        (Snapshot("E1001", START + timedelta(days=1)), None, {}),
        (snapshot(1, department="R&D"), "updated", {"department": "R&D"}),
        (snapshot(1, department=None), "updated", {"department": None}),
        (snapshot(1, department="  Engineering "), None, {}),
        (snapshot(1, familyName="King", title="Countess"), "renamed", {"familyName": "King", "title": "Countess"}),
        (snapshot(1, workEmail="ADA@example.org"), "renamed", {"workEmail": "ada@example.org"}),
        (snapshot(1, lastWorkingDay="2026-12-31"), "left", {"lastWorkingDay": "2026-12-31"}),
        (snapshot(1, Status.LEFT), "left", {}),
        (snapshot(1, Status.SUSPENDED), "suspended", {}),
        (snapshot(1, Status.ACTIVE), None, {}),
        (snapshot(1, hireDate="2026-12-01"), "joined", {**ADA, "hireDate": "2026-12-01"}),
        (snapshot(1, Status.LEFT, hireDate="2026-12-01"), "joining_cancelled", {"hireDate": "2026-12-01"}),
        # A word beside a day that has passed contradicts it, and leaves employment as it is known.
        (snapshot(1, Status.ACTIVE, lastWorkingDay="2019-12-31"), "updated", {"lastWorkingDay": "2019-12-31"}),
        # A day before the first day is that of an employment before.
        (
            snapshot(1, hireDate="2026-01-01", lastWorkingDay="2019-12-31"),
            "joined",
            {**ADA, "hireDate": "2026-01-01", "lastWorkingDay": "2019-12-31"},
        ),
    ],
)
def test_a_difference_is_one_event_with_what_changed(
    now: Snapshot, kind: str | None, data: Mapping[str, object]
) -> None:
    """Against somebody who joined; what is stated as before, or not at all, changes nothing."""
    documents = differences(after(snapshot()), now, creates=True)

    assert [(one["type"], one["data"]) for one in documents] == ([(f"person.{kind}", data)] if kind else [])


def test_there_and_back_is_three_events_that_fold_to_the_last() -> None:
    """A, B, A: each is an event of its own, and the record ends where the last snapshot is."""
    known, ids = NOBODY, []
    for now in (snapshot(), snapshot(1, department="R&D"), snapshot(2)):
        (document,) = differences(known, now, creates=True)
        known = folded(known, [document])
        ids.append(document["id"])

    assert len(set(ids)) == 3
    assert known.facts["department"].value == "Engineering"


def test_snapshots_of_one_instant_follow_each_other_too() -> None:
    """Where a clock stands still, the later one counts."""
    known = after(snapshot(), snapshot(department="R&D"))

    assert known.facts["department"].value == "R&D"


def test_the_same_snapshot_is_a_duplicate() -> None:
    """Sent again before it was applied, it has the same id and body; afterwards it is nothing."""
    now = snapshot(department="R&D")

    assert differences(NOBODY, now, creates=True) == differences(NOBODY, now, creates=True)
    assert differences(after(now), now, creates=True) == ()


def test_what_was_heard_later_stays() -> None:
    """A snapshot that was taken before the newest word takes nothing back."""
    known = told(after(snapshot()), ("updated", 2, {"department": "R&D"}), ("left", 2, {}))

    assert types(known, snapshot(1, Status.ACTIVE)) == []


@pytest.mark.parametrize(
    ("former", "now", "kinds"),
    [
        # Departed by snapshots alone: whoever is listed again is back.
        ([snapshot(1, lastWorkingDay="2026-11-20")], snapshot(5), ["joined"]),
        ([snapshot(1, Status.LEFT)], snapshot(5), ["joined"]),
        ([snapshot(1, lastWorkingDay="2026-12-31")], snapshot(5), []),
        ([snapshot(1, lastWorkingDay="2026-12-31")], snapshot(5, lastWorkingDay="2026-12-31"), []),
        ([snapshot(1, lastWorkingDay="2026-12-31")], snapshot(90, lastWorkingDay="2026-12-31"), []),
        ([snapshot(1, lastWorkingDay="2026-12-31")], snapshot(5, lastWorkingDay="2027-01-31"), ["left"]),
        ([snapshot(1, lastWorkingDay="2026-12-31")], snapshot(5, lastWorkingDay=None), ["leaving_cancelled"]),
        ([snapshot(1, lastWorkingDay="2026-12-31")], snapshot(60, lastWorkingDay=None), ["joined"]),
        ([snapshot(1, lastWorkingDay="2026-11-22")], snapshot(5, hireDate="2027-01-01"), ["joined"]),
        ([snapshot(1, leftAt="2026-11-22T12:00:00Z")], snapshot(1.1, leftAt="2026-11-22T12:00:00Z"), []),
        ([snapshot(1, Status.SUSPENDED)], snapshot(2), []),
        ([snapshot(1, Status.SUSPENDED)], snapshot(2, Status.ACTIVE), ["resumed"]),
        ([snapshot(1, Status.LEFT)], snapshot(2, Status.SUSPENDED), ["joined", "suspended"]),
    ],
)
def test_a_departure_and_its_end(former: list[Snapshot], now: Snapshot, kinds: list[str]) -> None:
    """Back by a word, by an empty date or by being listed; postponed by another date."""
    assert types(after(snapshot(), *former), now) == kinds


@pytest.mark.parametrize(
    ("now", "kinds"),
    [
        (snapshot(5), []),
        (snapshot(5, Status.ACTIVE), ["joined"]),
        (snapshot(5, lastWorkingDay=None), ["joined"]),
        (snapshot(5, hireDate="2026-11-24"), ["joined"]),
        (snapshot(5, hireDate="2026-11-02"), ["updated"]),
    ],
)
def test_a_departure_told_by_an_event_needs_a_word_to_end(now: Snapshot, kinds: list[str]) -> None:
    """Being listed still, as in a payroll that lags behind, does not open a door that an event has closed."""
    known = told(after(snapshot()), ("left", 1, {"lastWorkingDay": "2026-11-21"}))

    assert types(known, now) == kinds


def test_a_cancelled_hire_that_is_listed_still_stays_cancelled() -> None:
    """Another first day is needed, or a word."""
    known = told(after(snapshot(hireDate="2026-12-01")), ("joining_cancelled", 1, {}))

    assert types(known, snapshot(2, hireDate="2026-12-01")) == []
    assert types(known, snapshot(2, hireDate="2026-12-15")) == ["joined"]
    assert types(known, snapshot(2, Status.ACTIVE, hireDate="2026-12-01")) == ["joined"]


def test_a_source_that_makes_nobody_states_departures_alone() -> None:
    """Of a telephone list, being on it says nothing about employment."""
    known = after(snapshot(), creates=False)

    assert known.employment == frozenset()
    assert types(known, snapshot(1, Status.ACTIVE), creates=False) == []
    assert types(known, snapshot(1, lastWorkingDay="2026-12-31"), creates=False) == ["left"]


def test_who_returns_keeps_the_name_that_is_known() -> None:
    """A joining needs a name, and a file need not state it again."""
    known = after(snapshot(), snapshot(1, Status.LEFT))
    (document,) = differences(known, Snapshot("E1001", START + timedelta(days=2)), creates=True)

    assert document["data"] == {"givenName": "Ada", "familyName": "Lovelace"}


@pytest.mark.parametrize(
    ("facts", "attribute"),
    [({"hireDate": "1.12.2026"}, "data.hireDate"), ({"givenName": 1}, "data.givenName"), ({"title": "x"}, "data")],
)
def test_what_is_wrong_is_named_and_not_quoted(facts: Mapping[str, object], attribute: str) -> None:
    """The attribute and the reason, as for any event."""
    with pytest.raises(EventInvalid) as raised:
        differences(NOBODY, Snapshot("E1001", START, facts), creates=True)

    assert [problem.attribute for problem in raised.value.problems] == [attribute]


def test_absence_that_was_counted_is_a_departure_once() -> None:
    """Undated, so it happened when it was concluded; who is gone already leaves no second time."""
    known = after(snapshot())
    document = departure_by_absence(known, START + timedelta(days=3))

    assert document is not None
    assert (document["type"], document["data"]) == ("person.left", {})
    gone = folded(known, [document])
    assert is_gone(gone, START + timedelta(days=4))
    assert departure_by_absence(gone, START + timedelta(days=4)) is None
    assert types(gone, snapshot(5)) == ["joined"]


# Few values on purpose, so that snapshots repeat and take back each other.
FACTS = st.fixed_dictionaries(
    {"givenName": st.sampled_from(["Ada", "Augusta"])},
    optional={
        "department": st.sampled_from(["Engineering", " Engineering", None]),
        "groups": st.sampled_from([["a"], ["a", "b"], [], None]),
        "shoeSize": st.sampled_from([1, 1.0, True, "1", None]),
        "hireDate": st.sampled_from(["2026-11-01", "2026-11-23", "2026-12-24", None]),
        "lastWorkingDay": st.sampled_from(["2026-11-01", "2026-11-22", "2026-12-31", None]),
        "leftAt": st.sampled_from(["2026-11-22T12:00:00Z", "2026-12-31T12:00:00Z", None]),
    },
)
SNAPSHOTS_OF_ONE = st.builds(
    Snapshot,
    subject=st.just("E1001"),
    taken_at=st.integers(0, 6).map(lambda days: START + timedelta(days=days)),
    facts=FACTS,
    status=st.sampled_from([None, *Status]),
)


@given(st.lists(SNAPSHOTS_OF_ONE, min_size=1, max_size=6), st.booleans())
def test_after_the_difference_there_is_none(snapshots: list[Snapshot], creates: bool) -> None:  # noqa: FBT001
    """In any order: once a snapshot was applied, the same says nothing new."""
    known = NOBODY
    for now in snapshots:
        documents = differences(known, now, creates=creates)
        known = folded(known, documents)

        assert differences(known, now, creates=creates) == ()
        assert len(documents) <= 3


@given(st.lists(SNAPSHOTS_OF_ONE, min_size=1, max_size=6), st.booleans())
def test_the_newest_of_snapshots_in_order_is_what_is_known(snapshots: list[Snapshot], creates: bool) -> None:  # noqa: FBT001
    """Whatever was stated before, each of its facts is as the last one states it."""
    last = replace(snapshots[-1], taken_at=START + timedelta(days=7))
    known = after(*sorted(snapshots[:-1], key=lambda one: one.taken_at), last, creates=creates)

    stated = parse_event({**_EVENT, "data": dict(last.facts)}, now=START).facts
    assert {name: repr(known.facts[name].value) for name in stated} == {
        name: repr(value) for name, value in stated.items()
    }


_EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "urn:x",
    "type": "person.updated",
    "subject": "E1001",
    "time": START.isoformat(),
}


@given(st.lists(SNAPSHOTS_OF_ONE, max_size=5), st.randoms())
def test_events_of_snapshots_fold_in_any_order(snapshots: list[Snapshot], chance: object) -> None:
    """Bells and retries may apply them otherwise than they were made; the record is the same."""
    known, documents = NOBODY, list[object]()
    for now in sorted(snapshots, key=lambda one: one.taken_at):
        made = differences(known, now, creates=True)
        known, documents = folded(known, made), [*documents, *made]
    shuffled = list(documents)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]

    again = folded(NOBODY, [*shuffled, *documents])
    assert again == known
    assert employment_of([again], {}) == employment_of([known], {})
