"""The table of an adoption: what is asked for, and each line that a person looks at before anything is taken over."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from worker.mail import Address, SharedKey
from worker.planning.adoption import MINIMUM, Proposal, Standing
from worker.planning.plan import Plan


class AdoptionRefused(ValueError):
    """What was asked for cannot be adopted; the sentence says why. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an administrator asks for."""

    domains: tuple[str, ...]
    minimum: int = MINIMUM
    by_hand: Mapping[Address, int] = field(default_factory=dict)
    """Mailboxes whose person somebody decided."""
    only: frozenset[Address] = frozenset()
    """Take these alone; empty: all that is clear."""


@dataclass(frozen=True, slots=True)
class MailboxLine:
    """One mailbox of the table."""

    proposal: Proposal
    selected: bool
    identities: frozenset[Address] = frozenset()
    instead_of: Address | None = None
    plan: Plan = Plan()  # noqa: RUF009 - a frozen value
    """What the person's job would do with it then."""
    phase: str = ""

    @property
    def shown(self) -> tuple[object, ...]:
        """What the line says, for the hash of the table."""
        said = self.proposal
        rivals = [(each.person, each.score) for each in said.rivals]
        return (
            said.address,
            said.standing,
            said.person,
            said.score,
            said.reason,
            rivals,
            self.selected,
            self.plan.hash,
        )


@dataclass(frozen=True, slots=True)
class AliasLine:
    """One alias of the table that is a group of the policy."""

    address: Address
    has: frozenset[Address]
    would_have: frozenset[Address]
    plan: Plan
    """What the group's job would do with it then."""
    standing: Standing
    selected: bool


@dataclass(frozen=True, slots=True)
class Survey:
    """The whole table."""

    domains: tuple[str, ...]
    policy_hash: str
    mailboxes: tuple[MailboxLine, ...]
    aliases: tuple[AliasLine, ...]
    without: Mapping[int, str]
    """People who work here, have no mailbox, and are not matched with one: what becomes of each, in words."""
    names: Mapping[int, str]
    """What people are called."""
    memberships: Mapping[int, frozenset[SharedKey]]
    """Who belongs to which shared address by the policy."""

    @property
    def selected(self) -> tuple[MailboxLine, ...]:
        """The mailboxes that would be taken over."""
        return tuple(line for line in self.mailboxes if line.selected)

    @property
    def taken_aliases(self) -> frozenset[Address]:
        """The aliases that would be taken over."""
        return frozenset(line.address for line in self.aliases if line.selected)

    @property
    def undecided(self) -> int:
        """How many lines need somebody who says what is right."""
        standings = [line.proposal.standing for line in self.mailboxes] + [line.standing for line in self.aliases]
        return standings.count(Standing.UNDECIDED)

    @property
    def hash(self) -> str:
        """Names all that the table shows; whatever changes in it changes this."""
        aliases = [(one.address, sorted(one.has), one.plan.hash, one.selected) for one in self.aliases]
        boxes = [one.shown for one in self.mailboxes]
        content = [self.domains, self.policy_hash, boxes, aliases, sorted(self.without.items())]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
