"""Erasing a person: no call is made for it, and it cannot be undone, so the stored events are asked first.

It is a step all the same, so that the brake on deletions counts it: a policy that begins to erase makes many due at
once.
"""

from worker.execution.agreement import ask, unagreed
from worker.execution.calls import Secrets
from worker.execution.evidence import agrees_on_erasure
from worker.execution.outcomes import Done, Held, Outcome
from worker.execution.perform import Order, Run, intend
from worker.mail import Address
from worker.planning.plan import Plan
from worker.planning.step import Brake, Operation, Step
from worker.policy import Policy
from worker.roster import erased_until
from worker.store import addresses, audit, forgetting, jobs, leases, merges, people, steps
from worker.store.database import Session
from worker.store.states import StepState
from worker.store.tables import StepRow

_ACTOR = "mailroster"
_NO_EVIDENCE = "the stored events do not agree that this person is to be erased"


def erasure_of(session: Session, person_id: int) -> Plan:
    """Return the one step that erases a person.

    Its target is that of the deletion before it, so that a brake counts a person once within its window.
    """
    former = addresses.former_primaries(session, person_id)
    target = former[0] if former else Address(f"person {person_id}")
    return Plan((Step(Operation.ERASE_PERSON, target, before={}, after={}, brake=Brake.DELETE),))


def erase(run: Run, policy: Policy, source: str) -> Outcome:
    """Remove everything personal of the person of this lane, if what was ever accepted about them asks for it.

    ``source``: whose statement caused it, by which brakes count. Raises LeaseLost. In a dry run nothing is removed.
    """
    person_id = run.lease.subject.person_id
    assert person_id is not None
    with run.execution.database.read() as session:
        if not run.execution.dry_run and not agrees_on_erasure(
            session, run.execution.precedence, person_id, policy, run.now
        ):
            return Held(_NO_EVIDENCE)
        plan, job = erasure_of(session, person_id), jobs.get(session, run.lease.job_id)
        lacking = unagreed(session, run, plan, job.approved_hash if job else None)
    if lacking is not None:
        return ask(run, lacking)
    with run.execution.database.write() as session:
        order = Order(plan, policy, Secrets(run.execution.random_password), source)
        intended = intend(session, run, leases.locked(session, run.lease), order)
    if isinstance(intended, Held):
        return intended
    with run.execution.database.write() as session:
        for each in (*merges.merged_with(session, person_id), person_id):
            forgetting.forget_elsewhere(session, each)
    with run.execution.database.write() as session:
        people.lock_linking(session)  # the order of locks is that of ``intake.apply``
        forgetting.lock_records(session, person_id)
        people.lock(session, person_id)
        leases.locked(session, run.lease)
        run.recorder.flush(session)
        return _erase(session, run, person_id, policy, intended.rows)


def _erase(session: Session, run: Run, person_id: int, policy: Policy, intended: list[StepRow]) -> Outcome:
    precedence, now = run.execution.precedence, run.now
    if steps.unsettled(session, run.lease.job_id):
        return Held("a call about this person was never answered: it must be settled before they are erased")
    if not agrees_on_erasure(session, precedence, person_id, policy, now):
        return Held(_NO_EVIDENCE)
    until = erased_until(people.load(session, person_id), precedence) or now
    for row in (steps.get(session, each.id) for each in intended):
        steps.set_state(row, StepState.SENT, now)
        steps.set_state(row, StepState.CONFIRMED, now)
    for each in (*merges.merged_with(session, person_id), person_id):
        forgetting.forget_person(session, people.lock(session, each), until, now)
    detail = {"job": run.lease.job_id}
    audit.record(session, _ACTOR, "person.erase", f"person {person_id}", detail, now)
    return Done(forgetting.ERASED)
