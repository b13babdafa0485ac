"""Survey: what of some domains could be adopted, worked out from two lists each, the roster and the ledger."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain

from worker.execution.adoption_table import AdoptionRefused, AliasLine, Asked, MailboxLine, Survey
from worker.execution.look import Seen
from worker.execution.newcomers import Newcomers
from worker.mail import Address, Alias, domain_of
from worker.planning.adoption import TAKEN, Proposal, Standing, propose
from worker.planning.likeness import likenesses
from worker.planning.observed import ObservedPerson, ObservedShared
from worker.planning.person import plan_person
from worker.planning.protection import guarded, never_touched
from worker.planning.shared import plan_shared
from worker.planning.step import Operation
from worker.planning.traits import PersonTraits, PolicyAddresses
from worker.policy import DesiredPerson, PersonView, Policy, SharedView, desired, display_name
from worker.roster import EmploymentKind
from worker.store.addresses import is_ours
from worker.store.adoption import is_given_up
from worker.store.given_up import GivenUp
from worker.store.tables import AddressRow

_HERE = ("pending", "active", "suspended", "leaving")
"""Phases of people who should have a mailbox, or soon will."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a survey is made from."""

    people: list[PersonView]
    held: Mapping[Address, AddressRow]
    given_up: GivenUp
    seen: Seen
    policy: Policy
    now: datetime


def survey(known: Known, asked: Asked) -> Survey:
    """Return the table. Deterministic. Raises AdoptionRefused where ``asked`` names what cannot be."""
    people = {int(view.profile.key): view for view in known.people}
    lacking = sorted(key for key, view in people.items() if not view.mailbox_exists and _may_have_one(view))
    traits = _traits(known, [people[key] for key in lacking if not people[key].redirected])
    offered = _offered(known)
    _check_decisions(known, asked, offered, traits)
    found = likenesses(list(traits.values()), [known.seen.mailboxes[each] for each in offered], known.policy)
    proposed = propose(offered, found, minimum=asked.minimum, by_hand=asked.by_hand)
    proposals = (*(_with_others(each, known) for each in proposed), *_of_groups(known))
    taken = {each.address: each.person for each in proposals if each.standing in TAKEN and each.person is not None}
    selected = {at: who for at, who in taken.items() if not asked.only or at in asked.only}
    after = people | {who: _with_mailbox(people[who], known, at, traits[who]) for at, who in selected.items()}
    wanted = {key: desired(view, known.policy, known.now).state for key, view in after.items()}
    boxes = tuple(_mailbox_line(each, selected, after, wanted, known) for each in proposals)
    aliases = tuple(_alias_lines(known, asked, after, wanted))
    _check_selection(asked, boxes, aliases)
    without = [key for key in lacking if key not in taken.values() and wanted[key].phase in _HERE]
    return Survey(
        domains=asked.domains,
        policy_hash=known.policy.hash,
        mailboxes=boxes,
        aliases=aliases,
        without=_without(known, asked, [people[key] for key in without], after, selected.values()),
        names={key: display_name(view.profile.facts, known.policy) for key, view in people.items()},
        memberships={key: state.groups for key, state in wanted.items()},
    )


def _without(
    known: Known, asked: Asked, people: Iterable[PersonView], after: Mapping[int, PersonView], adopting: Iterable[int]
) -> Mapping[int, str]:
    """Return what becomes of those who are matched with no mailbox, in the order of their ids."""
    taken: dict[int | None, frozenset[Address]] = {key: after[key].held for key in adopting}
    held = {
        at: row
        for at, row in known.held.items()
        if row.person_id not in taken or not is_given_up(row, taken[row.person_id])
    }
    newcomers = Newcomers(
        policy=known.policy,
        seen=known.seen,
        held=held,
        given_up=known.given_up,
        now=known.now,
        domains=frozenset(asked.domains),
        taken=set(chain.from_iterable(taken.values())),
    )
    return {int(view.profile.key): newcomers.fate_of(view) for view in people}


def _traits(known: Known, people: Iterable[PersonView]) -> dict[int, PersonTraits]:
    addresses = PolicyAddresses(known.policy)
    return {int(view.profile.key): addresses.traits_of(int(view.profile.key), view.profile.facts) for view in people}


def _may_have_one(view: PersonView) -> bool:
    employment = view.profile.employment
    return (
        employment is not None and employment.kind is not EmploymentKind.JOINING_CANCELLED and not view.profile.purged
    )


def _offered(known: Known) -> list[Address]:
    return sorted(each for each in known.seen.mailboxes if _why_not_offered(known, each) is None)


def _with_others(proposal: Proposal, known: Known) -> Proposal:
    """Say of a mailbox that is taken who loses its address by that, or had it lately."""
    if proposal.person is None:
        return proposal
    row = known.held.get(proposal.address)
    if row is not None and row.person_id not in (None, proposal.person):
        return replace(proposal, reason=f"{proposal.reason}; person {row.person_id} was promised the address")
    span = known.policy.naming.reuse_after
    if known.given_up.barred_until(proposal.address, proposal.person, span.length, known.now):
        return replace(proposal, reason=f"{proposal.reason}; somebody else had the address until less than {span} ago")
    return proposal


def _of_groups(known: Known) -> list[Proposal]:
    """Return the mailboxes that stand where the policy wants a shared address: somebody must mend that."""
    reason = "the policy has a group at this address"
    both = sorted(known.seen.mailboxes.keys() & known.policy.shared.keys())
    return [Proposal(each, Standing.NOBODYS, None, 0, reason) for each in both]


def _why_not_offered(known: Known, address: Address) -> str | None:
    if address in known.policy.protected:
        return never_touched(address)
    if address in known.policy.shared:
        return f"{address} is a group of the policy, so it is nobody's own"
    if address not in known.seen.mailboxes:
        return f"there is no mailbox {address} at the mail host"
    row = known.held.get(address)
    if row is not None and is_ours(row):
        whose = f"person {row.person_id}'s" if row.person_id else "a shared address's"
        return f"{address} is {whose} already"
    return None


def _check_decisions(known: Known, asked: Asked, offered: list[Address], traits: Mapping[int, PersonTraits]) -> None:
    if len(set(asked.by_hand.values())) < len(asked.by_hand):
        raise AdoptionRefused("one person is named for two mailboxes: each has one mailbox at most")
    for address, person in sorted(asked.by_hand.items()):
        if address not in offered:
            raise AdoptionRefused(_why_not_offered(known, address) or f"{address} cannot be adopted")
        if person not in traits:
            raise AdoptionRefused(_why_not_person(known, person))


def _why_not_person(known: Known, person: int) -> str:
    view = next((view for view in known.people if view.profile.key == str(person)), None)
    if view is not None and view.mailbox_exists:
        return f"person {person} has the mailbox {view.address} already"
    if view is not None and view.redirected:
        return f"person {person} has {view.address} still, with an alias of ours in the place of their mailbox"
    return f"person {person} should have no mailbox: nobody says that they work or worked here"


def _with_mailbox(view: PersonView, known: Known, address: Address, traits: PersonTraits) -> PersonView:
    identities = frozenset(each.address for each in known.seen.mailboxes[address].identities)
    return replace(
        view,
        address=address,
        identities=identities,
        adopted=identities,
        received=identities | {address},
        instead_of=traits.first,
        mailbox_exists=True,
    )


def _mailbox_line(
    proposal: Proposal,
    selected: Mapping[Address, int],
    after: Mapping[int, PersonView],
    wanted: Mapping[int, DesiredPerson],
    known: Known,
) -> MailboxLine:
    person = selected.get(proposal.address)
    if person is None:
        phase = wanted[proposal.person].phase if proposal.person is not None else ""
        return MailboxLine(proposal, selected=False, phase=phase)
    observed = ObservedPerson(known.seen.mailboxes[proposal.address])
    return MailboxLine(
        proposal,
        selected=True,
        identities=after[person].identities,
        instead_of=after[person].instead_of,
        plan=guarded(plan_person(wanted[person].mailbox, observed), known.policy.protected, observed.mailbox),
        phase=wanted[person].phase,
    )


def _alias_lines(
    known: Known, asked: Asked, after: Mapping[int, PersonView], wanted: Mapping[int, DesiredPerson]
) -> list[AliasLine]:
    lines = []
    for address in sorted(known.policy.shared.keys() & known.seen.aliases.keys() - known.policy.protected):
        row = known.held.get(address)
        if domain_of(address) in asked.domains and not (row is not None and is_ours(row)):
            members = frozenset(
                view.address
                for key, view in after.items()
                if view.mailbox_exists and view.address and address in wanted[key].groups
            )
            lines.append(_alias_line(known, asked, known.seen.aliases[address], members))
    return lines


def _alias_line(known: Known, asked: Asked, alias: Alias, members: frozenset[Address]) -> AliasLine:
    state = desired(SharedView(alias.address, members), known.policy, known.now).state
    plan = plan_shared(alias.address, state, ObservedShared(alias))
    would_go = any(step.operation is Operation.DELETE_ALIAS for step in plan.steps)
    named = alias.address in asked.only
    standing = Standing.UNDECIDED if would_go and not named else Standing.MATCHED
    selected = named or (not asked.only and not would_go)
    return AliasLine(
        alias.address, alias.destinations, state.destinations or frozenset(), plan, standing, selected=selected
    )


def _check_selection(asked: Asked, boxes: tuple[MailboxLine, ...], aliases: tuple[AliasLine, ...]) -> None:
    known = {line.proposal.address: line.proposal for line in boxes}
    for address in sorted(asked.only - {line.address for line in aliases}):
        proposal = known.get(address)
        if proposal is None:
            raise AdoptionRefused(f"{address} is not in the table, so it cannot be taken over")
        if proposal.standing not in TAKEN:
            raise AdoptionRefused(
                f"{address} needs a decision ({proposal.reason}): say whose it is with --match {address}=PERSON"
            )
