"""A domain's lane: read all its addresses into the ledger, so that nobody is given one that somebody has."""

from datetime import datetime, timedelta

from worker.execution.outcomes import Done, Held, Outcome
from worker.execution.perform import Run
from worker.mail import Address
from worker.migadu import NotFound, aliases_of, mailboxes_of
from worker.store import addresses, domains, leases, people

FRESH_INDEX = timedelta(seconds=50)
"""A domain read so recently shows an address to be free as well as a call of its own would."""


def run_domain(run: Run) -> Outcome:
    """Read a domain's mailboxes with their identities, and its aliases. Raises MigaduError, LeaseLost."""
    domain = run.lease.subject.key
    try:
        found, foreign = read_domain(run, domain)
    except NotFound:
        return Held(
            f"the mail host has no domain {domain}: add it there, "
            "or mend organisation.domain or [[domains]] in the policy"
        )
    return Done(f"{len(found)} addresses read, {foreign} of them neither ours nor known before")


def read_domain(run: Run, domain: str) -> tuple[frozenset[Address], int]:
    """Bring the ledger in line with a domain's addresses and have everybody evaluated who waits for one.

    Returns the addresses that exist, and how many of them are foreign and new to us. Raises MigaduError, LeaseLost.
    """
    began_at = run.now  # an address made while we read may be missing in what we read
    found = existing_addresses(run, domain)
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


def is_stale(read_at: datetime | None, now: datetime) -> bool:
    """Tell whether a domain was read too long ago to show what is free now."""
    return read_at is None or read_at < now - FRESH_INDEX


def existing_addresses(run: Run, domain: str) -> frozenset[Address]:
    """Return every address of a domain that exists at the host, as two lists show them. Raises MigaduError."""
    mailboxes = run.client.index(mailboxes_of(domain))
    aliases = run.client.index(aliases_of(domain))
    identities = (identity.address for mailbox in mailboxes for identity in mailbox.identities)
    return frozenset({mailbox.address for mailbox in mailboxes} | {alias.address for alias in aliases} | {*identities})
