"""A domain's lane: read all its addresses into the ledger, so that nobody is given one that somebody has."""

from worker.execution.outcomes import Done, Held, Outcome
from worker.execution.perform import Run
from worker.mail import Address
from worker.migadu import NotFound
from worker.store import addresses, jobs, people


def run_domain(run: Run) -> Outcome:
    """Read a domain's mailboxes with their identities, and its aliases. Raises MigaduError, LeaseLost."""
    domain = run.lease.subject.key
    began_at = run.now  # an address made while we read may be missing in what we read
    try:
        found = existing_addresses(run, domain)
    except NotFound:
        return Held(f"the mail host has no domain {domain}: add it there, or mend organisation.domain in the policy")
    with run.execution.database.write() as session:
        people.evaluate_without_address_soon(session, run.now)
        jobs.locked(session, run.lease)
        foreign = addresses.note_foreign(session, found, run.now)
        addresses.set_domain_read(session, domain, began_at)
        run.recorder.flush(session)
    run.execution.bell.ring_apply()
    return Done(f"{len(found)} addresses read, {foreign} of them neither ours nor known before")


def existing_addresses(run: Run, domain: str) -> frozenset[Address]:
    """Return every address of a domain that exists at the host, as two lists show them. Raises MigaduError."""
    mailboxes = run.client.mailboxes(domain)
    aliases = run.client.aliases(domain)
    identities = (identity.address for mailbox in mailboxes for identity in mailbox.identities)
    return frozenset({mailbox.address for mailbox in mailboxes} | {alias.address for alias in aliases} | {*identities})
