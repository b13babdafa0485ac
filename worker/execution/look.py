"""A look at a domain as the mail host shows it now, for whoever only wants to know. Two calls, and never a write."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from worker.execution.context import Execution
from worker.execution.outcomes import heard_of
from worker.mail import Address, Alias, Mailbox, Rewrite, SharedKey, bare, is_rewrite, rewrite_key
from worker.migadu import Call, FailureClass, NotFound, Outcome, aliases_of, mailboxes_of, rewrites_of
from worker.store.budget import Permit
from worker.store.gate import Heard

CALLS_OF_A_LOOK = 2


class UnknownMailDomain(LookupError):
    """The mail host's account has no such domain."""

    def __init__(self, domain: str) -> None:
        super().__init__(lacks(domain))
        self.domain = domain


def lacks(domain: str) -> str:
    """Say that the account has no such domain."""
    return f"the mail host's account has no domain {domain}"


class WriteRefused(RuntimeError):
    """A look was about to change something at the mail host; that is a defect."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a domain holds, or several."""

    mailboxes: dict[Address, Mailbox]
    aliases: dict[Address, Alias]
    rewrites: dict[SharedKey, Rewrite] = field(default_factory=dict)
    """Where they were asked for."""
    lacking: frozenset[str] = frozenset()
    """The domains that were to be looked at and that the mail host's account does not have."""

    @property
    def addresses(self) -> frozenset[Address]:
        """Every address that exists, identities too."""
        return frozenset({*self.mailboxes, *self.aliases, *self.identities()})

    def identities(self) -> dict[Address, Address]:
        """Return every identity with the mailbox that it belongs to."""
        return {each.address: mailbox.address for mailbox in self.mailboxes.values() for each in mailbox.identities}

    def shared(self, key: SharedKey) -> Alias | Rewrite | None:
        """Return what is there of a shared address or a rewrite."""
        return self.rewrites.get(key) if is_rewrite(key) else self.aliases.get(bare(key))


def look_at(execution: Execution, domain: str, *, rewrites: bool = False) -> Seen:
    """Read a domain's mailboxes with their identities, its aliases, and in a third call its rewrites if they matter.

    Takes its calls from the budget, and leaves the reserve alone. Raises UnknownMailDomain, MigaduError, NoCallNow.
    """
    client = execution.connect(_OnlyLooking(execution))
    try:
        mailboxes, aliases = client.index(mailboxes_of(domain)), client.index(aliases_of(domain))
        found = client.index(rewrites_of(domain)) if rewrites else []
    except NotFound as error:
        raise UnknownMailDomain(domain) from error
    return Seen(
        {each.address: each for each in mailboxes},
        {each.address: each for each in aliases},
        {rewrite_key(f"{each.name}@{each.domain}"): each for each in found},
    )


def seen_together(looks: Iterable[Seen]) -> Seen:
    """Join what several domains hold."""
    mailboxes: dict[Address, Mailbox] = {}
    aliases: dict[Address, Alias] = {}
    rewrites: dict[SharedKey, Rewrite] = {}
    lacking: set[str] = set()
    for seen in looks:
        mailboxes |= seen.mailboxes
        aliases |= seen.aliases
        rewrites |= seen.rewrites
        lacking |= seen.lacking
    return Seen(mailboxes, aliases, rewrites, frozenset(lacking))


def count_mailboxes(execution: Execution, domain: str) -> int:
    """Return how many mailboxes a domain has, in one call. Raises as ``look_at``."""
    try:
        return len(execution.connect(_OnlyLooking(execution)).index(mailboxes_of(domain)))
    except NotFound as error:
        raise UnknownMailDomain(domain) from error


@dataclass(slots=True)
class _OnlyLooking:
    """Hooks that share the call budget with every worker and let no write pass."""

    execution: Execution
    permit: Permit | None = None

    def before(self, attempt: Call) -> None:
        """Take the right to make this call."""
        if attempt.is_write:
            raise WriteRefused(f"{attempt.operation} during a look")
        with self.execution.database.write() as session:
            self.permit = self.execution.budget.take(session, is_revocation=False)

    def after(self, attempt: Call, outcome: Outcome) -> None:  # noqa: ARG002 - the hook's signature
        """Say what came of it. A refused account is the looker's, who may have another key than the workers."""
        assert self.permit is not None, "a call that was answered was let through"
        heard = Heard.NOTHING if outcome.failure is FailureClass.ACCOUNT else heard_of(outcome)
        with self.execution.database.write() as session:
            self.execution.budget.answered(session, self.permit, heard)
