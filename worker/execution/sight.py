"""Sight: what a person's lane sees at the mail host, and the same joined with what the ledger knows.

A mailbox is one call. Its forwardings and the person's aliases are asked for only where something is wanted of them or
was made by us: most people have none, and calls are the scarce thing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from worker.execution.asking import found_at
from worker.execution.perform import Run
from worker.mail import DOORS, Address, Alias, FieldValue, Forwarding, Identity, Mailbox, domain_of
from worker.migadu import Transient, alias_at, aliases_of, forwardings_of
from worker.planning.observed import ClosedLogin, ObservedPerson
from worker.planning.step import ON_ALIASES, ON_FORWARDINGS, Operation, Step
from worker.policy import NoMailbox, PersonView, Policy, WantedMailbox, desired
from worker.store import addresses
from worker.store.addresses import Role
from worker.store.database import Session
from worker.store.tables import AddressRow

_ON_IDENTITIES = (
    Operation.CREATE_IDENTITY,
    Operation.UPDATE_IDENTITY,
    Operation.DELETE_IDENTITY,
    Operation.BLOCK_IDENTITY,
    Operation.SUSPEND_IDENTITY,
    Operation.REOPEN_IDENTITY,
)
_AUTOREPLY_ENDS, _AUTOREPLY_IS_ON = "autorespond_expires_on", "autorespond_active"


@dataclass(frozen=True, slots=True)
class Sight:
    """What was found at the host."""

    mailbox: Mailbox | None
    """With all its forwardings, if these were looked for."""
    aliases: dict[Address, Alias] = field(default_factory=dict)
    looked_at: frozenset[Address] = frozenset()
    """Where aliases were looked for."""
    forwardings_known: bool = False
    seen_free_at: datetime | None = None
    """When what was not found was found missing."""

    @property
    def addresses(self) -> frozenset[Address]:
        """The further addresses that were found: identities, and aliases where these were looked for."""
        identities = self.mailbox.identities if self.mailbox is not None else ()
        return frozenset({*self.aliases, *(identity.address for identity in identities)})

    def place_of(self, step: Step) -> Mailbox | Identity | Alias | Forwarding | None:
        """Return what stands in the place of a step; None where nothing does."""
        if step.operation in ON_ALIASES:
            return self.aliases.get(step.target)
        if self.mailbox is None:
            return None
        if step.operation in _ON_IDENTITIES:
            return next((each for each in self.mailbox.identities if each.address == step.target), None)
        if step.operation in ON_FORWARDINGS:
            return next((each for each in self.mailbox.forwardings if each.address == step.target), None)
        return self.mailbox


@dataclass(frozen=True, slots=True)
class Places:
    """Where a lane looks besides the mailbox."""

    aliases: frozenset[Address] = frozenset()
    """Addresses of the person at which an alias is wanted, or is or may be ours."""
    forwardings: bool = False
    """A forwarding is wanted, or is or may be ours."""

    def calls(self, *, mailbox_exists: bool) -> int:
        """Return how many calls it takes to look there."""
        of_aliases = 1 if len(self.aliases) == 1 else len({*map(domain_of, self.aliases)})
        return of_aliases + (self.forwardings and mailbox_exists)


def places_of(
    view: PersonView, policy: Policy, rows: Sequence[AddressRow], unsettled: Sequence[Step], now: datetime
) -> Places:
    """Return where to look for a person, whether the mailbox turns out to be there or not."""
    states = [desired(replace(view, mailbox_exists=exists), policy, now).state.mailbox for exists in (True, False)]
    wanted = (state.aliases for state in states if isinstance(state, WantedMailbox | NoMailbox))
    tried = frozenset(step.target for step in unsettled if step.operation in ON_ALIASES)
    return Places(
        aliases=tried | view.redirected | (view.aliases & view.received) | frozenset[Address]().union(*wanted),
        forwardings=any(isinstance(state, WantedMailbox) and state.forward_to for state in states)
        or any(row.forwards_to for row in rows)
        or any(step.operation in ON_FORWARDINGS for step in unsettled),
    )


def see(run: Run, mailbox: Mailbox | None, places: Places, seen_free_at: datetime) -> Sight:
    """Look at these places beside a mailbox that was looked at already. Raises MigaduError."""
    if mailbox is not None and places.forwardings:
        mailbox = replace(mailbox, forwardings=_forwardings(run, mailbox))
    return Sight(
        mailbox,
        _aliases_at(run, places.aliases),
        looked_at=places.aliases,
        forwardings_known=places.forwardings,
        seen_free_at=seen_free_at,
    )


def _forwardings(run: Run, mailbox: Mailbox) -> frozenset[Forwarding]:
    """Return the forwardings of a mailbox: listed, or as it shows them itself where just that list answers 500.

    What it shows itself may lack some (`migadu-behaviour.md` 1.3); but its doors must not stay open for that.
    """
    try:
        return frozenset(run.client.index(forwardings_of(mailbox.address)))
    except Transient as error:
        if not error.is_of_the_object:
            raise
        return mailbox.forwardings


def _aliases_at(run: Run, places: frozenset[Address]) -> dict[Address, Alias]:
    if len(places) == 1:
        (place,) = places
        alias = found_at(run, alias_at(place))
        return {place: alias} if alias is not None else {}
    found = (alias for domain in sorted({*map(domain_of, places)}) for alias in run.client.index(aliases_of(domain)))
    return {alias.address: alias for alias in found if alias.address in places}


def correct_ledger(session: Session, rows: Sequence[AddressRow], sight: Sight, now: datetime) -> frozenset[Address]:
    """Forget what the ledger holds for there and the host does not show: it was deleted behind our back.

    ``rows``: what a person holds. Returns the promised aliases that turned out to be somebody else's: given up.
    """
    for row in rows:
        if row.role == Role.PRIMARY:
            _correct_primary(row, sight)
        if row.alias_to and row.address in sight.looked_at and row.address not in sight.aliases:
            row.alias_to = None
            row.exists_since = None if row.role == Role.ALIAS else row.exists_since
    lost = [row for row in rows if row.role == Role.ALIAS and row.address in sight.aliases and not row.alias_to]
    for row in lost:
        addresses.give_up(session, row, now)
    return frozenset(Address(row.address) for row in lost)


def observed_person(
    session: Session, rows: Sequence[AddressRow], sight: Sight, *, ours: bool, today: date
) -> ObservedPerson:
    """Join what was seen with what the ledger knows of a person: ``rows`` are what they hold."""
    inside = [each.address for each in sight.mailbox.identities] if sight.mailbox else []
    return joined(rows, addresses.held_among(session, inside) if inside else {}, sight, ours=ours, today=today)


def joined(
    rows: Sequence[AddressRow], inside: Mapping[Address, AddressRow], sight: Sight, *, ours: bool, today: date
) -> ObservedPerson:
    """Join what was seen with a person's rows of the ledger, and with those of the identities in the mailbox."""
    primary = next((row for row in rows if row.role == Role.PRIMARY), None)
    former = (primary.former_fields if primary else None) or {}
    return ObservedPerson(
        mailbox=sight.mailbox,
        ours=ours,
        sealed=primary is not None and primary.blocked_at is not None,
        former_doors=_doors(former),
        former_autoreply=_autoreply(former, today),
        logins=_logins(inside, sight.mailbox),
        forwards_to=Address(primary.forwards_to) if primary and primary.forwards_to else None,
        aliases=frozenset(sight.aliases.values()),
        our_aliases=frozenset(Address(row.address) for row in rows if row.alias_to),
        held=frozenset(Address(row.address) for row in rows),
    )


def _correct_primary(row: AddressRow, sight: Sight) -> None:
    if sight.mailbox is None:
        row.exists_since = None
    elif (
        row.forwards_to
        and sight.forwardings_known
        and row.forwards_to not in {each.address for each in sight.mailbox.forwardings}
    ):
        row.forwards_to = None


def _logins(inside: Mapping[Address, AddressRow], mailbox: Mailbox | None) -> dict[Address, ClosedLogin]:
    identities = mailbox.identities if mailbox else ()
    rows = [inside[each.address] for each in identities if each.address in inside]
    return {
        Address(row.address): ClosedLogin(sealed=row.blocked_at is not None, former_doors=_doors(row.former_fields))
        for row in rows
        if row.blocked_at is not None or row.former_fields
    }


def _doors(former: dict[str, FieldValue] | None) -> dict[str, FieldValue]:
    return {name: was for name, was in (former or {}).items() if name in DOORS}


def _autoreply(former: dict[str, FieldValue], today: date) -> dict[str, FieldValue]:
    """Return the autoreply to give back. One that has ended meanwhile is off: the host takes no date of the past."""
    kept = {name: was for name, was in former.items() if name not in DOORS}
    ends = kept.get(_AUTOREPLY_ENDS)
    if isinstance(ends, str) and ends <= today.isoformat():
        kept = {name: was for name, was in kept.items() if name != _AUTOREPLY_ENDS} | {_AUTOREPLY_IS_ON: False}
    return kept


def exists_already(address: str) -> str:
    """Return the sentence that stops us at a mailbox that exists and was not made here."""
    return f"{address} exists already and was not made here: adopt it, free it, or state a workEmail"


def not_closed(address: str) -> str:
    """Return the sentence that says of somebody who is to be kept out that a mailbox may be theirs."""
    return (
        f"{address} exists and was not made here, so it was not closed: adopt it if it is theirs, and it will be; "
        "else dismiss this job"
    )
