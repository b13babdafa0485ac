"""Undoing: what an operator states brings back what held before, whatever was said by whom and in which order."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.test_roster_permutations import PRECEDENCES, SUBJECTS, Delivery, deliveries
from worker.events import Event, EventType, FactValue
from worker.roster import (
    OPERATOR,
    Employment,
    EmploymentKind,
    NoWayBack,
    Person,
    Profile,
    Record,
    Restoring,
    fold,
    profile,
    way_back,
)

DATES = ("hireDate", "lastWorkingDay", "leftAt")
AFTER = datetime(2026, 11, 21, tzinfo=UTC)
TAKEN_BACK = "(taken back)"
MICROSECOND = timedelta(microseconds=1)


def _person(delivered: Sequence[Delivery]) -> Person:
    records: dict[str, Record] = {}
    for source, event, received_at in delivered:
        records[source] = fold(records.get(source, Record(source, event.subject)), event, received_at)
    return Person("1", tuple(records.values()))


def _stated(restoring: Sequence[Restoring]) -> list[Delivery]:
    return [
        Delivery(
            OPERATOR,
            Event(f"undo-{number}", "urn:us", each.type, "1", AFTER + number * MICROSECOND, each.told, each.immediate),
            AFTER,
        )
        for number, each in enumerate(restoring)
    ]


def _known(of: Profile) -> dict[str, FactValue]:
    return {name: value for name, value in of.facts.items() if value is not None}


def _works(employment: Employment | None) -> str:
    """Return what employment comes to for somebody who asks whether they work here."""
    match employment.kind if employment else None:
        case EmploymentKind.JOINED | EmploymentKind.LEAVING_CANCELLED:
            return "works"
        case EmploymentKind.LEFT:
            return "left"
        case EmploymentKind.JOINING_CANCELLED if employment and employment.former_departure:
            return "left"
        case _:
            return "never came"


def _is_refused(known: Profile, former: Profile) -> bool:
    """Tell whether there is no way back: an erasure was asked for, or a departure before a cancelled joining told."""
    if known.purged and not former.purged:
        return True
    now, was = known.employment, former.employment
    return bool(now and now.former_departure and was and _works(was) == "never came")


@given(st.lists(deliveries(), min_size=1, max_size=7), st.data(), PRECEDENCES)
def test_what_held_before_holds_again(told: list[Delivery], data: st.DataObject, precedence: dict[str, int]) -> None:
    """Facts, suspension and employment are as without the event, unknown facts known to be empty."""
    undone = data.draw(st.sampled_from(range(len(told))))
    others = [each for number, each in enumerate(told) if number != undone]
    before, now = _person(others), _person(told)
    former = profile(before, precedence)
    assume(not _is_refused(profile(now, precedence), former))
    spoken = [(each.event.source, each.event.id) for each in told if each.source == OPERATOR]
    assume(len(spoken) == len({*spoken}))  # of two under one key the inbox takes the first

    restoring = way_back(now, before, precedence)
    after = profile(_person([*told, *_stated(restoring)]), precedence)

    assert after.suspended == former.suspended
    if former.employment or not after.employment:
        assert _known(after) == _known(former)
        assert after.manager == former.manager or former.manager is None
    if former.employment or after.employment:
        assert _works(after.employment) == _works(former.employment)
    if former.employment and former.employment.kind is EmploymentKind.LEFT and after.employment:
        _same_departure(after.employment, former.employment)


@given(
    st.lists(deliveries(), max_size=4),
    deliveries().filter(lambda each: each.source == "hr" and bool(each.event.facts)),
    st.lists(deliveries(), min_size=1, max_size=4),
    PRECEDENCES.map(lambda drawn: drawn | {"hr": 2}),
)
def test_what_others_say_later_counts_as_if_nothing_had_been_undone(
    others: list[Delivery], undone: Delivery, later: list[Delivery], precedence: dict[str, int]
) -> None:
    """An undo hides nobody's later word, however quiet, and makes nobody's word louder than it was."""
    others = [JOINED, *(each for each in others if each.source != OPERATOR)]
    before, now = _person(others), _person([*others, undone])
    assume(not _is_refused(profile(now, precedence), profile(before, precedence)))
    said = [
        Delivery(source, replace(event, time=event.time + timedelta(days=30)), received_at)
        for source, event, received_at in later
        if source != OPERATOR
    ]

    restoring = way_back(now, before, precedence)
    after = profile(_person([*others, undone, *_stated(restoring), *said]), precedence)

    dates = {name for each in restoring for name in each.facts if name in DATES}
    expected = _known(profile(_person([*others, *said]), precedence))
    assert {name: value for name, value in _known(after).items() if name not in dates} == {
        name: value for name, value in expected.items() if name not in dates
    }


def _same_departure(after: Employment, former: Employment) -> None:
    if after.kind is EmploymentKind.LEFT:
        assert after.last_working_day == former.last_working_day
        assert former.last_working_day or after.left_at == former.left_at
        assert after.immediate == former.immediate


@given(st.lists(deliveries(), max_size=6), PRECEDENCES)
def test_nothing_is_said_where_nothing_differs(told: list[Delivery], precedence: dict[str, int]) -> None:
    """Whoever is as before needs no word."""
    assert way_back(_person(told), _person(told), precedence) == ()


def _heard(kind: EventType, day: int, source: str = "hr", **facts: FactValue) -> Delivery:
    immediate = bool(facts.pop("immediate", False))
    at = datetime(2026, 11, day, tzinfo=UTC)
    return Delivery(source, Event(f"e{day}", "urn:hr", kind, SUBJECTS[source], at, facts, immediate), at)


JOINED = _heard(EventType.JOINED, 1, givenName="Ada", hireDate="2026-11-01")
LEFT = _heard(EventType.LEFT, 5, lastWorkingDay="2026-11-30")


def _undone(*told: Delivery) -> list[tuple[EventType, dict[str, FactValue], bool]]:
    """Return what undoes the last of these; a fact that is withdrawn is shown as taken back."""
    back = way_back(_person(told), _person(told[:-1]), {"hr": 10})
    return [
        (each.type, {**each.facts, **{one.fact: TAKEN_BACK for one in each.withdrawn}}, each.immediate) for each in back
    ]


@pytest.mark.parametrize(
    ("told", "back"),
    [
        (
            (JOINED, LEFT),
            [(EventType.LEAVING_CANCELLED, {"lastWorkingDay": TAKEN_BACK}, False)],
        ),
        ((JOINED, _heard(EventType.SUSPENDED, 5)), [(EventType.RESUMED, {}, False)]),
        (
            (JOINED, _heard(EventType.SUSPENDED, 4), _heard(EventType.RESUMED, 5)),
            [(EventType.SUSPENDED, {}, False)],
        ),
        (
            (JOINED, _heard(EventType.RENAMED, 5, givenName="Augusta", nickName="A")),
            [(EventType.RENAMED, {"givenName": "Ada", "nickName": TAKEN_BACK}, False)],
        ),
        (
            (JOINED, _heard(EventType.UPDATED, 5, department="Support")),
            [(EventType.UPDATED, {"department": TAKEN_BACK}, False)],
        ),
        (
            (JOINED, LEFT, _heard(EventType.LEAVING_CANCELLED, 6)),
            [(EventType.LEFT, {"lastWorkingDay": "2026-11-30"}, False)],
        ),
        (
            (JOINED, LEFT, _heard(EventType.JOINED, 6, givenName="Ada", hireDate="2026-12-01")),
            [(EventType.JOINING_CANCELLED, {"hireDate": "2026-11-01"}, False)],
        ),
        (
            (JOINED, LEFT, _heard(EventType.LEFT, 6, lastWorkingDay="2026-11-30", immediate=True)),
            [
                (EventType.LEAVING_CANCELLED, {}, False),
                (EventType.LEFT, {"lastWorkingDay": "2026-11-30"}, False),
            ],
        ),
        (
            (JOINED, _heard(EventType.JOINING_CANCELLED, 6)),
            [(EventType.JOINED, {"givenName": "Ada", "hireDate": "2026-11-01"}, False)],
        ),
    ],
)
def test_each_kind_has_its_way_back(
    told: tuple[Delivery, ...], back: list[tuple[EventType, dict[str, FactValue], bool]]
) -> None:
    """A departure is called off, a suspension turned, former facts stated, and a joining called off."""
    assert _undone(*told) == back


def test_former_manager_is_named_in_the_source_that_named_them() -> None:
    """The statement of an operator leads to the same record as the source's did."""
    told = [
        JOINED,
        _heard(EventType.UPDATED, 2, manager="E7"),
        _heard(EventType.UPDATED, 5, manager="E8"),
    ]
    (restoring,) = way_back(_person(told), _person(told[:-1]), {})

    after = profile(_person([*told, *_stated([restoring])]), {})

    assert (after.manager, after.facts["manager"]) == (("hr", "E7"), "E7")


def test_erasure_has_no_way_back() -> None:
    """A request to erase is taken back by a joining alone, and the operator is told so."""
    told = [JOINED, _heard(EventType.PURGED, 5)]

    with pytest.raises(NoWayBack, match="by a joining alone"):
        way_back(_person(told), _person(told[:-1]), {})


def test_departure_before_a_cancelled_joining_has_no_way_back() -> None:
    """No statement says that somebody never left who was to come again; the operator is told what would help."""
    told = [JOINED, _heard(EventType.LEFT, 5), _heard(EventType.JOINED, 6), _heard(EventType.JOINING_CANCELLED, 7)]

    with pytest.raises(NoWayBack, match="ended by another joining alone"):
        way_back(_person(told), _person([told[0], *told[2:]]), {})


def test_what_is_heard_of_nobody_is_withdrawn_too() -> None:
    """It differs from nothing that is known, and would drown what a quieter source says of it later."""
    told = [JOINED, _heard(EventType.UPDATED, 5, title=None)]
    (back,) = _undone(*told)

    assert back == (EventType.UPDATED, {"title": TAKEN_BACK}, False)


def test_undated_departure_comes_back_at_its_own_time() -> None:
    """A departure without dates was at its own time, and is so again."""
    told = [JOINED, _heard(EventType.LEFT, 3), _heard(EventType.LEAVING_CANCELLED, 4)]
    after = profile(_person([*told, *_stated(way_back(_person(told), _person(told[:-1]), {}))]), {})

    assert after.employment is not None
    assert after.employment.left_at == datetime(2026, 11, 3, tzinfo=UTC)
    assert after.employment.hire_date == date(2026, 11, 1)
