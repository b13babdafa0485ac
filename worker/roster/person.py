"""A person: the records that were linked, and the one truth that is read from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from worker.events import FactValue
from worker.roster.employment import Employment, employment_of
from worker.roster.record import EmploymentKind, Record, Stated


@dataclass(frozen=True, slots=True)
class Person:
    """One human being: our own key and what each source states."""

    key: str
    records: tuple[Record, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """What holds true of a person once precedence has spoken."""

    key: str
    facts: Mapping[str, FactValue]
    employment: Employment | None
    """None until some source has spoken of employment."""
    suspended: bool = False
    """As the newest statement of any source says; precedence breaks ties of equal time."""
    purged: bool = False
    """Some source asked to erase the person, and nobody stated a ``joined`` at the same time or later: who comes back
    is not erased."""
    manager: tuple[str, str] | None = None
    """(source name, subject) of the manager: resolved within the source that states it (`design.md` 3)."""


@dataclass(frozen=True, slots=True)
class _Said:
    """A statement and the precedence of the source whose record holds it."""

    precedence: int
    record: Record
    stated: Stated


def profile(person: Person, precedence: Mapping[str, int]) -> Profile:
    """Read the one truth about a person. ``precedence`` gives a number to our names of sources, 0 where it is missing.

    Fact by fact, the source with the highest precedence speaks among those that state the fact, ties go to the newest
    statement; None is a statement too, and the fact is then present. The order of the records does not matter.
    """
    spoken = _spoken(person, precedence)
    manager = spoken.get("manager")
    return Profile(
        key=person.key,
        facts={name: said.stated.value for name, said in sorted(spoken.items())},
        employment=employment_of(person.records, precedence),
        suspended=_is_suspended(person, precedence),
        purged=_is_purged(person),
        manager=_manager(manager) if manager else None,
    )


def _spoken(person: Person, precedence: Mapping[str, int]) -> dict[str, _Said]:
    spoken: dict[str, _Said] = {}
    for record in person.records:
        for name, stated in record.facts.items():
            said = _Said(precedence.get(record.source, 0), record, stated)
            spoken[name] = max(spoken.get(name, said), said, key=_by_precedence)
    return spoken


def _by_precedence(said: _Said) -> tuple[object, ...]:
    # The last three only make the order total, so that the order of the records cannot matter.
    return said.precedence, said.stated.version, said.record.source, said.record.subject, repr(said.stated.value)


def _is_suspended(person: Person, precedence: Mapping[str, int]) -> bool:
    told = [
        (record.suspended.version.time, precedence.get(record.source, 0), record.suspended.version, record)
        for record in person.records
        if record.suspended
    ]
    if not told:
        return False
    *_, newest = max(told, key=lambda one: (*one[:3], one[3].source, one[3].subject))
    return newest.suspended is not None and newest.suspended.value is True


def _is_purged(person: Person) -> bool:
    purged = [record.purged.version.time for record in person.records if record.purged]
    return bool(purged) and not any(joined_at >= max(purged) for joined_at in _joined(person))


def _joined(person: Person) -> list[datetime]:
    statements = (statement for record in person.records for statement in record.employment)
    return [statement.version.time for statement in statements if statement.kind is EmploymentKind.JOINED]


def _manager(said: _Said) -> tuple[str, str] | None:
    subject = said.stated.value
    return (said.record.source, subject) if isinstance(subject, str) else None
