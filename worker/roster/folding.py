"""Folding: what one more event makes of a record.

Folding only ever takes the larger of two values in a fixed order, or adds to a set. So it is commutative, associative
and idempotent: every order and every repetition of the same events gives the same record.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime

from worker.events import Event, EventType, FactValue
from worker.roster.record import EmploymentKind, EmploymentStatement, Record, Stated, Version
from worker.roster.withdrawing import read_withdrawals

_EMPLOYMENT: Mapping[EventType, EmploymentKind] = {
    EventType.JOINED: EmploymentKind.JOINED,
    EventType.JOINING_CANCELLED: EmploymentKind.JOINING_CANCELLED,
    EventType.LEFT: EmploymentKind.LEFT,
    EventType.LEAVING_CANCELLED: EmploymentKind.LEAVING_CANCELLED,
}
_SUSPENSION: Mapping[EventType, bool] = {EventType.SUSPENDED: True, EventType.RESUMED: False}


def fold(record: Record, event: Event, received_at: datetime) -> Record:
    """Return the record once it has heard of the event, which we first received at ``received_at`` (aware, UTC).

    Commutative, associative and idempotent. Every kind of event may carry facts. The dates of employment are facts
    like others and, for the four kinds that make up employment, part of its statement too: so a ``person.updated``
    that brings another ``lastWorkingDay`` changes the fact and not the departure.
    Raises ValueError if the event is about another subject.
    """
    if event.subject != record.subject:
        raise ValueError("The event is about another subject than the record.")
    version = Version(event.time, event.source, event.id)
    facts, withdrawn = read_withdrawals(record.source, event.facts)
    return replace(
        record,
        facts=_fold_facts(record.facts, facts, version),
        withdrawn=record.withdrawn | withdrawn,
        employment=_fold_employment(record.employment, event, version, received_at),
        suspended=_newest(record.suspended, _stated(_SUSPENSION.get(event.type), version)),
        purged=_newest(record.purged, Stated(True, version) if event.type is EventType.PURGED else None),
    )


def _fold_facts(known: Mapping[str, Stated], told: Mapping[str, FactValue], version: Version) -> dict[str, Stated]:
    folded = dict(known)
    for name, value in told.items():
        stated = Stated(value, version)
        folded[name] = _newer(folded[name], stated) if name in folded else stated
    return folded


def _stated(value: bool | None, version: Version) -> Stated | None:  # noqa: FBT001 - the flag is what was stated
    return None if value is None else Stated(value, version)


def _newest(known: Stated | None, told: Stated | None) -> Stated | None:
    if known is None or told is None:
        return known or told
    return _newer(known, told)


def _newer(one: Stated, other: Stated) -> Stated:
    # Equal versions with different values mean a sender used an id twice; which wins matters less than that it is
    # the same one in every order, hence repr.
    return max(one, other, key=lambda stated: (stated.version, repr(stated.value)))


def _fold_employment(
    known: frozenset[EmploymentStatement], event: Event, version: Version, received_at: datetime
) -> frozenset[EmploymentStatement]:
    kind = _EMPLOYMENT.get(event.type)
    if kind is None:
        return known
    told = _statement(kind, event, version, received_at)
    same = {statement for statement in known if (statement.kind, statement.version) == (kind, version)}
    return (known - same) | {_merged({*same, told})}


def _statement(kind: EmploymentKind, event: Event, version: Version, received_at: datetime) -> EmploymentStatement:
    left_at = event.facts.get("leftAt")
    return EmploymentStatement(
        kind=kind,
        version=version,
        received_at=received_at,
        hire_date=_date(event.facts.get("hireDate")),
        last_working_day=_date(event.facts.get("lastWorkingDay")),
        left_at=datetime.fromisoformat(left_at) if isinstance(left_at, str) else None,
        immediate=event.immediate,
    )


def _date(fact: FactValue) -> date | None:
    return date.fromisoformat(fact) if isinstance(fact, str) else None


def _merged(same: set[EmploymentStatement]) -> EmploymentStatement:
    """Return one statement for deliveries of the same event: whichever content is larger, heard at the earliest."""
    chosen = max(same, key=lambda statement: repr(replace(statement, received_at=statement.version.time)))
    return replace(chosen, received_at=min(statement.received_at for statement in same))
