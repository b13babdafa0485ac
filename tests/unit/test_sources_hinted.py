"""Hints and records that become events: whatever the order, the newest record and the newest words decide."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from worker.events import EventType, parse_event
from worker.roster import EmploymentKind, Record, fold
from worker.sources.hinted import HINTS, Heard, Word, events_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
ADA: Mapping[str, object] = {"givenName": "Ada", "familyName": "Lovelace"}


class Source:
    """What is known through one source of one person, who is asked for at ever later instants."""

    def __init__(self, *, creates: bool = True) -> None:
        self.known, self.now, self.creates = Record("hr", "E1"), NOON, creates

    def hear(self, *words: Word, facts: Mapping[str, object] | None = ADA) -> list[str]:
        """Hear of the person, and return the types of the events it makes."""
        documents = events_of(Heard(self.known, words, facts, self.now, self.creates))
        again = events_of(Heard(self.known, words, facts, self.now, self.creates))
        assert documents == again
        for document in documents:
            self.known = fold(self.known, parse_event(document, now=self.now), self.now)
        self.now += HOUR
        return [str(document["type"]).removeprefix("person.") for document in documents]

    @property
    def employment(self) -> EmploymentKind:
        """What the source's newest word on employment is."""
        return max(self.known.employment, key=lambda one: one.version).kind

    def fact(self, name: str) -> object:
        """What it states of a fact."""
        return self.known.facts[name].value


def word(kind: EventType, ago: timedelta = SECOND) -> Word:
    """Return a word about an instant before noon."""
    return kind, NOON - ago


def test_what_is_known_makes_nothing() -> None:
    """The same record and the same words again are no news."""
    source = Source()

    assert source.hear(word(EventType.JOINED)) == ["joined"]
    assert source.hear(word(EventType.JOINED)) == []
    assert source.hear() == []


def test_somebody_listed_has_joined_where_the_source_makes_people() -> None:
    """Without a word presence speaks; of a source that makes nobody it says nothing of employment."""
    assert Source().hear() == ["joined"]
    assert Source(creates=False).hear() == ["renamed"]


def test_a_word_ahead_of_us_is_of_now() -> None:
    """A sender's clock that runs ahead does not make later news old."""
    source = Source()
    source.hear(word(EventType.JOINED, -2 * HOUR))

    assert source.known.employment
    assert source.hear((EventType.LEFT, NOON + HOUR)) == ["left"]
    assert source.employment is EmploymentKind.LEFT


def test_a_departure_that_is_told_after_somebody_was_found_listed_is_not_lost() -> None:
    """It happened before we asked, and its delivery came behind another: listed is not the same as still employed."""
    source = Source()
    source.hear()

    assert source.hear(word(EventType.LEFT)) == ["left"]
    assert source.hear() == []
    assert source.employment is EmploymentKind.LEFT


def test_a_cleared_day_takes_a_dated_departure_back() -> None:
    """A departure that was announced with its day is taken back when the record states no day any more."""
    source = Source()
    source.hear(facts={**ADA, "lastWorkingDay": None})
    source.hear(word(EventType.LEFT), facts={**ADA, "lastWorkingDay": "2026-04-30"})

    assert source.employment is EmploymentKind.LEFT
    assert source.hear(facts={**ADA, "lastWorkingDay": None}) == ["leaving_cancelled"]


def test_an_undated_departure_is_not_taken_back_by_a_record_without_a_day() -> None:
    """Nor by one that states nothing of it, nor does it move when it is told again."""
    source = Source()
    source.hear(facts={**ADA, "lastWorkingDay": None})
    source.hear(word(EventType.LEFT, -SECOND), facts={**ADA, "lastWorkingDay": None})
    (left,) = [one for one in source.known.employment if one.kind is EmploymentKind.LEFT]

    assert source.hear(facts={**ADA, "lastWorkingDay": None}) == []
    assert source.hear(facts=ADA) == []
    assert source.hear((EventType.LEFT, source.now)) == ["left"]
    newest = max(source.known.employment, key=lambda one: one.version)
    assert newest.left_at == left.version.time


def test_a_record_that_is_gone_says_nothing_by_itself() -> None:
    """Only a word that may be true of somebody without a record makes an event."""
    source = Source()
    source.hear(word(EventType.JOINED))

    assert source.hear(facts=None) == []
    assert source.hear((EventType.SUSPENDED, source.now), facts=None) == []
    assert source.hear((EventType.LEFT, source.now), (EventType.PURGED, source.now), facts=None) == ["left", "purged"]


def test_a_word_is_told_apart_from_what_the_record_lets_conclude() -> None:
    """It has a CloudEvents source of its own, so that presence does not take it back."""
    (document,) = events_of(Heard(Record("hr", "E1"), [word(EventType.JOINED)], ADA, NOON, creates=True))

    assert document["source"] == HINTS


VENDOR_CHANGES = st.lists(st.sampled_from(["team A", "team B", "leave", "hire", "suspend", "resume"]), max_size=8)


@given(changes=VENDOR_CHANGES, seed=st.randoms(use_true_random=False))
def test_any_order_of_hints_ends_in_the_vendors_record(changes: list[str], seed: Any) -> None:
    """Each change is hinted at once; hints come in any order, late or repeated, and the end is the vendor's."""
    vendor: dict[str, object] = {**ADA, "department": "none"}
    is_employed, is_suspended = True, False
    pending: list[Word | None] = [(EventType.JOINED, NOON)]
    source = Source()
    for number, change in enumerate(changes, start=1):
        at = NOON + number * SECOND
        name, _, team = change.partition(" ")
        if name == "team":
            vendor["department"] = team
            pending.append(None)
        else:
            kind = {
                "leave": EventType.LEFT,
                "hire": EventType.JOINED,
                "suspend": EventType.SUSPENDED,
                "resume": EventType.RESUMED,
            }[name]
            is_employed = {"leave": False, "hire": True}.get(name, is_employed)
            is_suspended = {"suspend": True, "resume": False}.get(name, is_suspended)
            pending.append((kind, at))
        if seed.random() < 0.4:
            source.now = max(source.now, at)
            _deliver(source, pending, vendor, seed)
    source.now = max(source.now, NOON + HOUR)
    while pending:
        _deliver(source, pending, vendor, seed)

    assert source.fact("department") == vendor["department"]
    assert (source.employment is EmploymentKind.JOINED) is is_employed
    assert (source.known.suspended is not None and source.known.suspended.value is True) is is_suspended


def _deliver(source: Source, pending: list[Word | None], vendor: Mapping[str, object], seed: Any) -> None:
    """Let some hint arrive, perhaps twice; its fetch shows what the vendor has now."""
    hint = pending.pop(seed.randrange(len(pending))) if pending else None
    source.now += SECOND
    for _ in range(seed.choice([1, 1, 2])):
        source.hear(*([hint] if hint else []), facts=dict(vendor))
