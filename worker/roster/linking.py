"""Linking: whose record a record is. By equal employeeNumber, else by a workEmail that one person holds; never by name.

The caller looks up who holds the record's identifiers; here is only the decision.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from worker.roster.record import Record


@dataclass(frozen=True, slots=True)
class Linked:
    """The record belongs to this person."""

    person_key: str


@dataclass(frozen=True, slots=True)
class NewPerson:
    """Nobody holds the record's identifiers and its source may make people."""


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Nobody holds the record's identifiers and its source may not make people: the record waits for its person."""

    why: str


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """More than one answer is possible; a person decides between these, in the order of their keys."""

    person_keys: tuple[str, ...]
    why: str


Link = Linked | NewPerson | Unmatched | Ambiguous


def link(
    record: Record,
    *,
    by_employee_number: Sequence[str],
    by_work_email: Sequence[str],
    numbered: Collection[str],
    creates: bool,
) -> Link:
    """Decide whose record this is, for a record that belongs to nobody yet.

    The two sequences hold the keys of the people of whom another record states the same employeeNumber or the same
    workEmail; a key may come twice. ``numbered`` holds those of them of whom any employeeNumber is known: who is found
    by address alone but has another number than the record states is perhaps the next holder of that address, so that
    is ambiguous. The number decides even where the address is somebody else's.

    A source that may create makes a person of its first event, whatever that is: an update or a departure that
    overtakes its ``joined`` finds the same person as in the right order, and without a ``joined`` nobody is employed.
    What cannot be seen then is an identifier that a later event brings: decide again while the person has no other
    record.
    The sentences repeat no value of a person.
    """
    numbers, addresses = sorted(set(by_employee_number)), sorted(set(by_work_email))
    if numbers:
        return _one_of(numbers, "employeeNumber")
    if len(addresses) == 1 and _states(record, "employeeNumber") and addresses[0] in numbered:
        return Ambiguous(tuple(addresses), "the person with this workEmail has another employeeNumber")
    if addresses:
        return _one_of(addresses, "workEmail")
    return NewPerson() if creates else _unmatched(record)


def _one_of(keys: list[str], identifier: str) -> Link:
    if len(keys) == 1:
        return Linked(keys[0])
    return Ambiguous(tuple(keys), f"{len(keys)} people have this {identifier}")


def _unmatched(record: Record) -> Unmatched:
    stated = [name for name in ("employeeNumber", "workEmail") if _states(record, name)]
    if not stated:
        return Unmatched("the record states neither employeeNumber nor workEmail, and its source may not make people")
    return Unmatched(f"nobody has this {' or this '.join(stated)}, and the record's source may not make people")


def _states(record: Record, name: str) -> bool:
    stated = record.facts.get(name)
    return stated is not None and stated.value is not None
