"""What a change of policy alone takes away: everybody is asked twice, under the policy in force and under the new one.

Nothing is written, and no host is asked. People are read in pages, each in a transaction of its own, so that nobody
waits and memory does not grow with their number.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from worker.intake.context import Intake
from worker.mail import DOORS, Address, SharedKey, bare, domain_of, local_part_of, takes_mail_of
from worker.planning.policy_change import BrakeCount, PolicyChange
from worker.planning.step import Brake
from worker.policy import (
    Access,
    Erased,
    NoMailbox,
    PersonState,
    PersonView,
    Policy,
    SharedView,
    WantedMailbox,
    desired,
    served,
)
from worker.policy.document import RewriteSection
from worker.store import addresses, people, shared_addresses
from worker.store.views import person_views

_PAGE = 500


def change_of_policy(intake: Intake, in_force: Policy, new: Policy) -> PolicyChange:
    """Return what putting ``new`` into force brings about by itself at this instant.

    Counted are those alone whom the two policies treat differently. What counts against it are the brakes of the policy
    in force: a new one could otherwise let itself in.
    """
    tally = _Tally(_Side(in_force), _Side(new), intake.clock.now())
    after = 0
    while True:
        with intake.database.read() as session:
            ids = [row.id for row in people.page(session, after=after, limit=_PAGE)]
            for view in person_views(session, ids, intake.precedence).values():
                tally.count(view)
        if len(ids) < _PAGE:
            break
        after = ids[-1]
    with intake.database.read() as session:
        mailboxes, lists = addresses.population(session), shared_addresses.existing(session)
    tally.taken[Brake.LISTS] = sum(tally.loses(each) for each in lists)
    population = {brake: len(lists) if brake is Brake.LISTS else mailboxes for brake in Brake}
    return PolicyChange(new.hash, in_force.hash, tuple(_count(tally, in_force, *each) for each in population.items()))


@dataclass(slots=True)
class _Side:
    """One of the two policies, and who has mail from which shared address under it."""

    policy: Policy
    members: dict[SharedKey, dict[str, Address]] = field(default_factory=dict)
    """Of each domain one member's mailbox: more are not needed to know whether the address has somebody."""

    def state_of(self, view: PersonView, now: datetime) -> PersonState:
        """Return what is wanted for a person, and remember which shared addresses they are members of."""
        state = desired(view, self.policy, now).state
        if view.mailbox_exists and view.address is not None:
            for shared in state.groups:
                self.members.setdefault(shared, {})[domain_of(view.address)] = view.address
        return state.mailbox

    def keeps_out(self, view: PersonView, state: PersonState) -> bool:
        """Tell whether nobody gets into a mailbox for which this is wanted, or it is to go."""
        is_out = isinstance(state, NoMailbox) or (isinstance(state, WantedMailbox) and _keeps_out(state))
        return is_out and view.address not in self.policy.protected

    def deletes(self, view: PersonView, state: PersonState) -> bool:
        """Tell whether a mailbox is deleted for which this is wanted; with a protected identity in it, it is not."""
        return isinstance(state, NoMailbox) and not self._protects(view)

    def gives_up(self, view: PersonView, state: PersonState) -> bool:
        """Tell whether the addresses are given up under which somebody received mail."""
        return isinstance(state, NoMailbox) and state.release and bool(view.received) and not self._protects(view)

    def silences(self, view: PersonView, state: PersonState) -> bool:
        """Tell whether nobody gets somebody's mail any more, which an alias has handed over."""
        stay = state.aliases | state.kept if isinstance(state, NoMailbox) else view.redirected
        return bool(view.redirected - stay - self.policy.protected)

    def erases(self, view: PersonView, state: PersonState, now: datetime) -> bool:
        """Tell whether a person without a mailbox is erased, once the addresses that they still hold are given up."""
        if isinstance(state, NoMailbox) and state.release and not self._protects(view):
            state = desired(served(view, self.policy, state, now), self.policy, now).state.mailbox
        return isinstance(state, Erased)

    def _protects(self, view: PersonView) -> bool:
        """Tell whether one of somebody's addresses is protected, which go together or not at all."""
        return not self.policy.protected.isdisjoint(view.received | ({view.address} if view.address else set()))

    def spares(self, shared: SharedKey, written_by: Policy) -> bool:
        """Tell whether a list of another policy stays as it is: its address is protected, or mail that it takes."""
        section, target = written_by.lists.get(shared), bare(shared)
        if not isinstance(section, RewriteSection):
            return target in self.policy.protected
        there = [local_part_of(each) for each in self.policy.protected if domain_of(each) == domain_of(target)]
        return any(takes_mail_of(section.local_part_rule, each) for each in there)

    def has(self, shared: SharedKey, now: datetime) -> bool:
        """Tell whether a shared address should exist."""
        view = SharedView(shared, frozenset(self.members.get(shared, {}).values()))
        return bool(desired(view, self.policy, now).state.destinations)


@dataclass(slots=True)
class _Tally:
    """What was counted so far."""

    before: _Side
    after: _Side
    now: datetime
    taken: Counter[Brake] = field(default_factory=Counter)
    given_up: int = 0
    """How many of those that ``Brake.DELETE`` counts are people who lose addresses, their mailbox being gone."""
    erased: int = 0
    """How many of them are people who are erased."""

    def count(self, view: PersonView) -> None:
        """Take a person into account: a mailbox that exists can be taken away, and where none does what is left."""
        before, after = self.before.state_of(view, self.now), self.after.state_of(view, self.now)
        if view.address in self.after.policy.protected:
            return
        if not view.mailbox_exists or view.address is None:
            self._count_without_mailbox(view, before, after)
        elif self.after.deletes(view, after):
            self.taken[Brake.DELETE] += not self.before.deletes(view, before)
        elif isinstance(after, WantedMailbox) and _keeps_out(after) and not self.before.keeps_out(view, before):
            self.taken[Brake.IMMEDIATE if after.immediate else Brake.BLOCK] += 1

    def _count_without_mailbox(self, view: PersonView, before: PersonState, after: PersonState) -> None:
        """Count whoever loses what is left, once: they are erased, or lose their addresses or the aliases there."""
        if self.after.erases(view, after, self.now):
            self.erased += (is_new := not self.before.erases(view, before, self.now))
        elif self.after.gives_up(view, after):
            self.given_up += (is_new := not self.before.gives_up(view, before))
        else:
            is_new = self.after.silences(view, after) and not self.before.silences(view, before)
            self.given_up += is_new
        self.taken[Brake.DELETE] += is_new

    def loses(self, shared: SharedKey) -> bool:
        """Tell whether a shared address that exists should do so under the policy in force, and not under the other."""
        is_wanted_no_more = self.before.has(shared, self.now) and not self.after.has(shared, self.now)
        return is_wanted_no_more and not self.after.spares(shared, self.before.policy)


def _keeps_out(state: WantedMailbox) -> bool:
    """Tell whether nobody gets in: after a block, or where the defaults for mailboxes close every door."""
    return state.access is Access.BLOCKED or all(state.fields.get(door) is False for door in DOORS)


def _count(tally: _Tally, in_force: Policy, brake: Brake, population: int) -> BrakeCount:
    allowed = in_force.brakes.allowed(brake.value, population)
    without = (tally.erased, tally.given_up) if brake is Brake.DELETE else ()
    return BrakeCount(brake, tally.taken[brake], allowed, population, *without)
