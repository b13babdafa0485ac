"""A citizen of the pure town: what one person was promised, and what the mail host shows of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from worker.mail import Address, SharedKey
from worker.planning import Operation, Step
from worker.planning.observed import ObservedPerson
from worker.policy import Manager, PersonState, PersonView
from worker.roster import Profile


class Held(StrEnum):
    """What an address is to its holder."""

    PRIMARY = "primary"
    IDENTITY = "identity"
    ALIAS = "alias"


@dataclass(slots=True)
class Citizen:
    """A person's part of the ledger, and what the host shows of it."""

    key: str
    holds: dict[Address, Held] = field(default_factory=dict)
    received: set[Address] = field(default_factory=set)
    """Those of the addresses that once existed."""
    adopted: set[Address] = field(default_factory=set)
    withdrawn: set[Address] = field(default_factory=set)
    """Further addresses of a name that was taken back."""
    former: list[Address] = field(default_factory=list)
    """Primary addresses that were given up, the newest first."""
    exists: bool = False
    """The ledger says that the mailbox exists; somebody may have deleted it at the host since."""
    blocked_at: datetime | None = None
    observed: ObservedPerson = field(default_factory=lambda: ObservedPerson(None))
    groups: frozenset[SharedKey] = frozenset()
    served: PersonState | None = None
    """What was wanted when their mailbox was last looked at: until something else is, nobody looks."""
    stuck: str | None = None
    """Why their job needs a person."""

    @property
    def address(self) -> Address | None:
        """Return the primary address."""
        return next((address for address, role in self.holds.items() if role is Held.PRIMARY), None)

    @property
    def is_bare(self) -> bool:
        """Whether they never held an address, so that their record may still turn out to be another's."""
        return not (self.holds or self.former)

    def view(self, profile: Profile, manager: Manager | None) -> PersonView:
        """Return what the policy is shown."""
        return PersonView(
            profile=profile,
            address=self.address,
            identities=self._further(Held.IDENTITY),
            aliases=self._further(Held.ALIAS),
            received=frozenset(self.received - self.withdrawn),
            redirected=self.observed.our_aliases - self._further(Held.ALIAS),
            adopted=frozenset(self.adopted),
            withdrawn=frozenset(self.withdrawn),
            mailbox_exists=self.exists,
            blocked_at=self.blocked_at,
            manager=manager,
        )

    def look(self) -> ObservedPerson:
        """Return what a job finds, and put right what the ledger says of the mailbox."""
        self.exists = self.observed.mailbox is not None and self.observed.ours
        self.observed = replace(self.observed, held=frozenset(self.holds))
        shown = self.observed.mailbox.identities if self.observed.mailbox else frozenset()
        there = {*(each.address for each in shown), *(each.address for each in self.observed.aliases)}
        for gone in self.withdrawn - there:
            self._give_up(gone)
        return self.observed

    def enter(self, steps: Iterable[Step], now: datetime) -> None:
        """Enter what was done into the ledger."""
        for step in steps:
            self._enter(step, now)

    def _enter(self, step: Step, now: datetime) -> None:
        match step.operation:
            case Operation.CREATE_MAILBOX:
                self.received.add(step.target)
                self.exists, self.blocked_at = True, None
            case Operation.CREATE_IDENTITY:
                self.received.add(step.target)
            case Operation.CREATE_ALIAS if self.holds[step.target] is Held.ALIAS:
                self.received.add(step.target)
            case Operation.BLOCK_MAILBOX:
                self.blocked_at = now
            case Operation.REOPEN_MAILBOX:
                self.blocked_at = None
            case Operation.DELETE_MAILBOX:
                self.exists = False
            case Operation.RELEASE_ADDRESS:
                self._give_up(step.target)
            case Operation.DELETE_IDENTITY | Operation.DELETE_ALIAS if step.target in self.withdrawn:
                self._give_up(step.target)
            case _:
                pass

    def _give_up(self, address: Address) -> None:
        if self.holds.pop(address) is Held.PRIMARY:
            self.former.insert(0, address)
            self.blocked_at = None
        for known in (self.received, self.withdrawn, self.adopted):
            known.discard(address)

    def _further(self, role: Held) -> frozenset[Address]:
        return frozenset(address for address, held in self.holds.items() if held is role) - self.withdrawn
