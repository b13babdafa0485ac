"""A story played by the pure rooms alone: a town of people, a ledger of addresses and a mail host, all as values.

It does what intake and execution do, without database, network or processes, so it also says what they are for.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.stories.mail import lines_of
from tests.stories.story import Moment, Story, Told
from worker.events import parse_event
from worker.mail import Address, Mailbox, SharedKey, bare, domain_of, is_rewrite, local_part_of
from worker.planning import Operation, apply_steps, plan_person, plan_shared
from worker.planning.observed import ObservedPerson, ObservedRewrite, ObservedShared
from worker.policy import (
    Decision,
    DesiredPerson,
    NoUsableName,
    PersonView,
    Policy,
    SharedView,
    UnknownDomain,
    candidates,
    desired,
    load_policy,
    needs_address,
)
from worker.roster import Person, Profile, Record, fold, profile

PRECEDENCE = {"hr": 10, "it": 5}
_MOST_ROUNDS = 100
_AS_MADE: dict[str, Any] = {
    "may_send": True,
    "may_receive": True,
    "may_access_imap": True,
    "may_access_pop3": True,
    "may_access_managesieve": False,
    "is_internal": False,
}
"""What the host gives a new mailbox that says nothing else (`migadu-behaviour.md` 5)."""


def play(story: Story) -> list[str]:
    """Play a story; returns what was otherwise than it says, each with its instant. Empty: all as told."""
    town = Town(load_policy(story.policy))
    return [difference for moment in story.moments for difference in town.at(moment)]


@dataclass(slots=True)
class _Citizen:
    """A person, what they hold, and what the host shows of it."""

    records: dict[str, Record] = field(default_factory=dict)
    address: Address | None = None
    identities: frozenset[Address] = frozenset()
    observed: ObservedPerson = field(default_factory=lambda: ObservedPerson(None))
    blocked_at: datetime | None = None
    groups: frozenset[SharedKey] = frozenset()


class Town:
    """Everybody of a story, and their mail."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.now = datetime.min.replace(tzinfo=UTC)
        self.citizens: dict[str, _Citizen] = {}
        self.lists: dict[SharedKey, ObservedShared | ObservedRewrite] = {}
        self.given_up: dict[Address, tuple[str, datetime]] = {}

    def at(self, moment: Moment) -> list[str]:
        """Live until a moment, hear what is told then, do what follows, and look."""
        while (due_at := self._next_due(before=moment.at)) is not None:
            self.now = due_at
            self._settle()
        self.now = moment.at
        for told in moment.told:
            self._hear(told)
        self._settle()
        return [f"{moment.at:%Y-%m-%d %H:%M} UTC: {each}" for each in self._differences(moment)]

    def mail(self) -> str:
        """Return what the host holds, in lines."""
        return lines_of(self._state())

    def _hear(self, told: Told) -> None:
        event = parse_event(dict(told.document), now=self.now)
        citizen = self.citizens.setdefault(event.subject, _Citizen())
        record = citizen.records.get(told.source, Record(told.source, event.subject))
        citizen.records[told.source] = fold(record, event, self.now)

    def _settle(self) -> None:
        for _ in range(_MOST_ROUNDS):
            before = self.mail()
            for key in self.citizens:
                self._serve(key)
            self._serve_groups()
            if self.mail() == before:
                return
        raise AssertionError("the town does not come to rest")

    def _serve(self, key: str) -> None:
        citizen = self.citizens[key]
        self._hold_address(key)
        decision = self._decision(key)
        citizen.groups = decision.state.groups
        plan = plan_person(decision.state.mailbox, citizen.observed)
        citizen.observed = _as_the_host_shows(apply_steps(plan.steps, citizen.observed), citizen.observed)
        operations = {step.operation for step in plan.steps}
        if Operation.BLOCK_MAILBOX in operations:
            citizen.blocked_at = self.now
        if operations & {Operation.REOPEN_MAILBOX, Operation.DELETE_MAILBOX}:
            citizen.blocked_at = None

    def _serve_groups(self) -> None:
        for key in sorted({*self.policy.lists, *self.lists}):
            members = frozenset(
                citizen.address
                for citizen in self.citizens.values()
                if key in citizen.groups and citizen.address and citizen.observed.mailbox
            )
            wanted = desired(SharedView(key, members), self.policy, self.now).state
            nothing = ObservedRewrite(None) if is_rewrite(key) else ObservedShared(None)
            observed = self.lists.get(key, nothing)
            self.lists[key] = apply_steps(plan_shared(bare(key), wanted, observed).steps, observed)

    def _hold_address(self, key: str) -> None:
        citizen, view = self.citizens[key], self._view(key)
        if not needs_address(view, self.policy, self.now):
            return
        try:
            free = (each for each in candidates(view.profile.facts, self.policy) if self._is_free(each, key))
            found = next(free, None)
        except (NoUsableName, UnknownDomain):
            return
        if found is not None and citizen.address is None:
            citizen.address = found
        elif found is not None:
            citizen.identities |= {found}

    def _is_free(self, address: Address, key: str) -> bool:
        if any(address in {each.address, *each.identities} for each in self.citizens.values()):
            return False
        former, until = self.given_up.get(address, (key, self.now))
        return former == key or until <= self.now

    def _view(self, key: str) -> PersonView:
        citizen = self.citizens[key]
        return PersonView(
            profile=self._profile(key),
            address=citizen.address,
            identities=citizen.identities,
            mailbox_exists=citizen.observed.mailbox is not None,
            blocked_at=citizen.blocked_at,
        )

    def _profile(self, key: str) -> Profile:
        return profile(Person(key, tuple(self.citizens[key].records.values())), PRECEDENCE)

    def _decision(self, key: str) -> Decision[DesiredPerson]:
        return desired(self._view(key), self.policy, self.now)

    def _next_due(self, *, before: datetime) -> datetime | None:
        due = (self._decision(key).valid_until for key in self.citizens)
        return min((at for at in due if at is not None and at < before - timedelta(seconds=1)), default=None)

    def _differences(self, moment: Moment) -> Iterator[str]:
        if moment.mail is not None and self.mail() != moment.mail:
            yield f"the host holds\n{self.mail()}instead of\n{moment.mail}"

    def _state(self) -> dict[str, Any]:
        boxes = [citizen.observed.mailbox for citizen in self.citizens.values() if citizen.observed.mailbox]
        aliases = [each.alias for each in self.lists.values() if isinstance(each, ObservedShared) and each.alias]
        rewrites = [each.rewrite for each in self.lists.values() if isinstance(each, ObservedRewrite) and each.rewrite]
        domains = sorted(
            {*(domain_of(each.address) for each in (*boxes, *aliases)), *(each.domain for each in rewrites)}
        )
        return {
            "domains": [
                {
                    "name": domain,
                    "mailboxes": [_mailbox(each) for each in boxes if domain_of(each.address) == domain],
                    "aliases": [
                        {
                            "address": each.address,
                            "destinations": each.destinations,
                            "is_internal": each.fields.get("is_internal"),
                        }
                        for each in aliases
                        if domain_of(each.address) == domain
                    ],
                    "rewrites": [
                        {
                            "name": each.name,
                            "local_part_rule": each.local_part_rule,
                            "destinations": each.destinations,
                        }
                        for each in rewrites
                        if each.domain == domain
                    ],
                }
                for domain in domains
            ]
        }


def _as_the_host_shows(after: ObservedPerson, before: ObservedPerson) -> ObservedPerson:
    if after.mailbox is None or before.mailbox is not None:
        return after
    return replace(after, mailbox=replace(after.mailbox, fields={**_AS_MADE, **after.mailbox.fields}))


def _mailbox(box: Mailbox) -> dict[str, Any]:
    fields = {name: box.fields.get(name) for name in ("autorespond_active", "autorespond_subject", "footer_active")}
    return {
        **_AS_MADE,
        **fields,
        **box.fields,
        "address": box.address,
        "local_part": local_part_of(box.address),
        "name": box.name,
        "identities": [{"address": each.address, "name": each.name} for each in box.identities],
        "forwardings": [{"address": each.address, "confirmed_at": "now"} for each in box.forwardings],
    }
