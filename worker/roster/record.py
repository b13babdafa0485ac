"""What one source has stated of one person: a record, known by (source name, subject).

A record only grows, by the newest statement per fact and by two sets, of employment statements and of withdrawals. So
folding events into it is commutative, associative and idempotent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from worker.events import FactValue

OPERATOR = "operator"
"""The source of operators' own statements, whose subjects are our ids of people. It may only be stated by ourselves."""


class EmploymentKind(StrEnum):
    """The four statements that make up employment."""

    JOINED = "joined"
    JOINING_CANCELLED = "joining_cancelled"
    LEFT = "left"
    LEAVING_CANCELLED = "leaving_cancelled"


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """What orders two statements of a source: when it happened, then the sender's source and id of the event."""

    time: datetime
    source: str
    id: str


@dataclass(frozen=True, slots=True)
class Stated:
    """A fact's newest value and the version of the event that stated it."""

    value: FactValue
    version: Version


@dataclass(frozen=True, slots=True, order=True)
class Withdrawal:
    """One source's statement of one fact, which an operator took back: it counts as if it had never been made."""

    fact: str
    version: Version


@dataclass(frozen=True, slots=True)
class EmploymentStatement:
    """One event about employment, with its dates as stated and the instant we first heard of it."""

    kind: EmploymentKind
    version: Version
    received_at: datetime
    hire_date: date | None = None
    last_working_day: date | None = None
    left_at: datetime | None = None
    immediate: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """Everything one source has stated under one subject."""

    source: str
    """Our own name of the authenticated source."""
    subject: str
    facts: Mapping[str, Stated] = field(default_factory=dict)
    employment: frozenset[EmploymentStatement] = frozenset()
    suspended: Stated | None = None
    """True while the newest of suspended and resumed says so; None if the source never spoke of it."""
    purged: Stated | None = None
    withdrawn: frozenset[Withdrawal] = frozenset()
    """Of operators: what they took back of other records of the same person."""
