"""What the deliveries of a source said, and the record that it was asked for because of them: the events they make.

A word, as that somebody left, is the source's own statement of the instant at which it happened; so words that come in
any order end in the same person, and an old one changes nothing. Everything else the record tells, and it is as of when
it was asked for: so the newest record decides, whichever delivery it was fetched for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.events import PERSON_NAMES, Event, EventType, parse_event
from worker.roster import EmploymentKind, EmploymentStatement, Record, fold
from worker.sources.snapshot import SNAPSHOTS, Snapshot, differences, identified

HINTS = "urn:mailroster:hint"
"""The CloudEvents source of events that a delivery's own word makes."""

Word = tuple[EventType, datetime]
"""What a delivery said has happened, and when."""

_EMPLOYMENT = {
    EventType.JOINED: EmploymentKind.JOINED,
    EventType.JOINING_CANCELLED: EmploymentKind.JOINING_CANCELLED,
    EventType.LEFT: EmploymentKind.LEFT,
    EventType.LEAVING_CANCELLED: EmploymentKind.LEAVING_CANCELLED,
}
_DEPARTURES = (EmploymentKind.LEFT, EmploymentKind.JOINING_CANCELLED)
WITHOUT_RECORD = (EventType.LEFT, EventType.JOINING_CANCELLED, EventType.PURGED)
"""The words that may be true of somebody of whom the source has no record any more."""
_ENDS = ("lastWorkingDay", "leftAt")
_TICK = timedelta(microseconds=1)
_LATEST_WORD = timedelta(days=7)
"""A delivery may be that late: no sender is known to try for longer (`event-sources.md` 4)."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known of a person through the source that is asked, and what is heard of them now."""

    known: Record
    """What it stated until now."""
    words: Iterable[Word]
    facts: Mapping[str, object] | None
    """Those of its record; None where it has none, which by itself says nothing."""
    asked_at: datetime
    creates: bool
    """Whoever it lists is one of us."""


def events_of(heard: Heard) -> tuple[dict[str, object], ...]:
    """Return the events that bring what is known up to date, as documents; none where nothing is new.

    Mostly one. The same gives the same ids. Raises EventInvalid with each attribute of the record that is wrong.
    """
    known, told, documents = heard.known, False, []
    for kind, at in heard.words:
        if heard.facts is None and kind not in WITHOUT_RECORD:
            continue
        event = _of_word(known, kind, min(at, heard.asked_at), heard.facts or {})
        if event is not None:
            documents.append(identified(event))
            known, told = fold(known, parse_event(documents[-1], now=heard.asked_at), heard.asked_at), True
    if heard.facts is not None:
        documents += _of_record(known, heard, told=told)
    return tuple(documents)


def _of_word(known: Record, kind: EventType, at: datetime, facts: Mapping[str, object]) -> Event | None:
    before = _before(known, kind)
    if before is not None and (before[0] > at or (before[0] == at and before[1])):
        return None
    if before is not None and before[0] == at:
        at += _TICK
    stated = {name: value for name, value in facts.items() if name not in _ENDS or value is not None}
    if kind is not EventType.LEFT:
        stated.pop("immediate", None)
    if kind is EventType.JOINED:
        stated = _names(known) | stated
    if kind is EventType.LEFT and not any(stated.get(name) for name in _ENDS):
        stated |= _end_before(known)
    document = {"specversion": "1.0", "id": "-", "source": HINTS, "type": kind, "subject": known.subject}
    return parse_event({**document, "time": at.isoformat(), "data": stated}, now=at)


def _before(known: Record, kind: EventType) -> tuple[datetime, bool] | None:
    """Return when the source last spoke of what a word is about, and whether it said the same."""
    if kind in _EMPLOYMENT:
        newest = _newest(known)
        return None if newest is None else (newest.version.time, newest.kind is _EMPLOYMENT[kind])
    stated = known.purged if kind is EventType.PURGED else known.suspended
    return None if stated is None else (stated.version.time, stated.value is (kind is not EventType.RESUMED))


def _of_record(known: Record, heard: Heard, *, told: bool) -> tuple[dict[str, object], ...]:
    assert heard.facts is not None
    newest = _newest(known)
    is_gone = newest is not None and newest.kind in _DEPARTURES
    is_undated = newest is not None and newest.last_working_day is None and newest.left_at is None
    by_word = newest is not None and newest.version.source == HINTS
    facts = {name: value for name, value in heard.facts.items() if name != "immediate"}
    if is_gone and is_undated and by_word:  # that the record states no day of it takes nothing back
        facts = {name: value for name, value in facts.items() if name not in _ENDS or value is not None}
    found = differences(known, Snapshot(known.subject, _as_of(known, heard.asked_at), facts), creates=heard.creates)
    if newest is None:
        found = tuple(_before_words(one) if one["type"] == EventType.JOINED else one for one in found)
    if told and is_gone:  # nor does what else it states, at the very instant
        return tuple(document for document in found if document["type"] != EventType.JOINED)
    return found


def _before_words(joined: dict[str, object]) -> dict[str, object]:
    """Have somebody who is listed, and of whom nothing else is known, have joined before any word still to come.

    Otherwise a departure that happened before we asked, and is told after it, would be older than the listing: lost.
    """
    at = datetime.fromisoformat(str(joined["time"]))
    return identified(parse_event({**joined, "time": (at - _LATEST_WORD).isoformat()}, now=at))


def _as_of(known: Record, asked_at: datetime) -> datetime:
    """Return when the record was asked for, by a clock that was perhaps set back since it was asked for the last time.

    Records of one person are asked for one after the other, so this one is newer whatever the clocks say.
    """
    said = [*(each.version for each in known.facts.values()), *(each.version for each in known.employment)]
    return max([asked_at, *(version.time for version in said if version.source == SNAPSHOTS)])


def _newest(known: Record) -> EmploymentStatement | None:
    return max(known.employment, key=lambda one: (one.version, repr(one)), default=None)


def _names(known: Record) -> dict[str, object]:
    return {name: known.facts[name].value for name in PERSON_NAMES if name in known.facts}


def _end_before(known: Record) -> dict[str, object]:
    """Return when a departure is that is told once more without a date: it does not move by that."""
    newest = _newest(known)
    if newest is None or newest.kind is not EmploymentKind.LEFT:
        return {}
    if newest.last_working_day is not None:
        return {"lastWorkingDay": newest.last_working_day.isoformat()}
    return {"leftAt": (newest.left_at or newest.version.time).isoformat()}
