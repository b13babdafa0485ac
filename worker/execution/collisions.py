"""Collisions: the host refused, and perhaps an address we reserved is somebody else's there.

Its answers give no reason (`migadu-behaviour.md` 2.5), so the domain is read again and the ledger corrected before
planning once more.
"""

from worker.execution.domain import read_domain
from worker.execution.perform import CREATIONS, Run
from worker.mail import Address, domain_of
from worker.planning.step import ON_REWRITES
from worker.store import addresses, leases, people, steps
from worker.store.addresses import Provenance
from worker.store.states import StepState

_OF_ADDRESSES = frozenset(CREATIONS) - ON_REWRITES
"""Names of rewrites are no addresses: whose such a name is, its lane sees when it looks again."""


def look_around(run: Run) -> None:
    """Read the domains of refused creations anew and give up what turns out to be somebody else's. Raises MigaduError.

    What follows is as if it had been known before: the next name, a hold, or an adoption, as the policy says.
    """
    with run.execution.database.read() as session:
        refused = [
            steps.to_step(row).target
            for row in steps.of_job(session, run.lease.job_id)
            if row.state is StepState.REFUSED and row.operation in _OF_ADDRESSES and row.fence == run.lease.fence
        ]
    found = frozenset[Address]().union(*(read_domain(run, domain)[0] for domain in {*map(domain_of, refused)}))
    for target in refused:
        if target in found:
            _give_up(run, target)


def _give_up(run: Run, target: Address) -> None:
    with run.execution.database.write() as session:
        if run.lease.subject.person_id is not None:
            people.evaluate_soon(session, [run.lease.subject.person_id], run.now)
        leases.locked(session, run.lease)
        held = addresses.held(session, target)
        if held is not None and held.provenance == Provenance.RESERVED:
            addresses.give_up(session, held, run.now)
