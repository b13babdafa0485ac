"""A domain's lane: read all its addresses into the ledger, so that nobody is given one that somebody has.

And whether the account has the domain at all: of what is in one that is gone the host says no more than that it is not
there.
"""

from datetime import datetime, timedelta

from worker.execution.indexes import Index
from worker.execution.outcomes import Done, Held
from worker.execution.perform import Run
from worker.mail import Address, counted
from worker.migadu import NotFound, aliases_of, domain_at, mailboxes_of
from worker.store import addresses, domains, leases, people

_LOOK_AGAIN = timedelta(hours=1)
"""How often each job that needs a domain looks whether the host has it: two calls each time."""


class DomainGone(LookupError):
    """The mail host's account does not have a domain, or has it no more: nothing in it can be seen or changed."""

    def __init__(self, domain: str) -> None:
        super().__init__(
            f"the mail host has no domain {domain}: add it there, "
            "or mend organisation.domain or [[domains]] in the policy"
        )

    def held(self, now: datetime) -> Held:
        """Return how a run ends that met this: the domain may come back without us, and is then gone on with."""
        return Held(str(self), look_again_at=now + _LOOK_AGAIN)


def require_domain(run: Run, domain: str) -> None:
    """Ask, where something in a domain is not there, whether the domain is. Raises DomainGone, MigaduError."""
    try:
        run.client.show(domain_at(domain))
    except NotFound as error:
        raise DomainGone(domain) from error


def run_domain(run: Run) -> Done:
    """Read a domain's mailboxes with their identities, and its aliases. Raises DomainGone, MigaduError, LeaseLost."""
    found, foreign = read_domain(run, run.lease.subject.key)
    return Done(f"{counted(len(found), 'address')} read, {foreign} of them neither ours nor known before")


def read_domain(run: Run, domain: str) -> tuple[frozenset[Address], int]:
    """Bring the ledger in line with a domain's addresses and have everybody evaluated who waits for one.

    Returns the addresses that exist, and how many of them are foreign and new to us. Raises DomainGone, MigaduError,
    LeaseLost.
    """
    began_at = run.now  # an address made while we read may be missing in what we read
    found = existing_addresses(run, domain)
    run.execution.indexes.note(domain, Index(began_at, found))
    with run.execution.database.write() as session:
        leases.locked(session, run.lease)
        domains.lock_domain(session, domain)
        addresses.forget_foreign(session, domain, found, run.now)
        foreign = addresses.note_foreign(session, found, run.now)
        domains.set_domain_read(session, domain, began_at)
        run.recorder.flush(session)
    with run.execution.database.write() as session:  # behind the lock, so that it sees whoever was evaluated before it
        people.evaluate_without_address_soon(session, run.now)
    run.execution.bell.ring_apply()
    return found, foreign


def existing_addresses(run: Run, domain: str) -> frozenset[Address]:
    """Return every address of a domain that exists at the host, as two lists show them. Raises as ``read_domain``."""
    try:
        mailboxes = run.client.index(mailboxes_of(domain))
        aliases = run.client.index(aliases_of(domain))
    except NotFound as error:
        raise DomainGone(domain) from error
    identities = (identity.address for mailbox in mailboxes for identity in mailbox.identities)
    return frozenset({mailbox.address for mailbox in mailboxes} | {alias.address for alias in aliases} | {*identities})
