"""Reconcile: find what a domain holds otherwise than is wanted, keep the findings, and queue repairs if asked to.

It reads the domain's lists and nothing per person, and compares in pages, so that a large domain takes no more memory
than its lists. Nothing is written to the mail host here: repairs are jobs like any other, with their brakes and ledger.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from worker.execution.compare import Compared, Scene, compare_people, compare_shared, unmanaged, unmanaged_rewrites
from worker.execution.context import Execution
from worker.execution.look import look_at
from worker.mail import SharedKey, bare, domain_of
from worker.planning.urgency import Urgency
from worker.policy import DriftAction, Policy, load_policy
from worker.store import addresses, audit, drift, jobs, shared_addresses
from worker.store.database import Session
from worker.store.drift import Found
from worker.store.policies import active_policy

K = TypeVar("K", bound=SharedKey)
PAGE = 500
"""So many subjects are compared at once."""
_MOST_BELLS = 100


class NothingToReconcileBy(RuntimeError):
    """No policy is active yet, or it does not speak of that domain."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What one reconcile did; what it found is in the store."""

    domain: str
    people: int
    """How many people were compared."""
    shared: int
    """How many shared addresses and rewrites were compared."""
    queued: int
    """How many subjects got a job that repairs them."""


def domains_of(execution: Execution) -> tuple[str, ...]:
    """Return the domains that the active policy speaks of. Raises NothingToReconcileBy without one."""
    return _policy(execution).mail_domains


def reconcile(execution: Execution, domain: str, *, repair_for: str | None = None) -> Reconciled:
    """Compare a domain with what is wanted, and keep what differs instead of what was found before.

    ``repair_for``: who asked for repairs, as the audit names them; None: nothing is queued. Raises
    NothingToReconcileBy, UnknownMailDomain, MigaduError, NoCallNow.
    """
    policy = _policy(execution)
    if domain not in domains_of(execution):
        raise NothingToReconcileBy(f"{domain} is not a domain of the active policy")
    read_at = execution.clock.now()
    scene = Scene(policy, execution.precedence, look_at(execution, domain, rewrites=True), read_at)
    with execution.database.write() as session:
        keeping = _Keeping(execution, drift.begin(session, domain, read_at), repairing=repair_for is not None)
    people = keeping.keep_all(_of_people(execution, scene, domain))
    shared = keeping.keep_all(_of_shared(execution, scene, domain))
    keeping.keep_unmanaged(scene)
    with execution.database.write() as session:
        drift.finish(session, keeping.reading_id, people=people, shared=shared, now=execution.clock.now())
        if repair_for is not None:
            audit.record(session, repair_for, "drift.repair", domain, {"jobs": keeping.queued}, execution.clock.now())
    for _ in range(min(keeping.queued, _MOST_BELLS)):
        execution.bell.ring_run()
    return Reconciled(domain, people, shared, keeping.queued)


def _policy(execution: Execution) -> Policy:
    with execution.database.read() as session:
        active = active_policy(session)
    if active is None:
        raise NothingToReconcileBy("no policy is active yet: start a worker once")
    return load_policy(active[1])


def _of_people(execution: Execution, scene: Scene, domain: str) -> Iterator[list[Compared]]:
    last = 0
    while True:
        with execution.database.read() as session:
            page = addresses.holders(session, domain, after=last, limit=PAGE)
            if not page:
                return
            compared = list(compare_people(session, scene, page))
        yield compared
        last = page[-1]


def _of_shared(execution: Execution, scene: Scene, domain: str) -> Iterator[list[Compared]]:
    with execution.database.read() as session:
        by_policy = {key for key in scene.policy.lists if domain_of(bare(key)) == domain}
        everything = sorted({*shared_addresses.in_domain(session, domain), *by_policy})
    for page in _paged(everything):
        with execution.database.read() as session:
            compared = list(compare_shared(session, scene, page))
        yield compared


def _paged(everything: Sequence[K]) -> Iterator[Sequence[K]]:
    return (everything[start : start + PAGE] for start in range(0, len(everything), PAGE))


@dataclass(slots=True)
class _Keeping:
    """Writes findings down, a page in a transaction, and queues the repairs in the same."""

    execution: Execution
    reading_id: int
    repairing: bool
    queued: int = 0

    def keep_all(self, pages: Iterable[Sequence[Compared]]) -> int:
        """Keep what was found of some subjects. Returns how many were compared."""
        return sum(self._keep(page) for page in pages)

    def keep_unmanaged(self, scene: Scene) -> None:
        """Keep what is neither ours nor known."""
        for page in _paged(sorted(scene.seen.addresses)):
            with self.execution.database.read() as session:
                found = [Found(finding) for finding in unmanaged(session, scene, page)]
            self._add(found)
        with self.execution.database.read() as session:
            found = [Found(finding) for finding in unmanaged_rewrites(session, scene)]
        self._add(found)

    def _add(self, found: list[Found]) -> None:
        if found:
            with self.execution.database.write() as session:
                drift.add(session, self.reading_id, found)

    def _keep(self, page: Sequence[Compared]) -> int:
        news = [agreed for each in page for agreed in each.agreed]
        drifted = [each for each in page if each.findings]
        if news or drifted:
            with self.execution.database.write() as session:
                drift.note_agreed(session, news)
                for each in drifted:
                    drift.add(session, self.reading_id, self._found(session, each))
        return len(page)

    def _found(self, session: Session, each: Compared) -> list[Found]:
        repairs = any(finding.action is DriftAction.REPAIR for finding in each.findings)
        job_id = each.job_id
        if self.repairing and repairs and job_id is None:
            job_id = jobs.refresh(session, each.subject, urgency=Urgency.DRIFT, now=self.execution.clock.now())
            self.queued += 1
        return [
            Found(finding, each.subject, job_id if finding.action is DriftAction.REPAIR else None, each.note)
            for finding in each.findings
        ]
