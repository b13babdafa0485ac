"""What a source states now of one subject, against what it last stated: the events that lead from one to the other.

Shared by all who ask or are given a state and no events: hydration, roster files, watched folders, polling. Level, not
edge: an event that was lost, repeated or came too late is made good by the next snapshot. Absence is no statement and
never comes here; whoever has counted it asks for ``departure_by_absence``.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from worker.events import PERSON_NAMES, RENAMES, Event, EventType, FactValue, event_document, parse_event
from worker.roster import EmploymentKind, EmploymentStatement, Record, Stated

SNAPSHOTS = "urn:mailroster:snapshot"
"""The CloudEvents source of every event that is made here."""

_TICK = timedelta(microseconds=1)
_GONE = (EmploymentKind.LEFT, EmploymentKind.JOINING_CANCELLED)


class Status(StrEnum):
    """What a source states of somebody's employment beside its dates."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    """Employed, with access off."""
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a source states of one subject at one instant."""

    subject: str
    taken_at: datetime
    """When, aware and in UTC: the time of the events."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """By attribute of the canonical event, as JSON holds them: absent is unknown, None is known to be empty."""
    status: Status | None = None
    """None where the source has no word for it: then the dates and, of a source that makes people, presence speak."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A snapshot in its checked form, as ``checked`` returns it."""

    subject: str
    taken_at: datetime
    facts: Mapping[str, FactValue]
    status: Status | None = None


def differences(known: Record, now: Snapshot, *, creates: bool) -> tuple[dict[str, object], ...]:
    """Return the events, as documents, after which the record states what the snapshot does; none where it does so.

    Mostly one; two where both employment and suspension differ, or where somebody is new whose last day is known
    already: who only left would never have been one of us. Deterministic: the same snapshot against the same
    record gives the same ids. What the record heard later than the snapshot was taken is left as it is; what it heard
    at the same instant is replaced. Snapshots of a subject are to come in the order in which they were taken: one that
    repeats what is known leaves no trace that a late one could be measured by.
    ``creates``: the source makes people, so whoever it lists is one of us; from another, only a departure that it
    states, and its end, is a word on employment.
    Raises EventInvalid with each attribute that is wrong.
    """
    return between(known, checked(now), creates=creates)


def between(known: Record, now: Checked, *, creates: bool) -> tuple[dict[str, object], ...]:
    """Return the same for a snapshot that was checked before: of most people in a roster there is nothing to tell."""
    change = _Change(known, now, creates=creates)
    employment, suspension = change.employment(), change.suspension()
    facts = change.changed()
    types = [one for one in (employment, suspension) if one is not None]
    if not types and facts:
        types = [EventType.RENAMED if any(name in facts for name in RENAMES) else EventType.UPDATED]
    if employment is EventType.LEFT and change.begins_before_it_ends():
        return (change.document(EventType.JOINED, facts), *(change.document(one, {}, ticks=1) for one in types))
    return tuple(change.document(one, facts) for one in types)


def checked(now: Snapshot) -> Checked:
    """Return a snapshot with subject and facts in their checked form. Raises EventInvalid as ``differences`` does."""
    event = _event(now, EventType.UPDATED, now.facts)
    return Checked(event.subject, now.taken_at, event.facts, now.status)


def departure_by_absence(known: Record, at: datetime) -> dict[str, object] | None:
    """Return the leave of somebody of whom enough complete snapshots said nothing; None for who ``is_employed`` not."""
    if not is_employed(known, at):
        return None
    return identified(_event(Snapshot(known.subject, at), EventType.LEFT, {}))


def is_employed(known: Record, at: datetime) -> bool:
    """Tell whether a source's own newest word is that this person works here, with no last day and no first to come."""
    newest, hired = _newest(known), _hired_before(known)
    return newest is not None and newest.kind not in _GONE and (hired is None or hired <= at.date())


def is_gone(known: Record, at: datetime) -> bool:
    """Tell whether a source's own newest word is that this person does not work here, or no longer on that day."""
    newest = _newest(known)
    return newest is not None and newest.kind in _GONE and _over(newest, at)


@dataclass(frozen=True, slots=True)
class _Change:
    known: Record
    now: Checked
    creates: bool

    def changed(self) -> dict[str, FactValue]:
        """Return the facts that differ and are not older than what is known."""
        return {name: value for name, value in self.now.facts.items() if self._differs(name, value)}

    def employment(self) -> EventType | None:
        """Return the event that brings employment up to date."""
        newest = _newest(self.known)
        if newest is not None and newest.version.time > self.now.taken_at:
            return None
        match self._status():
            case Status.LEFT:
                return self._gone(newest)
            case Status.ACTIVE | Status.SUSPENDED:
                return self._present(newest)
            case None:
                return None

    def suspension(self) -> EventType | None:
        """Return the event that brings suspension up to date, where the source has a word for it."""
        before, status = self.known.suspended, self.now.status
        if before is not None and before.version.time > self.now.taken_at:
            return None
        is_suspended = before is not None and before.value is True
        if status is Status.SUSPENDED and not is_suspended:
            return EventType.SUSPENDED
        return EventType.RESUMED if status is Status.ACTIVE and is_suspended else None

    def begins_before_it_ends(self) -> bool:
        """Tell whether a departure that lies ahead ends an employment of which the source has not spoken yet."""
        ends = self._ends_at()
        if not self.creates or self.now.status is Status.LEFT or ends is None or ends < self.now.taken_at.date():
            return False
        return _newest(self.known) is None or self._hired_anew()

    def document(self, kind: EventType, facts: Mapping[str, FactValue], *, ticks: int = 0) -> dict[str, object]:
        """Return the event of a kind with the facts that belong to it, so much later than the first of the snapshot."""
        if kind is EventType.JOINED:
            facts = {**self._names(), **self.now.facts}
        if kind is EventType.LEFT:  # its dates are part of the statement, though they may be known as facts
            dates = {name: self.now.facts[name] for name in ("lastWorkingDay", "leftAt") if self.now.facts.get(name)}
            facts = {**facts, **dates}
        return identified(_event(self.now, kind, facts, time=self._time() + ticks * _TICK))

    def _differs(self, name: str, value: FactValue) -> bool:
        before = self.known.facts.get(name)
        if before is None:
            return True
        return before.version.time <= self.now.taken_at and repr(before.value) != repr(value)  # True is not 1 here

    def _status(self) -> Status | None:
        """Return what the snapshot says of employment, by its word, its dates, or its presence."""
        ends = self._ends_at()
        if ends is not None and self.now.status is not Status.LEFT:
            contradicts = self.now.status is not None and ends < self.now.taken_at.date()
            return self._unless_known() if contradicts else Status.LEFT
        if self.now.status is not None:
            return self.now.status
        if self._states_no_end() or self._hired_anew():
            return Status.ACTIVE
        newest = _newest(self.known)
        # That somebody is listed does not take back a departure that was told by an event, or lies ahead.
        listed_out = newest is not None and newest.kind in _GONE
        if listed_out and not (newest and newest.version.source == SNAPSHOTS and _over(newest, self.now.taken_at)):
            return None
        return Status.ACTIVE if self.creates else None

    def _unless_known(self) -> Status | None:
        # "Active" beside a day that has passed: a word that comes late, or a date that was never cleared.
        return Status.ACTIVE if _newest(self.known) is None else None

    def _ends_at(self) -> date | None:
        day, instant = self.now.facts.get("lastWorkingDay"), self.now.facts.get("leftAt")
        ends = date.fromisoformat(day) if isinstance(day, str) else None
        if ends is None and isinstance(instant, str):
            ends = datetime.fromisoformat(instant).date()
        hired = self._hired_on()
        return None if ends is None or (hired is not None and hired > ends) else ends

    def _states_no_end(self) -> bool:
        dates = [self.now.facts[name] for name in ("lastWorkingDay", "leftAt") if name in self.now.facts]
        return bool(dates)  # with a date that counts, this is not asked

    def _hired_on(self) -> date | None:
        hired = self.now.facts.get("hireDate")
        return date.fromisoformat(hired) if isinstance(hired, str) else None

    def _hired_anew(self) -> bool:
        """Tell whether another first day is stated than before, and one after a departure."""
        newest, hired = _newest(self.known), self._hired_on()
        if newest is None or newest.kind not in _GONE or not self._starts_otherwise():
            return False
        return newest.kind is EmploymentKind.JOINING_CANCELLED or (hired is not None and hired > _ended_on(newest))

    def _starts_otherwise(self) -> bool:
        hired = self._hired_on()
        return hired is not None and hired != _hired_before(self.known)

    def _gone(self, newest: EmploymentStatement | None) -> EventType | None:
        hired, dated = self._hired_on(), self._ends_at() is not None
        if hired is not None and hired > self.now.taken_at.date() and not dated:
            is_told = newest is not None and newest.kind in _GONE
            return None if is_told else EventType.JOINING_CANCELLED
        if newest is None or newest.kind is not EmploymentKind.LEFT:
            return EventType.LEFT
        before = (
            newest.last_working_day.isoformat() if newest.last_working_day else None,
            newest.left_at,
        )
        day, instant = self.now.facts.get("lastWorkingDay") or before[0], self.now.facts.get("leftAt")
        left_at = datetime.fromisoformat(instant) if isinstance(instant, str) else before[1]
        return None if (day, left_at) == before else EventType.LEFT

    def _present(self, newest: EmploymentStatement | None) -> EventType | None:
        if newest is None:
            return EventType.JOINED if self.creates else None
        if newest.kind is EmploymentKind.LEFT:
            is_over = _over(newest, self.now.taken_at)
            return EventType.JOINED if is_over or self._starts_otherwise() else EventType.LEAVING_CANCELLED
        if newest.kind is EmploymentKind.JOINING_CANCELLED:
            return EventType.JOINED
        return EventType.JOINED if self.creates and self._starts_otherwise() else None

    def _names(self) -> dict[str, FactValue]:
        """Return the names that are known, for a source that does not state them again of somebody who returns."""
        return {name: self.known.facts[name].value for name in PERSON_NAMES if name in self.known.facts}

    def _time(self) -> datetime:
        said: list[Stated | EmploymentStatement] = [*self.known.facts.values(), *self.known.employment]
        said += [self.known.suspended] if self.known.suspended else []
        tied = any(one.version.time == self.now.taken_at for one in said)
        return self.now.taken_at + _TICK if tied else self.now.taken_at


def _newest(known: Record) -> EmploymentStatement | None:
    return max(known.employment, key=lambda one: (one.version, repr(one)), default=None)


def _hired_before(known: Record) -> date | None:
    joined = [one for one in known.employment if one.kind is EmploymentKind.JOINED]
    return max(joined, key=lambda one: (one.version, repr(one))).hire_date if joined else None


def _ended_on(statement: EmploymentStatement) -> date:
    return statement.last_working_day or (statement.left_at or statement.version.time).date()


def _over(statement: EmploymentStatement, at: datetime) -> bool:
    return _ended_on(statement) < at.date() or (not statement.last_working_day and _left_at(statement) <= at)


def _left_at(statement: EmploymentStatement) -> datetime:
    return statement.left_at or statement.version.time


def _event(
    now: Snapshot | Checked, kind: EventType, facts: Mapping[str, object], time: datetime | None = None
) -> Event:
    raw = {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items()}
    at = (time or now.taken_at).isoformat()
    document = {"specversion": "1.0", "id": "-", "source": SNAPSHOTS, "type": kind, "subject": now.subject, "time": at}
    return parse_event({**document, "data": raw}, now=time or now.taken_at)


def identified(event: Event) -> dict[str, object]:
    """Return an event's document under an id that follows from all it says."""
    document = event_document(event)
    content = json.dumps(document, sort_keys=True).encode()
    return {**document, "id": f"snapshot-{hashlib.sha256(content).hexdigest()[:32]}"}
