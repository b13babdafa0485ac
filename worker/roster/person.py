"""A person: the records that were linked, and the one truth that is read from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from worker.events import FactValue
from worker.roster.employment import Employment, employment_of
from worker.roster.record import OPERATOR, EmploymentKind, Record, Stated, Withdrawal


@dataclass(frozen=True, slots=True)
class Person:
    """One human being: our own key and what each source states."""

    key: str
    records: tuple[Record, ...] = ()

    @property
    def withdrawn(self) -> frozenset[Withdrawal]:
        """What operators took back of what was stated."""
        return frozenset[Withdrawal]().union(*(record.withdrawn for record in self.records))


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
class Said:
    """A fact as somebody stated it, and who that is."""

    source: str
    subject: str
    stated: Stated


def profile(person: Person, precedence: Mapping[str, int]) -> Profile:
    """Read the one truth about a person. ``precedence`` gives a number to our names of sources, 0 where it is missing.

    Fact by fact it is what ``spoken`` says; None is a statement too, and the fact is then present.
    """
    said = spoken(person, precedence)
    manager = said.get("manager")
    return Profile(
        key=person.key,
        facts={name: _value(name, one) for name, one in sorted(said.items())},
        employment=employment_of(person.records, precedence),
        suspended=_is_suspended(person, precedence),
        purged=_is_purged(person),
        manager=_manager(manager) if manager else None,
    )


def spoken(person: Person, precedence: Mapping[str, int]) -> Mapping[str, Said]:
    """Return who is believed, fact by fact.

    Among sources the one with the highest precedence speaks of those that state the fact, ties go to the newest
    statement. An operator's statement then takes the place of what is older than it, and of what is as old; as soon as
    the source that speaks says something newer of this fact, it is believed again. A source that would not be believed
    anyway does not take an operator's word away. What an operator withdrew is not heard. The order of the records does
    not matter.
    """
    by_sources, by_operators = _strongest(person, precedence, operators=False), _strongest(person, {}, operators=True)
    return by_sources | {
        name: said for name, said in by_operators.items() if name not in by_sources or _holds(said, by_sources[name])
    }


def manager_of_operator(source: str, subject: str) -> str:
    """Return how an operator's statement names a manager: operators have no subjects of their own for them."""
    return f"{source}/{subject}"


def _strongest(person: Person, precedence: Mapping[str, int], *, operators: bool) -> dict[str, Said]:
    strongest: dict[str, Said] = {}
    withdrawn = person.withdrawn
    for record in (record for record in person.records if (record.source == OPERATOR) is operators):
        for name, stated in record.facts.items():
            if withdrawn and Withdrawal(name, stated.version) in withdrawn:
                continue
            said = Said(record.source, record.subject, stated)
            known = strongest.get(name, said)
            strongest[name] = max(known, said, key=lambda one: _by_precedence(one, precedence))
    return strongest


def _holds(operators: Said, sources: Said) -> bool:
    return operators.stated.version.time >= sources.stated.version.time


def _by_precedence(said: Said, precedence: Mapping[str, int]) -> tuple[object, ...]:
    # The last three only make the order total, so that the order of the records cannot matter.
    weight, version = precedence.get(said.source, 0), said.stated.version
    return weight, version, said.source, said.subject, repr(said.stated.value)


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


def _value(name: str, said: Said) -> FactValue:
    named = _manager(said) if name == "manager" else None
    return named[1] if named else said.stated.value


def _manager(said: Said) -> tuple[str, str] | None:
    subject = said.stated.value
    if not isinstance(subject, str):
        return None
    if said.source == OPERATOR:
        source, _, subject = subject.partition("/")
        return source, subject
    return said.source, subject
