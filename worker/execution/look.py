"""A look at a domain as the mail host shows it now, for whoever only wants to know. Two calls, and never a write."""

from dataclasses import dataclass, field

from worker.execution.context import Execution
from worker.mail import Address, Alias, Mailbox
from worker.migadu import Call, NotFound, Outcome, aliases_of, mailboxes_of
from worker.store import calls

CALLS_OF_A_LOOK = 2


class UnknownMailDomain(LookupError):
    """The mail host's account has no such domain."""


class WriteRefused(RuntimeError):
    """A look was about to change something at the mail host; that is a defect."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a domain holds."""

    mailboxes: dict[Address, Mailbox]
    aliases: dict[Address, Alias]

    @property
    def addresses(self) -> frozenset[Address]:
        """Every address that exists, identities too."""
        identities = {identity.address for mailbox in self.mailboxes.values() for identity in mailbox.identities}
        return frozenset({*self.mailboxes, *self.aliases, *identities})


def look_at(execution: Execution, domain: str) -> Seen:
    """Read a domain's mailboxes with their identities, and its aliases.

    Takes its places in the call limit, and leaves the reserve alone. Raises UnknownMailDomain, MigaduError,
    LimitReached.
    """
    client = execution.connect(_OnlyLooking(execution))
    try:
        mailboxes, aliases = client.index(mailboxes_of(domain)), client.index(aliases_of(domain))
    except NotFound as error:
        raise UnknownMailDomain(f"the mail host's account has no domain {domain}") from error
    return Seen({each.address: each for each in mailboxes}, {each.address: each for each in aliases})


def count_mailboxes(execution: Execution, domain: str) -> int:
    """Return how many mailboxes a domain has, in one call. Raises as ``look_at``."""
    try:
        return len(execution.connect(_OnlyLooking(execution)).index(mailboxes_of(domain)))
    except NotFound as error:
        raise UnknownMailDomain(f"the mail host's account has no domain {domain}") from error


@dataclass(slots=True)
class _OnlyLooking:
    """Hooks that share the call limit with every worker and let no write pass."""

    execution: Execution
    places: list[int] = field(default_factory=list)

    def before(self, attempt: Call) -> None:
        """Take a place in the call limit."""
        if attempt.is_write:
            raise WriteRefused(f"{attempt.operation} during a look")
        if (limit := self.execution.limit) is not None:
            with self.execution.database.write() as session:
                self.places.append(calls.take(session, limit, kept=limit.reserve))

    def after(self, attempt: Call, outcome: Outcome) -> None:  # noqa: ARG002 - the hook's signature
        """Say that the place's call was answered."""
        if (limit := self.execution.limit) is not None:
            with self.execution.database.write() as session:
                calls.answered(session, self.places, limit)
            self.places.clear()
