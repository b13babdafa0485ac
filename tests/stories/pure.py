"""A story played by the pure rooms alone: a town of people, a ledger of addresses and a mail host, all as values.

It does what intake and execution do, without database, network or processes, so it also says what they are for.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

from tests.stories.citizen import Citizen, Held
from tests.stories.host import as_the_host_shows, changed_by_hand, seeded, state_of
from tests.stories.mail import lines_of
from tests.stories.roll import Roll
from tests.stories.story import ByHand, Moment, Story, Told
from worker.mail import Address, SharedKey, bare, domain_of, is_rewrite
from worker.planning import apply_steps, plan_person, plan_shared
from worker.planning.observed import ObservedRewrite, ObservedShared
from worker.policy import (
    Decision,
    DesiredPerson,
    Erased,
    Existing,
    Manager,
    Missing,
    NoUsableName,
    PersonView,
    Policy,
    Renaming,
    SharedView,
    UnknownDomain,
    candidates,
    desired,
    display_name,
    fits,
    home_of,
    load_policy,
    needs_address,
    needs_other_domain,
    takeover_address,
)

_MOST_ROUNDS = 100
_EXISTS = "exists already and was not made here"
_TAKEN = "is held by somebody else"


def play(story: Story) -> list[str]:
    """Play a story; returns what was otherwise than it says, each with its instant. Empty: all as told."""
    town = Town(load_policy(story.policy), story.seed)
    return [difference for moment in story.moments for difference in town.at(moment)]


class Town:
    """Everybody of a story, and their mail."""

    def __init__(self, policy: Policy, seed: Mapping[str, Any]) -> None:
        """Found a town on a mail host that holds what the seed says, none of it ours."""
        self.policy = policy
        self.now = datetime.min.replace(tzinfo=UTC)
        self.citizens: dict[str, Citizen] = {}
        self.roll = Roll(self.citizens)
        self.boxes, aliases = seeded(seed)
        self.lists: dict[SharedKey, ObservedShared | ObservedRewrite] = {
            address: ObservedShared(alias, ours=False) for address, alias in aliases.items()
        }
        self.members: dict[SharedKey, frozenset[Address]] = {}
        self.given_up: dict[Address, tuple[str, datetime]] = {}

    def at(self, moment: Moment) -> list[str]:
        """Live until a moment, see what is done and hear what is told then, do what follows, and look."""
        self.live_until(moment.at)
        for what in moment.by_hand:
            self._suffer(what)
        for told in moment.told:
            self.hear(told)
        self.settle()
        if moment.reconcile:
            self.reconcile()
        return [f"{moment.at:%Y-%m-%d %H:%M} UTC: {each}" for each in self._differences(moment)]

    def live_until(self, at: datetime) -> None:
        """Go on to an instant, doing whatever is due on the way."""
        while (due_at := self._next_due(before=at)) is not None:
            self.now = due_at
            self.settle()
        self.now = at

    def hear(self, told: Told) -> None:
        """Fold an event, and find out whose it is; nothing is done about it yet."""
        for key in self.roll.hear(told.source, told.document, self.now):
            if self.citizens[key].stuck:
                self.citizens[key].served = None  # what the job waits for may have come

    def settle(self) -> None:
        """Do what is due until nothing is left to do."""
        for _ in range(_MOST_ROUNDS):
            before = self.state()
            for key in self.roll.people:
                self._serve(self.citizens[key])
            self._serve_lists()
            if self.state() == before:
                return
        raise AssertionError("the town does not come to rest")

    def state(self) -> dict[str, Any]:
        """Return all that the host holds, as the sandbox shows it."""
        boxes = (each.observed.mailbox for each in self.citizens.values() if each.observed.mailbox)
        own = (alias for each in self.citizens.values() for alias in each.observed.aliases)
        lists = (each.alias for each in self.lists.values() if isinstance(each, ObservedShared) and each.alias)
        rewrites = (each.rewrite for each in self.lists.values() if isinstance(each, ObservedRewrite) and each.rewrite)
        return state_of((*boxes, *self.boxes.values()), (*own, *lists), rewrites)

    def mail(self) -> str:
        """Return what the host holds, in lines."""
        return lines_of(self.state())

    def needs(self) -> list[str]:
        """Return why jobs need a person."""
        people = (each.stuck for each in self.citizens.values() if each.stuck)
        lists = (f"{at} {_TAKEN}" for at, each in self.lists.items() if not each.ours and at in self.members)
        return sorted((*people, *lists))

    def view(self, citizen: Citizen) -> PersonView:
        """Return what the policy is shown of a citizen."""
        return citizen.view(self.roll.profile(citizen.key), self._manager_of(citizen))

    def decision(self, citizen: Citizen) -> Decision[DesiredPerson]:
        """Return what a citizen should have now."""
        return desired(self.view(citizen), self.policy, self.now)

    def take_back_names(self, citizen: Citizen, gained: Iterable[Address]) -> None:
        """Have the addresses go that a name brought which an operator takes back."""
        citizen.withdrawn |= {*gained}
        citizen.served = None

    def _serve(self, citizen: Citizen) -> None:
        self._hold_address(citizen)
        decision = self.decision(citizen)
        citizen.groups = decision.state.groups
        if decision.state.mailbox == citizen.served:
            return
        observed = citizen.look()
        state = citizen.served = self.decision(citizen).state.mailbox
        held = set(citizen.holds)
        plan = plan_person(state, observed)
        citizen.observed = as_the_host_shows(apply_steps(plan.steps, observed), observed)
        received = set(citizen.received)
        citizen.enter(plan.steps, self.now)
        for gone in (held - set(citizen.holds)) & received:
            self.given_up[gone] = (citizen.key, self.now)
        if isinstance(state, Erased):
            self.roll.erase(citizen.key, self.now)
        if not isinstance(state, Missing):
            citizen.stuck = plan.unfinished
        elif citizen.address is not None or citizen.stuck is None:
            citizen.stuck = state.why

    def _hold_address(self, citizen: Citizen) -> None:
        view = self.view(citizen)
        if needs_other_domain(view, self.policy, self.now) and not citizen.received:
            citizen.holds.clear()
            view = self.view(citizen)
        if not needs_address(view, self.policy, self.now):
            return
        try:
            found = next((each for each in self._offered(view) if self._is_free(each, view)), None)
        except (NoUsableName, UnknownDomain) as error:
            citizen.stuck = str(error)
            return
        if found is not None and not self._is_foreign(found):
            self._promise(citizen, found)
            self.roll.settle()  # a record may have waited for that address
        elif found is not None and self.policy.joining.existing is Existing.ADOPT and "workEmail" in view.profile.facts:
            self._adopt(citizen, found)
        elif found is not None:
            citizen.stuck = f"{found} {_EXISTS}"

    def _offered(self, view: PersonView) -> Iterator[Address]:
        facts, citizen = view.profile.facts, self.citizens[view.profile.key]
        kept = sorted(each for each in citizen.withdrawn if fits({each}, facts, self.policy, domain_of(each)))
        domain = domain_of(view.address) if view.address else home_of(facts, self.policy)
        former = citizen.former if view.address is None else []
        offered = candidates(facts, self.policy, domain)
        return chain(kept, (each for each in former if fits({each}, facts, self.policy)), offered)

    def _promise(self, citizen: Citizen, address: Address) -> None:
        if citizen.address is None:
            citizen.holds[address] = Held.PRIMARY
        elif address in citizen.withdrawn:
            citizen.withdrawn.remove(address)
        else:
            as_alias = self.policy.renaming.strategy is Renaming.ALIAS
            citizen.holds[address] = Held.ALIAS if as_alias else Held.IDENTITY
        citizen.stuck = None

    def _adopt(self, citizen: Citizen, address: Address) -> None:
        mailbox = self.boxes.pop(address)
        citizen.holds[address] = Held.PRIMARY
        for identity in mailbox.identities:
            citizen.holds[identity.address] = Held.IDENTITY
            citizen.adopted.add(identity.address)
        citizen.received |= {*citizen.holds}
        citizen.exists, citizen.stuck = True, None
        citizen.observed = replace(citizen.observed, mailbox=mailbox)

    def _is_free(self, address: Address, view: PersonView) -> bool:
        citizen = self.citizens[view.profile.key]
        if any(address in each.holds for each in self.citizens.values()):
            return address in citizen.withdrawn
        if self._is_foreign(address):
            joins = citizen.address is None
            return joins and self.policy.joining.existing is not Existing.NEXT_NAME  # it ends the search
        former, since = self.given_up.get(address, (citizen.key, self.now))
        return former == citizen.key or since <= self.now - self.policy.naming.reuse_after.length

    def _is_foreign(self, address: Address) -> bool:
        identities = {each.address for box in self.boxes.values() for each in box.identities}
        return address in {*self.boxes, *identities} or (address in self.lists and not self.lists[address].ours)

    def _serve_lists(self) -> None:
        for key in sorted({*self.policy.lists, *self.members}):
            members = frozenset(
                citizen.address
                for citizen in self.citizens.values()
                if key in citizen.groups and citizen.address and citizen.exists
            )
            if members != self.members.get(key):  # else nobody looks
                self.members[key] = members
                self._write(key)

    def _write(self, key: SharedKey) -> None:
        wanted = desired(SharedView(key, self.members[key]), self.policy, self.now).state
        observed = self.lists.get(key, ObservedRewrite(None) if is_rewrite(key) else ObservedShared(None))
        self.lists[key] = apply_steps(plan_shared(bare(key), wanted, observed).steps, observed)

    def reconcile(self) -> None:
        """Look at everybody's mail again."""
        for citizen in self.citizens.values():
            citizen.served = None
        self.settle()
        for key in self.members:
            self._write(key)

    def _suffer(self, what: ByHand) -> None:
        domain, kind, local, *_ = what.path.split("/")
        address = Address(f"{local}@{domain}")
        if kind == "aliases":
            assert what.method == "DELETE", "a story cannot do that yet"
            self.lists[address] = ObservedShared(None)
            return
        citizen = next((each for each in self.citizens.values() if address in each.holds), None)
        if citizen is None:
            changed = changed_by_hand(self.boxes.pop(address), what)
            self.boxes.update({address: changed} if changed else {})
        elif citizen.observed.mailbox:
            citizen.observed = replace(citizen.observed, mailbox=changed_by_hand(citizen.observed.mailbox, what))

    def _manager_of(self, citizen: Citizen) -> Manager | None:
        """Return the first in line upwards who can take over."""
        link, met = self.roll.profile(citizen.key).manager, {citizen.key}
        while link is not None and (holder := self.roll.owner.get(link)) is not None and holder not in met:
            profile = self.roll.profile(holder)
            view = self.citizens[holder].view(profile, None)
            if takes_over := takeover_address(view, desired(view, self.policy, self.now).state):
                return Manager(takes_over, display_name(profile.facts, self.policy))
            link, met = profile.manager, met | {holder}
        return None

    def _next_due(self, *, before: datetime) -> datetime | None:
        due = (self.decision(self.citizens[key]).valid_until for key in self.roll.people)
        return min((at for at in due if at is not None and at < before - timedelta(seconds=1)), default=None)

    def _differences(self, moment: Moment) -> Iterator[str]:
        if moment.mail is not None and self.mail() != moment.mail:
            yield f"the host holds\n{self.mail()}instead of\n{moment.mail}"
        if moment.needs is not None:
            reasons = self.needs()
            if not are_those(reasons, moment.needs):
                yield f"needs a person: {reasons} instead of {list(moment.needs)}"


def are_those(reasons: list[str], parts: tuple[str, ...]) -> bool:
    """Tell whether these are the reasons of which a moment names parts, each of one."""
    return len(reasons) == len(parts) and all(
        part in reason for part, reason in zip(sorted(parts), sorted(reasons), strict=True)
    )
