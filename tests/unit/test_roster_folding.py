"""Folding one event after another into a record, and keeping the record as a document."""

from datetime import UTC, date, datetime, timedelta

import pytest

from worker.events import Event, EventType, FactValue
from worker.roster import EmploymentKind, EmploymentStatement, Record, Stated, Version, fold

DAWN = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
EMPTY = Record("hr", "E1001")


def _event(
    kind: EventType = EventType.UPDATED,
    *,
    hour: int = 0,
    key: str = "evt-1",
    immediate: bool = False,
    **facts: FactValue,
) -> Event:
    return Event(
        id=key,
        source="urn:hr",
        type=kind,
        subject="E1001",
        time=DAWN + timedelta(hours=hour),
        facts=facts,
        immediate=immediate,
    )


def _folded(*events: Event) -> Record:
    record = EMPTY
    for event in events:
        record = fold(record, event, event.time + timedelta(minutes=1))
    return record


def test_the_newest_value_of_each_fact_holds() -> None:
    """Facts are kept one by one: an older event still brings those that the newer one left out."""
    newer = _event(hour=2, key="evt-2", title="Countess", department=None)
    older = _event(hour=1, title="Lady", location="London", department="Engines")

    record = _folded(newer, older)

    assert {name: stated.value for name, stated in record.facts.items()} == {
        "title": "Countess",
        "department": None,
        "location": "London",
    }
    assert record.facts["title"].version == Version(newer.time, "urn:hr", "evt-2")


def test_events_of_one_instant_are_ordered_by_id() -> None:
    """Of two events with equal times the one with the larger id is the newer, in either order."""
    one, two = _event(key="evt-1", title="Lady"), _event(key="evt-2", title="Countess")

    assert _folded(one, two) == _folded(two, one)
    assert _folded(one, two).facts["title"].value == "Countess"


def test_an_id_used_twice_gives_one_record_in_either_order() -> None:
    """Equal versions with different values are settled, though nobody can say which is right."""
    one, two = _event(title="Lady", department=None), _event(title="Countess", department="Engines")

    assert _folded(one, two) == _folded(two, one)


def test_a_departure_is_a_statement_with_its_dates() -> None:
    """The dates are part of the statement and facts as well."""
    departure = _event(
        EventType.LEFT,
        lastWorkingDay="2026-12-31",
        leftAt="2026-12-31T17:00:00Z",
        hireDate="2020-01-01",
        immediate=True,
    )

    record = _folded(departure)

    assert record.employment == {
        EmploymentStatement(
            kind=EmploymentKind.LEFT,
            version=Version(DAWN, "urn:hr", "evt-1"),
            received_at=DAWN + timedelta(minutes=1),
            hire_date=date(2020, 1, 1),
            last_working_day=date(2026, 12, 31),
            left_at=datetime(2026, 12, 31, 17, tzinfo=UTC),
            immediate=True,
        )
    }
    assert record.facts["lastWorkingDay"].value == "2026-12-31"


def test_only_four_kinds_of_events_are_statements_on_employment() -> None:
    """Each event of the four kinds is one statement, and a date in an update is a fact and no departure."""
    record = _folded(*(_event(kind, key=kind, lastWorkingDay="2026-12-31") for kind in EventType))

    assert sorted(statement.kind for statement in record.employment) == sorted(EmploymentKind)


def test_a_second_delivery_does_not_move_the_first_receipt() -> None:
    """The same event received twice is known since the earlier receipt, whichever is folded first."""
    departure = _event(EventType.LEFT)
    early, late = DAWN + timedelta(hours=1), DAWN + timedelta(days=1)

    record = fold(fold(EMPTY, departure, late), departure, early)

    assert record == fold(fold(EMPTY, departure, early), departure, late) == fold(EMPTY, departure, early)
    assert {statement.received_at for statement in record.employment} == {early}


def test_suspension_is_a_fact_of_its_own() -> None:
    """The newest of suspended and resumed holds, and a source that said neither said nothing."""
    suspended, resumed = _event(EventType.SUSPENDED, hour=1), _event(EventType.RESUMED, hour=2, key="evt-2")

    assert _folded(_event()).suspended is None
    assert _folded(suspended).suspended == Stated(True, Version(suspended.time, "urn:hr", "evt-1"))
    assert _folded(resumed, suspended).suspended == Stated(False, Version(resumed.time, "urn:hr", "evt-2"))


def test_a_purge_is_remembered() -> None:
    """The newest request to erase is kept with its version."""
    record = _folded(_event(EventType.PURGED, hour=2, key="evt-2"), _event(EventType.PURGED, hour=1), _event())

    assert record.purged == Stated(True, Version(DAWN + timedelta(hours=2), "urn:hr", "evt-2"))


def test_an_event_about_somebody_else_is_not_folded() -> None:
    """A record never takes what was said of another subject."""
    with pytest.raises(ValueError, match="another subject"):
        fold(Record("hr", "E1002"), _event(), DAWN)
