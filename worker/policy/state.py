"""What a subject should have: the values that ``desired`` returns and ``planning`` reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from worker.mail import Address, FieldValue, SharedKey


class Access(StrEnum):
    """How far a person may get into the mailbox."""

    OPEN = "open"
    SUSPENDED = "suspended"
    """Doors closed, nothing else touched: lossless."""
    BLOCKED = "blocked"
    """Doors closed and the password replaced by a random one."""


class Credential(StrEnum):
    """How a new mailbox gets its first password."""

    INVITATION = "invitation"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Untouched:
    """Nothing is wanted either way: what is there stays as it is, what is not there is not made."""

    why: str


@dataclass(frozen=True, slots=True)
class NoMailbox:
    """The mailbox must not exist (any more)."""

    aliases: frozenset[Address] = frozenset()
    """Addresses of the person that are aliases then, each of which hands its mail to ``to``."""
    to: Address | None = None
    """Who stands in: the destination of the aliases. None where there are none."""
    kept: frozenset[Address] = frozenset()
    """Addresses whose aliases stay as they are, because nobody can take over from whom they lead to."""
    release: bool = False
    """The person's addresses are given up: no alias stays, and the quarantine of each begins."""
    unexpressed: str | None = None
    """What cannot be done of it: the job does the rest and is then held with this sentence."""


@dataclass(frozen=True, slots=True)
class WantedMailbox:
    """A mailbox that must exist, as it should be."""

    address: Address
    name: str
    access: Access = Access.OPEN
    identities: frozenset[Address] = frozenset()
    """Further addresses of the same person: former ones and those a rename brought."""
    withdrawn: frozenset[Address] = frozenset()
    """Identities that must go, where they exist."""
    fields: Mapping[str, FieldValue] = field(default_factory=dict)
    """The writable fields that the policy manages."""
    credential: Credential = Credential.RANDOM
    recovery: str | None = None
    """Where an invitation goes. Used at creation only, and never shown or logged."""
    create: bool = True
    """False where the mailbox is kept if it exists but not made anew, as for somebody who is leaving."""
    immediate: bool = False
    """The block is an immediate revocation, which has a brake of its own."""
    aliases: frozenset[Address] = frozenset()
    """Further addresses of the same person that are aliases naming the mailbox, as the policy's renaming says."""
    autoreply: Mapping[str, FieldValue] = field(default_factory=dict)
    """The fields of an autoreply that a stage switches on; what they were before is given back when this is empty."""
    forward_to: Address | None = None
    """Who is sent what arrives; None: nobody. A forwarding that the person made stays either way."""
    unexpressed: str | None = None
    """What the host cannot express of the change: the job does the rest and is then held with this sentence."""


@dataclass(frozen=True, slots=True)
class Erased:
    """Nothing personal may be kept: neither mailbox nor address is left, and the person is to be erased."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Something must be known or decided before this subject can be served: its job is held with this sentence."""

    why: str


PersonState = WantedMailbox | NoMailbox | Untouched | Missing | Erased


@dataclass(frozen=True, slots=True)
class DesiredPerson:
    """What a person should have, and which shared addresses and rewrites they belong to."""

    mailbox: PersonState
    groups: frozenset[SharedKey] = frozenset()
    phase: str = ""
    """A word for the lists: pending, active, suspended, leaving, left, cancelled."""
    next_step: str | None = None
    """What happens at ``valid_until``, in words ("block", "delete-mailbox"); None if nothing is due."""


@dataclass(frozen=True, slots=True)
class DesiredShared:
    """What a shared address or a rewrite should be: its destinations, or None where it should not exist."""

    destinations: frozenset[Address] | None
    left_out: frozenset[Address] = frozenset()
    """Members that the host cannot deliver to from here, because their mailbox is in another domain."""
    fields: Mapping[str, FieldValue] = field(default_factory=dict)
    """What the policy says of it besides, by the host's names."""


State = TypeVar("State", DesiredPerson, DesiredShared)


@dataclass(frozen=True)
class Decision(Generic[State]):
    """What ``desired`` answers: the state, and the instant at which it will next differ (None: not by time alone)."""

    state: State
    valid_until: datetime | None
