"""What becomes of people for whom an adoption finds no mailbox: the address they are given, or what stops them.

The jobs of these people decide the same later, each for itself; here it is foretold for all of them at once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain

from worker.execution.look import Seen
from worker.execution.sight import exists_already
from worker.intake.pinned import barred_until, held_by_another
from worker.mail import Address, domain_of
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
    pinned_address,
)
from worker.store.addresses import Role
from worker.store.given_up import GivenUp
from worker.store.tables import AddressRow


@dataclass(frozen=True, slots=True)
class Newcomers:
    """Foretells one person after the other: an address that one of them is given is taken for those who follow."""

    policy: Policy
    seen: Seen
    held: Mapping[Address, AddressRow]
    given_up: GivenUp
    now: datetime
    domains: frozenset[str]
    """Those that were looked at; of the others nothing is known."""
    taken: set[Address] = field(default_factory=set)
    """What others have by then: what is adopted for them, and what was given here."""

    def fate_of(self, view: PersonView) -> str:
        """Return in words what will be done for a person who has no mailbox."""
        if view.profile.suspended:
            return "nothing while they are suspended"
        facts = view.profile.facts
        try:
            home, pinned = home_of(facts, self.policy), pinned_address(facts, self.policy)
            offered = candidates(facts, self.policy)
        except (NoUsableName, UnknownDomain) as error:
            if view.address is None:
                return f"held: {error}"
            home, pinned, offered = domain_of(view.address), None, iter(())
        if home not in self.domains:
            return f"a new one of {home}, which was not looked at"
        promised = () if view.address is None else (view.address,)
        return self._first(view, chain(promised, offered), pinned)

    def _first(self, view: PersonView, offered: Iterator[Address], pinned: Address | None) -> str:
        existing, person = self.policy.joining.existing, int(view.profile.key)
        for address in offered:
            if (why := self._why_not(address, person)) is not None:
                if address == pinned:
                    return f"held: {why}"
                continue
            if address not in self.seen.addresses or address in view.redirected:
                return self._made(view, address)
            if existing is Existing.ADOPT and address == pinned and address in self.seen.mailboxes:
                return f"{address} is taken over, because workEmail names it"
            if existing is not Existing.NEXT_NAME:
                return f"held: {exists_already(address)}"
        return "held: no address is left that they could be given"

    def _why_not(self, address: Address, person: int) -> str | None:
        """Return why an address cannot be given to a person, whatever is there at the host."""
        row = self.held.get(address)
        if address in self.taken:
            return held_by_another(address, Role.PRIMARY)
        if row is not None and row.role != Role.FOREIGN and row.person_id != person:
            return held_by_another(address, Role(row.role))
        if row is not None and row.person_id == person:
            return None  # what is promised already is not asked again
        until = self.given_up.barred_until(address, person, self.policy.naming.reuse_after.length, self.now)
        return None if until is None else barred_until(address, until)

    def _made(self, view: PersonView, address: Address) -> str:
        state = desired(replace(view, address=address), self.policy, self.now).state.mailbox
        if isinstance(state, Missing):
            return f"held: {state.why}"
        self.taken.add(address)
        return f"{address} is made when it is time"
