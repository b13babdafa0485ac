"""Handing over: the forwarding of a leaver's mailbox, and the aliases at a person's addresses.

Only what we made is ever changed or deleted. No step here has a brake: a forwarding can be taken back, and aliases and
releases follow a deletion that passed its own brake, so that counting them again would stop the same people twice.
"""

from collections.abc import Iterator

from worker.mail import Address, Alias, Mailbox
from worker.planning.observed import ObservedPerson
from worker.planning.step import Operation, Step, StepFields
from worker.policy.state import NoMailbox, WantedMailbox


def forwarding_steps(desired: WantedMailbox, mailbox: Mailbox, observed: ObservedPerson) -> Iterator[Step]:
    """Yield the steps that have what arrives sent to whoever stands in, and to nobody else by our doing.

    The former one goes first: the ledger knows one forwarding as ours, and mail that arrives in between stays in the
    mailbox.
    """
    found = {forwarding.address for forwarding in mailbox.forwardings}
    former, wanted = observed.forwards_to, desired.forward_to
    if former is not None and former != wanted and former in found:
        yield Step(Operation.DELETE_FORWARDING, former, before={}, after={}, mailbox=mailbox.address)
    if wanted is not None and wanted not in found:
        yield Step(Operation.CREATE_FORWARDING, wanted, before={}, after={}, mailbox=mailbox.address)


def unconfirmed(desired: WantedMailbox, mailbox: Mailbox) -> Address | None:
    """Return where a wanted forwarding leads that its recipient has not confirmed, so that no mail flows yet."""
    waits = (each.address for each in mailbox.forwardings if each.confirmed_at is None)
    return next((address for address in waits if address == desired.forward_to), None)


def confirmation_needed(mailbox: Address, to: Address) -> str:
    """Return the sentence that says which confirmation a forwarding waits for."""
    return (
        f"{mailbox} forwards to {to} only when the confirmation is opened that the mail host has sent there, "
        "because it is on no active domain of the account"
    )


def own_alias_steps(desired: WantedMailbox, mailbox: Address, observed: ObservedPerson) -> Iterator[Step]:
    """Yield the steps that have a person's own aliases name the mailbox. Those that are not wanted stay."""
    for address in sorted(desired.aliases - {mailbox}):
        yield from _alias_step(address, mailbox, observed)


def alias_in_the_way(address: Address, observed: ObservedPerson) -> Iterator[Step]:
    """Yield the deletion of an alias of ours that stands where a mailbox or an identity is to be."""
    alias = _standing(observed).get(address)
    if alias is not None and address in observed.our_aliases:
        yield _deletion(alias)


def hand_over_steps(desired: NoMailbox, observed: ObservedPerson) -> Iterator[Step]:
    """Yield what becomes of the addresses once the mailbox is gone: aliases for whoever stands in, or released."""
    if desired.to is not None:
        for address in sorted(desired.aliases):
            yield from _alias_step(address, desired.to, observed)
    standing = _standing(observed)
    for address in sorted(standing.keys() & observed.our_aliases - desired.aliases - desired.kept):
        yield _deletion(standing[address])
    if desired.release:
        for address in sorted(observed.held):
            yield Step(Operation.RELEASE_ADDRESS, address, before={}, after={})


def foreign_aliases(wanted: frozenset[Address], observed: ObservedPerson) -> str | None:
    """Return the sentence about wanted aliases in whose place others stand; None where there are none."""
    foreign = sorted(wanted & _standing(observed).keys() - observed.our_aliases)
    if not foreign:
        return None
    return (
        f"{', '.join(foreign)}: an alias that was not made here stands there, and is not touched; delete it at the host"
    )


def _alias_step(address: Address, to: Address, observed: ObservedPerson) -> Iterator[Step]:
    alias, after = _standing(observed).get(address), _listed(frozenset({to}))
    if alias is None:
        yield Step(Operation.CREATE_ALIAS, address, before={}, after=after)
    elif address in observed.our_aliases and alias.destinations != {to}:
        yield Step(Operation.UPDATE_ALIAS, address, _listed(alias.destinations), after)


def _deletion(alias: Alias) -> Step:
    return Step(Operation.DELETE_ALIAS, alias.address, _listed(alias.destinations), after={})


def _standing(observed: ObservedPerson) -> dict[Address, Alias]:
    return {alias.address: alias for alias in observed.aliases}


def _listed(destinations: frozenset[Address]) -> StepFields:
    return {"destinations": tuple(sorted(destinations))}
