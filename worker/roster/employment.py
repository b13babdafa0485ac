"""Employment: one composite fact, read from the newest of joined, joining cancelled, left and leaving cancelled."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from worker.roster.record import EmploymentKind, EmploymentStatement, Record

_ENDED_BY: Mapping[EmploymentKind, frozenset[EmploymentKind]] = {
    EmploymentKind.JOINED: frozenset({EmploymentKind.JOINING_CANCELLED, EmploymentKind.LEFT}),
    EmploymentKind.JOINING_CANCELLED: frozenset(EmploymentKind) - {EmploymentKind.JOINING_CANCELLED},
    # A rehire that is called off does not end a departure: the joined before it has done so already.
    EmploymentKind.LEFT: frozenset({EmploymentKind.JOINED, EmploymentKind.LEAVING_CANCELLED}),
    EmploymentKind.LEAVING_CANCELLED: frozenset(EmploymentKind) - {EmploymentKind.LEAVING_CANCELLED},
}
"""What ends the truth of a statement, so that a later one of the same kind says something new and no repetition."""

_JOINING = (EmploymentKind.JOINED, EmploymentKind.JOINING_CANCELLED)


@dataclass(frozen=True, slots=True)
class Employment:
    """What is true of a person's employment."""

    kind: EmploymentKind
    """The newest statement's kind. LEAVING_CANCELLED means employed as before."""
    source: str
    """Our name of the source that made the newest statement; brakes count by it."""
    at: datetime
    """When the newest statement happened."""
    known_since: datetime
    """When we first received a statement that still holds: for a departure, the earliest receipt of any ``left`` since
    the last joined or leaving_cancelled, so that a departure repeated every night does not postpone deletion."""
    hire_date: date | None = None
    """From the newest ``joined``, whichever statement is the newest of all. None if that one has no date, even where
    an older one had: a joined without a date means "from its own time"."""
    joined: bool = False
    """Some ``joined`` was stated that no joining_cancelled took back: a departure alone does not say that."""
    last_working_day: date | None = None
    """Of the newest statement, only if it is a ``left``: the last day of a fixed term announced with a ``joined`` is a
    fact of the person and no departure."""
    left_at: datetime | None = None
    """Of the newest statement, only if it is a ``left``. Where that has neither date, the time of the first of the
    undated ones that it repeats, so that an undated departure repeated every night stays where it was."""
    immediate: bool = False
    """Some ``left`` since the last joined or leaving_cancelled was immediate: a departure that is told once more
    without the word does not open the doors again."""
    immediate_at: datetime | None = None
    """When the first of these happened, or was received where its source's clock was ahead: access has ended then, and
    that it is told again, or by a clock that is ahead, opens no door."""
    former_departure: EmploymentStatement | None = None
    """The newest ``left`` that a later ``joined`` made history: somebody who comes back. A leaving_cancelled in between
    strikes the departure out. Stays when the rehire is cancelled, because the departure then holds as before."""


@dataclass(frozen=True, slots=True)
class _Said:
    """A statement and our name of the source whose record holds it."""

    source: str
    statement: EmploymentStatement


def employment_of(records: Iterable[Record], precedence: Mapping[str, int]) -> Employment | None:
    """Read employment from all records of one person; None if none speaks of it.

    The newest statement decides, by the time at which it happened. Precedence (our name of a source to a number, 0
    where it is missing, the higher speaks) only breaks ties of equal time, and the version those that are left. The
    order of the records does not matter.
    """
    said = _in_order(records, precedence)
    if not said:
        return None
    newest = said[-1]
    spell = _spell([one.statement for one in said])
    left = newest.statement.kind is EmploymentKind.LEFT
    return Employment(
        kind=newest.statement.kind,
        source=newest.source,
        at=newest.statement.version.time,
        known_since=min(statement.received_at for statement in spell),
        hire_date=_hire_date(said),
        joined=_has_joined(said),
        last_working_day=newest.statement.last_working_day if left else None,
        left_at=_left_at(spell) if left else None,
        immediate=left and any(statement.immediate for statement in spell),
        immediate_at=min(map(_happened, filter(_is_immediate, spell)), default=None) if left else None,
        former_departure=_former_departure(said),
    )


def _in_order(records: Iterable[Record], precedence: Mapping[str, int]) -> list[_Said]:
    """Return all statements, the newest last, in an order that is total: repr settles what is left."""
    said = [_Said(record.source, statement) for record in records for statement in record.employment]

    def key(one: _Said) -> tuple[object, ...]:
        version = one.statement.version
        return version.time, precedence.get(one.source, 0), version, one.source, repr(one.statement)

    return sorted(said, key=key)


def _spell(statements: list[EmploymentStatement]) -> list[EmploymentStatement]:
    """Return the statements that say the same as the newest and were not ended before it, oldest first."""
    kind = statements[-1].kind
    spell: list[EmploymentStatement] = []
    for statement in reversed(statements):
        if statement.kind in _ENDED_BY[kind]:
            break
        if statement.kind is kind:
            spell.append(statement)
    return spell[::-1]


def _is_immediate(statement: EmploymentStatement) -> bool:
    return statement.immediate


def _happened(statement: EmploymentStatement) -> datetime:
    return min(statement.version.time, statement.received_at)


def _hire_date(said: list[_Said]) -> date | None:
    joined = [one.statement for one in said if one.statement.kind is EmploymentKind.JOINED]
    return joined[-1].hire_date if joined else None


def _has_joined(said: list[_Said]) -> bool:
    of_joining = [one.statement.kind for one in said if one.statement.kind in _JOINING]
    return bool(of_joining) and of_joining[-1] is EmploymentKind.JOINED


def _left_at(departures: list[EmploymentStatement]) -> datetime | None:
    newest = departures[-1]
    if newest.left_at or newest.last_working_day:
        return newest.left_at
    first = newest
    for statement in reversed(departures):
        if statement.left_at or statement.last_working_day:
            break
        first = statement
    return first.version.time


def _former_departure(said: list[_Said]) -> EmploymentStatement | None:
    former: EmploymentStatement | None = None
    departure: EmploymentStatement | None = None
    for statement in (one.statement for one in said):
        match statement.kind:
            case EmploymentKind.LEFT:
                was_immediate = departure is not None and departure.immediate
                departure = replace(statement, immediate=statement.immediate or was_immediate)
            case EmploymentKind.LEAVING_CANCELLED:
                departure = None
            case EmploymentKind.JOINED:
                former, departure = departure or former, None
            case EmploymentKind.JOINING_CANCELLED:
                pass
    return former
