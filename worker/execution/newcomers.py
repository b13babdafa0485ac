"""What becomes of people for whom an adoption finds no mailbox: the address they are given, or what stops them.

The jobs of these people decide the same later, each for itself; here it is foretold for all of them at once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from worker.execution.look import Seen
from worker.execution.sight import exists_already
from worker.mail import Address
from worker.policy import (
    Existing,
    Missing,
    NoUsableName,
    PersonView,
    Policy,
    UnknownDomain,
    candidates,
    desired,
    home_of,
)
from worker.store.addresses import Role
from worker.store.tables import AddressRow


@dataclass(frozen=True, slots=True)
class Newcomers:
    """Foretells one person after the other: an address that one of them is given is taken for those who follow."""

    policy: Policy
    seen: Seen
    held: Mapping[Address, AddressRow]
    now: datetime
    domains: frozenset[str]
    """Those that were looked at; of the others nothing is known."""
    taken: set[Address] = field(default_factory=set)
    """What others have by then: what is adopted for them, and what was given here."""

    def fate_of(self, view: PersonView) -> str:
        """Return in words what will be done for a person who has no mailbox."""
        if view.profile.suspended:
            return "nothing while they are suspended"
        try:
            home = home_of(view.profile.facts, self.policy)
            offered = iter((view.address,)) if view.address else candidates(view.profile.facts, self.policy)
        except (NoUsableName, UnknownDomain) as error:
            return f"held: {error}"
        if home not in self.domains:
            return f"a new one of {home}, which was not looked at"
        return self._first(view, offered)

    def _first(self, view: PersonView, offered: Iterator[Address]) -> str:
        existing, pinned = self.policy.joining.existing, view.profile.facts.get("workEmail")
        for address in offered:
            if self._is_others(address, int(view.profile.key)):
                continue
            if address not in self.seen.addresses:
                return self._made(view, address)
            if existing is Existing.ADOPT and address == pinned and address in self.seen.mailboxes:
                return f"{address} is taken over, because workEmail names it"
            if existing is not Existing.NEXT_NAME:
                return f"held: {exists_already(address)}"
        return "held: no address is left that they could be given"

    def _is_others(self, address: Address, person: int) -> bool:
        row = self.held.get(address)
        return address in self.taken or (row is not None and row.role != Role.FOREIGN and row.person_id != person)

    def _made(self, view: PersonView, address: Address) -> str:
        state = desired(replace(view, address=address), self.policy, self.now).state.mailbox
        if isinstance(state, Missing):
            return f"held: {state.why}"
        self.taken.add(address)
        return f"{address} is made when it is time"
