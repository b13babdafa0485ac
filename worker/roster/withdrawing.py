"""Withdrawing: what an operator takes back of a source's statements, so that whoever is quieter is heard again.

A record keeps the newest statement of a fact alone. So a statement can be withdrawn where its source had none before
it: else the source would fall silent, and the former value is stated instead.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from worker.events import FactValue
from worker.roster.person import Person
from worker.roster.record import OPERATOR, Record, Version, Withdrawal

WITHDRAWN = "withdrawn"
"""The attribute of an operator's event that lists withdrawals; of any other source it is a fact like others."""


def withdrawable(now: Person, before: Person) -> frozenset[Withdrawal]:
    """Return the statements by which ``now`` differs from ``before`` and before which their source had said nothing."""
    gone = before.withdrawn
    said = {
        (record.source, record.subject): {
            name for name, stated in record.facts.items() if Withdrawal(name, stated.version) not in gone
        }
        for record in before.records
    }
    return frozenset(
        Withdrawal(name, stated.version)
        for record in now.records
        if record.source != OPERATOR
        for name, stated in record.facts.items()
        if name not in said.get((record.source, record.subject), ())
    )


def without(person: Person, withdrawn: frozenset[Withdrawal]) -> Person:
    """Return the person as they are once these statements are withdrawn."""
    return replace(person, records=(*person.records, Record(OPERATOR, person.key, withdrawn=withdrawn)))


def write_withdrawals(withdrawn: Iterable[Withdrawal]) -> Mapping[str, FactValue]:
    """Return withdrawals as the attribute of an operator's event; no attribute where there are none."""
    written = tuple(
        json.dumps([each.fact, each.version.time.isoformat(), each.version.source, each.version.id])
        for each in sorted(withdrawn)
    )
    return {WITHDRAWN: written} if written else {}


def read_withdrawals(
    source: str, facts: Mapping[str, FactValue]
) -> tuple[Mapping[str, FactValue], frozenset[Withdrawal]]:
    """Return the facts that an event of a source states, and what it withdraws."""
    listed = facts.get(WITHDRAWN)
    if source != OPERATOR or not isinstance(listed, tuple):
        return facts, frozenset()
    others = {name: value for name, value in facts.items() if name != WITHDRAWN}
    return others, frozenset(_read(each) for each in listed)


def _read(written: str) -> Withdrawal:
    fact, time, source, event_id = json.loads(written)
    return Withdrawal(fact, Version(datetime.fromisoformat(time), source, event_id))
