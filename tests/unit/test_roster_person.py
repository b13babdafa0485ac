"""Reading one truth from what several sources state: employment and profile, with every surprising edge."""

from datetime import UTC, date, datetime, timedelta

import pytest

from worker.events import FactValue
from worker.roster import (
    Employment,
    EmploymentKind,
    EmploymentStatement,
    Person,
    Profile,
    Record,
    Stated,
    Version,
    employment_of,
    manager_of_operator,
    profile,
)

DAWN = datetime(2026, 11, 1, tzinfo=UTC)
JOINED, CALLED_OFF = EmploymentKind.JOINED, EmploymentKind.JOINING_CANCELLED
LEFT, STAYS = EmploymentKind.LEFT, EmploymentKind.LEAVING_CANCELLED


def _at(day: int) -> datetime:
    return DAWN + timedelta(days=day)


def _version(day: int, key: str = "evt") -> Version:
    return Version(_at(day), "urn:any", key)


def _said(
    kind: EmploymentKind,
    day: int,
    *,
    received: int | None = None,
    hired: date | None = None,
    last: date | None = None,
    immediate: bool = False,
) -> EmploymentStatement:
    return EmploymentStatement(
        kind=kind,
        version=_version(day),
        received_at=_at(day if received is None else received),
        hire_date=hired,
        last_working_day=last,
        immediate=immediate,
    )


def _employment(*statements: EmploymentStatement) -> Employment:
    employment = employment_of([Record("hr", "E1", employment=frozenset(statements))], {})
    assert employment is not None
    return employment


def test_nobody_spoke_of_employment() -> None:
    """Without a statement there is no employment, neither held nor ended."""
    assert employment_of([], {}) is None
    assert employment_of([Record("hr", "E1")], {"hr": 1}) is None


def test_the_newest_statement_of_all_sources_decides() -> None:
    """A source of low precedence is heard if it speaks later; the order of records does not matter."""
    hr = Record("hr", "E1", employment=frozenset({_said(JOINED, 1, hired=date(2026, 11, 5))}))
    it = Record("it", "ada", employment=frozenset({_said(LEFT, 3, received=4, last=date(2026, 11, 30))}))

    employment = employment_of([hr, it], {"hr": 10})

    assert employment == employment_of([it, hr], {"hr": 10})
    assert employment == Employment(
        kind=LEFT,
        source="it",
        at=_at(3),
        known_since=_at(4),
        hire_date=date(2026, 11, 5),
        joined=True,
        last_working_day=date(2026, 11, 30),
    )


def test_precedence_breaks_a_tie_of_equal_time() -> None:
    """At one instant the higher precedence speaks; a source without a number has 0, and then the version decides."""
    hr = Record("hr", "E1", employment=frozenset({_said(JOINED, 1)}))
    later_id = EmploymentStatement(LEFT, _version(1, "evt-9"), _at(1))
    it = Record("it", "ada", employment=frozenset({later_id}))

    kinds = [
        employment.kind if (employment := employment_of([hr, it], precedence)) else None
        for precedence in ({"hr": 1}, {"it": 1}, {"it": -1}, {})
    ]

    assert kinds == [JOINED, LEFT, JOINED, LEFT]


def test_the_newest_joined_brings_the_hire_date() -> None:
    """The hire date survives a departure, and a newer joined without a date takes it away."""
    dated = _said(JOINED, 1, hired=date(2026, 11, 5))

    assert _employment(dated, _said(LEFT, 2)).hire_date == date(2026, 11, 5)
    assert _employment(dated, _said(JOINED, 2)).hire_date is None
    assert _employment(_said(LEFT, 2, hired=date(2020, 1, 1))).hire_date is None


def test_an_immediate_departure_that_is_told_again_was_when_it_was_told_first() -> None:
    """Also where the first was told by a clock that is ahead; a rehire does not forget that it was immediate."""
    first = _said(LEFT, 9, received=5, immediate=True, last=date(2026, 12, 31))
    again = _said(LEFT, 10, immediate=True, last=date(2026, 12, 31))
    without = _said(LEFT, 11, last=date(2026, 12, 31))

    assert _employment(first, again, without).immediate_at == _at(5)
    former = _employment(first, again, without, _said(JOINED, 12, hired=date(2027, 1, 1))).former_departure
    assert former is not None
    assert former.immediate


@pytest.mark.parametrize(
    ("statements", "joined"),
    [
        ([(JOINED, 1), (LEFT, 2)], True),
        ([(LEFT, 2)], False),
        ([(JOINED, 1), (CALLED_OFF, 2), (LEFT, 3)], False),
        ([(CALLED_OFF, 1), (JOINED, 2), (LEFT, 3)], True),
    ],
)
def test_a_departure_alone_says_of_nobody_that_they_joined(
    statements: list[tuple[EmploymentKind, int]],
    joined: bool,  # noqa: FBT001 - what is expected
) -> None:
    """Only a joined that nothing took back does, with a hire date or without."""
    assert _employment(*(_said(*statement) for statement in statements)).joined is joined


@pytest.mark.parametrize(
    ("statements", "kind"),
    [
        ([(JOINED, 1), (CALLED_OFF, 2)], CALLED_OFF),
        ([(CALLED_OFF, 1), (JOINED, 2)], JOINED),
        ([(JOINED, 1), (LEFT, 2), (STAYS, 3)], STAYS),
        ([(JOINED, 1), (STAYS, 2), (LEFT, 3)], LEFT),
        ([(LEFT, 1), (JOINED, 2)], JOINED),
    ],
)
def test_what_happened_last_holds(statements: list[tuple[EmploymentKind, int]], kind: EmploymentKind) -> None:
    """A cancellation counts against what was said before it, not after."""
    assert _employment(*(_said(*statement) for statement in statements)).kind is kind


def test_dates_of_a_departure_belong_to_departures() -> None:
    """The last day of a fixed term, announced with the joining, is no departure."""
    employment = _employment(_said(JOINED, 1, last=date(2027, 12, 31)))

    assert (employment.kind, employment.last_working_day, employment.left_at) == (JOINED, None, None)


def test_a_departure_repeated_every_night_stays_where_it_was() -> None:
    """Repetition neither moves our first knowledge nor, without dates, the departure itself."""
    nightly = [_said(LEFT, day, received=day + 1) for day in (3, 4, 5)]

    employment = _employment(_said(JOINED, 1), *nightly)

    assert (employment.at, employment.known_since, employment.left_at) == (_at(5), _at(4), _at(3))


def test_a_departure_that_arrives_out_of_order_counts_by_its_receipt() -> None:
    """We have known of a departure since its earliest receipt, even if an older statement arrived last."""
    assert _employment(_said(LEFT, 2, received=9), _said(LEFT, 3, received=4)).known_since == _at(4)


def test_a_departure_after_a_rehire_or_a_rescission_is_news() -> None:
    """What was known of an earlier departure does not hasten the next one."""
    for end in (JOINED, STAYS):
        employment = _employment(_said(LEFT, 1), _said(end, 2), _said(LEFT, 3), _said(LEFT, 4))

        assert (employment.known_since, employment.left_at) == (_at(3), _at(3))


def test_the_newest_departure_brings_the_dates() -> None:
    """A postponement replaces the dates, and an undated departure after a dated one is at its own time."""
    first, postponed = _said(LEFT, 1, last=date(2026, 11, 30)), _said(LEFT, 2, last=date(2026, 12, 31))

    assert _employment(first, postponed).last_working_day == date(2026, 12, 31)
    assert _employment(first, postponed).left_at is None
    assert _employment(first, _said(LEFT, 3)).last_working_day is None
    assert _employment(first, _said(LEFT, 3)).left_at == _at(3)


def test_an_immediate_departure_stays_immediate_until_it_ends() -> None:
    """Telling it once more without the word opens no door; a rehire or a rescission does."""
    immediate = _said(LEFT, 1, immediate=True)

    assert _employment(immediate, _said(LEFT, 2, last=date(2027, 1, 1))).immediate
    assert not _employment(immediate, _said(STAYS, 2)).immediate
    assert not _employment(immediate, _said(JOINED, 2), _said(LEFT, 3)).immediate


def test_a_departure_before_a_joining_is_history() -> None:
    """Who comes back has a former departure, the newest one that was not cancelled."""
    first, second = _said(LEFT, 2), _said(LEFT, 5)

    assert _employment(_said(JOINED, 1), first).former_departure is None
    assert _employment(first, _said(JOINED, 3)).former_departure == first
    assert _employment(first, _said(JOINED, 3), second).former_departure == first
    assert _employment(first, _said(JOINED, 3), second, _said(JOINED, 6)).former_departure == second
    assert _employment(first, _said(STAYS, 3), _said(JOINED, 4)).former_departure is None
    assert _employment(first, _said(JOINED, 3), _said(STAYS, 4)).former_departure == first


def test_a_rehire_that_is_called_off_leaves_the_former_departure() -> None:
    """The departure before it can still be seen, because it holds as before."""
    departure = _said(LEFT, 2)

    employment = _employment(departure, _said(JOINED, 3), _said(CALLED_OFF, 4))

    assert (employment.kind, employment.former_departure) == (CALLED_OFF, departure)


def _record(source: str, day: int = 1, **facts: FactValue) -> Record:
    return Record(source, f"of-{source}", {name: Stated(value, _version(day)) for name, value in facts.items()})


def _profile(*records: Record, **precedence: int) -> Profile:
    read = profile(Person("p1", records), precedence)
    assert read == profile(Person("p1", records[::-1]), precedence)
    return read


def test_the_mightiest_source_that_states_a_fact_speaks() -> None:
    """Precedence decides fact by fact and not by age; what the mighty source does not state, others do."""
    hr, it = _record("hr", 1, title="Countess"), _record("it", 2, title="User", location="London")

    assert _profile(hr, it, hr=10).facts == {"title": "Countess", "location": "London"}


def test_operators_word_of_a_fact_counts_by_its_time() -> None:
    """It outranks what is older, however mighty, until the source that speaks says something newer."""
    word = _record("operator", 2, title="Countess")

    assert _profile(_record("hr", 1, title="Lady"), word, hr=10).facts == {"title": "Countess"}
    assert _profile(_record("hr", 2, title="Lady"), word, hr=10).facts == {"title": "Countess"}
    assert _profile(_record("hr", 3, title="Lady"), word, hr=10, operator=1_000_000).facts == {"title": "Lady"}
    assert _profile(_record("hr", 1, title="Lady"), word, _record("it", 3, title="User"), hr=10).facts == {
        "title": "Countess"
    }
    assert _profile(word, _record("it", 3, title="User")).facts == {"title": "User"}


def test_manager_that_an_operator_names_is_a_subject_of_a_source() -> None:
    """Operators have no subjects for managers, so they name the source's; rules read the subject alone."""
    known = _profile(_record("hr", 1, manager="E7"), _record("operator", 2, manager=manager_of_operator("hr", "E/8")))

    assert known.manager == ("hr", "E/8")
    assert known.facts == {"manager": "E/8"}
    assert _profile(_record("hr", 1, manager="E7"), _record("operator", 2, manager=None)).facts == {"manager": None}


def test_equal_precedence_leaves_it_to_the_newest() -> None:
    """Sources without a number have 0 and are equals; the newest statement speaks."""
    assert _profile(_record("hr", 1, title="Lady"), _record("it", 2, title="Countess")).facts == {"title": "Countess"}
    assert _profile(_record("hr", 1, title="Lady"), _record("it", 2, title="User"), it=-1).facts == {"title": "Lady"}


def test_known_to_be_empty_is_a_statement() -> None:
    """The mighty source's null hides another's value, and the fact is present as None."""
    assert _profile(_record("hr", title=None), _record("it", title="User"), hr=1).facts == {"title": None}


def test_the_manager_is_named_within_the_source_that_speaks() -> None:
    """A manager is a subject of the source that states it; known to have none is none."""
    hr, it = _record("hr", manager="E7"), _record("it", manager="grace")

    assert _profile(hr, it, hr=1).manager == ("hr", "E7")
    assert _profile(hr, it, it=1).manager == ("it", "grace")
    assert _profile(_record("hr", manager=None), it, hr=1).manager is None
    assert _profile(_record("hr")).manager is None


def test_suspension_is_what_was_said_last() -> None:
    """The newest statement of any source holds, and precedence breaks a tie of equal time."""
    off, on = Stated(True, _version(1)), Stated(False, _version(2))
    hr, it = Record("hr", "E1", suspended=off), Record("it", "ada", suspended=on)
    same_time = Record("it", "ada", suspended=Stated(False, _version(1, "zzz")))

    assert not _profile().suspended
    assert _profile(hr).suspended
    assert not _profile(hr, it, hr=10).suspended
    assert _profile(hr, same_time, hr=10).suspended
    assert not _profile(hr, same_time).suspended


def test_who_comes_back_is_not_erased() -> None:
    """A request to erase holds until somebody states a joining at its time or later."""
    asked = Record("hr", "E1", purged=Stated(True, _version(3)))

    def joined(day: int) -> Record:
        return Record("it", "ada", employment=frozenset({_said(JOINED, day)}))

    assert not _profile(joined(1)).purged
    assert _profile(asked, joined(1)).purged
    assert not _profile(asked, joined(3)).purged
    assert not _profile(asked, joined(4)).purged
