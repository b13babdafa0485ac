"""Undoing: the statements by which an operator restores what held before some events, so that all read it alike.

What was heard stays, and the newer word counts. A fact that a source had stated before is stated as it was. One of
which it had said nothing is withdrawn, so that nobody is made to say of it what nobody said.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from worker.events import EventType, FactValue
from worker.roster.employment import Employment
from worker.roster.person import Person, Profile, manager_of_operator, profile, spoken
from worker.roster.record import OPERATOR, EmploymentKind, Withdrawal
from worker.roster.withdrawing import withdrawable, without, write_withdrawals

_NAMES = ("givenName", "familyName", "displayName", "nickName")
_RENAMED = frozenset({*_NAMES, "middleName", "workEmail"})
_DEPARTURE = ("lastWorkingDay", "leftAt")
_EMPLOYED = (EmploymentKind.JOINED, EmploymentKind.LEAVING_CANCELLED)


class NoWayBack(ValueError):
    """No statement brings back what held before; the message says why."""


@dataclass(frozen=True, slots=True)
class Restoring:
    """One statement that an operator makes."""

    type: EventType
    facts: Mapping[str, FactValue] = field(default_factory=dict)
    immediate: bool = False
    withdrawn: frozenset[Withdrawal] = frozenset()

    @property
    def told(self) -> Mapping[str, FactValue]:
        """What the event says of facts, withdrawals too."""
        return {**self.facts, **write_withdrawals(self.withdrawn)}

    @property
    def names(self) -> frozenset[str]:
        """The facts it is about."""
        return frozenset({*self.facts, *(each.fact for each in self.withdrawn)})


def way_back(now: Person, before: Person, precedence: Mapping[str, int]) -> tuple[Restoring, ...]:
    """Return what an operator says, in this order and newer than all, so that ``before`` holds again. Empty: it does.

    ``before`` is the same person without the events that are undone. A joining is called off, so the way back from a
    mailbox that it made is that of a departure; of somebody whom nobody knew before it the facts stay. Raises
    NoWayBack.
    """
    known, former = profile(now, precedence), profile(before, precedence)
    if known.purged and not former.purged:
        raise NoWayBack("an erasure that was asked for is taken back by a joining alone")
    if _was_never_here(former.employment) and known.employment and known.employment.former_departure:
        raise NoWayBack("a departure before a joining that was called off is ended by another joining alone")
    restoring = [*_employment(known.employment, former), *_suspension(known, former)]
    if former.employment is None and known.employment is not None:
        return tuple(restoring)  # nobody knew them: what is known of who will not come stays, for the mailbox's sake
    withdrawn = withdrawable(now, before)  # what is heard of nobody now might drown what a quieter one says later
    if not restoring and not withdrawn and known.facts == former.facts:
        return ()
    left = profile(without(now, withdrawn), precedence)
    return _withdrawing(_with_facts(restoring, _facts(left, former, before, precedence), former), withdrawn)


def _withdrawing(restoring: tuple[Restoring, ...], withdrawn: frozenset[Withdrawal]) -> tuple[Restoring, ...]:
    """Let the first statement withdraw, too."""
    if not withdrawn:
        return restoring
    if restoring:
        return (replace(restoring[0], withdrawn=withdrawn), *restoring[1:])
    return (Restoring(EventType.UPDATED, withdrawn=withdrawn),)  # a rename must say a name


def _with_facts(restoring: list[Restoring], facts: dict[str, FactValue], former: Profile) -> tuple[Restoring, ...]:
    """Let the first statement carry the facts, so that no evaluation sees half of them."""
    told = {name: value for statement in restoring for name, value in statement.facts.items()}
    facts = {name: former.facts.get(name) for name in told} | facts  # dates of employment are facts, too
    differing = {name: value for name, value in facts.items() if name in told and told[name] != value}
    carried = {name: value for name, value in facts.items() if name not in told}
    if any(
        statement.type is EventType.LEFT for statement in restoring
    ):  # it would take a date for that of the departure
        differing |= {name: carried.pop(name) for name in _DEPARTURE if name in carried}
    if restoring and carried:
        restoring = [replace(restoring[0], facts={**carried, **restoring[0].facts}), *restoring[1:]]
    elif carried:
        differing = carried
    if differing:
        kind = EventType.RENAMED if _RENAMED & differing.keys() else EventType.UPDATED
        restoring = [*restoring, Restoring(kind, differing)]
    return tuple(restoring)


def _facts(known: Profile, former: Profile, before: Person, precedence: Mapping[str, int]) -> dict[str, FactValue]:
    said = spoken(before, precedence)
    either = known.facts.keys() | former.facts.keys()
    changed = {name for name in either if former.facts.get(name) != known.facts.get(name)}
    facts = {name: former.facts.get(name) for name in sorted(changed)}
    if "manager" in facts and former.manager is not None and said["manager"].source != OPERATOR:
        facts["manager"] = manager_of_operator(*former.manager)
    elif "manager" in facts and former.manager is not None:
        facts["manager"] = said["manager"].stated.value
    return facts


def _suspension(known: Profile, former: Profile) -> Iterator[Restoring]:
    if known.suspended != former.suspended:
        yield Restoring(EventType.SUSPENDED if former.suspended else EventType.RESUMED)


def _employment(known: Employment | None, former: Profile) -> Iterator[Restoring]:
    was = former.employment
    if known is None or (was is not None and _says(known) == _says(was)):
        return
    if was is not None and known.kind is was.kind is EmploymentKind.JOINING_CANCELLED and was.former_departure:
        left = was.former_departure
        dates = _dates(left.last_working_day, left.left_at or left.version.time)
        yield Restoring(EventType.LEFT, dates, immediate=left.immediate)
    elif was is None or was.kind is EmploymentKind.JOINING_CANCELLED:
        yield Restoring(EventType.JOINING_CANCELLED)
    elif was.kind in _EMPLOYED:
        yield from _employed(known, was, former)
    elif known.kind is EmploymentKind.JOINED:
        yield Restoring(EventType.JOINING_CANCELLED)  # the departure before it holds again
    else:
        if known.immediate and not was.immediate:
            yield Restoring(EventType.LEAVING_CANCELLED)  # only this ends that it is immediate
        dates = _dates(was.last_working_day, was.left_at or was.at)
        yield Restoring(EventType.LEFT, dates, immediate=was.immediate)


def _employed(known: Employment, was: Employment, former: Profile) -> Iterator[Restoring]:
    if known.kind is EmploymentKind.LEFT:
        yield Restoring(EventType.LEAVING_CANCELLED)
        if known.hire_date == was.hire_date:
            return
    names = {name: value for name in _NAMES if (value := former.facts.get(name))}
    hired = was.hire_date.isoformat() if was.hire_date else None
    yield Restoring(EventType.JOINED, names | {"hireDate": hired})


def _was_never_here(employment: Employment | None) -> bool:
    if employment is None or employment.kind is not EmploymentKind.JOINING_CANCELLED:
        return False
    return employment.former_departure is None


def _says(employment: Employment) -> tuple[object, ...]:
    """Return what a statement of employment comes to; who made it and when does not matter."""
    if employment.kind is EmploymentKind.LEFT:
        dates = employment.last_working_day, employment.left_at, employment.immediate
        return EmploymentKind.LEFT, employment.hire_date, *dates
    if employment.kind in _EMPLOYED:
        return EmploymentKind.JOINED, employment.hire_date
    return employment.kind, employment.former_departure is not None


def _dates(last_working_day: date | None, left_at: datetime) -> dict[str, FactValue]:
    if last_working_day is not None:
        return {"lastWorkingDay": last_working_day.isoformat()}
    return {"leftAt": left_at.isoformat().replace("+00:00", "Z")}
