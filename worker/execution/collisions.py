"""Collisions: the host refused, and perhaps an address we reserved is somebody else's there.

Its answers give no reason (`migadu-behaviour.md` 2.5), so the domain is read again and the ledger corrected before
planning once more.
"""

from worker.execution.domain import existing_addresses
from worker.execution.perform import Run
from worker.mail import domain_of
from worker.planning.step import Operation
from worker.store import addresses, jobs, people, steps
from worker.store.addresses import Provenance, Role
from worker.store.states import StepState

_CREATES = (Operation.CREATE_MAILBOX, Operation.CREATE_IDENTITY, Operation.CREATE_ALIAS)


def look_around(run: Run) -> None:
    """Read the domains of refused creations anew and give up what turns out to be somebody else's. Raises MigaduError.

    An identity's reservation is given up and the next name is looked for; a mailbox's own address is left to the rule
    for addresses that exist.
    """
    with run.execution.database.read() as session:
        refused = [
            row
            for row in steps.of_job(session, run.lease.job_id)
            if row.state is StepState.REFUSED and row.operation in _CREATES
        ]
    for row in refused:
        found = existing_addresses(run, domain_of(steps.to_step(row).target))
        with run.execution.database.write() as session:
            if run.lease.subject.person_id is not None:
                people.evaluate_soon(session, [run.lease.subject.person_id], run.now)
            jobs.locked(session, run.lease)
            held = addresses.held(session, steps.to_step(row).target)
            lost = held is not None and held.address in found and held.provenance == Provenance.RESERVED
            if held is not None and lost and held.role == Role.IDENTITY:
                addresses.give_up(session, held, run.now)
            addresses.note_foreign(session, found, run.now)
