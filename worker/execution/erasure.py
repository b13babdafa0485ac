"""Erasing a person: no call is made for it, and it cannot be undone, so the stored events are asked first."""

from worker.execution.evidence import agrees_on_erasure
from worker.execution.outcomes import Done, Held, Outcome
from worker.execution.perform import DRY_RUN, Run
from worker.policy import Policy
from worker.roster import erased_until
from worker.store import audit, forgetting, leases, merges, people, steps
from worker.store.database import Session

_ACTOR = "mailroster"
_NO_EVIDENCE = "the stored events do not agree that this person is to be erased"


def erase(run: Run, policy: Policy) -> Outcome:
    """Remove everything personal of the person of this lane, if what was ever accepted about them asks for it.

    Raises LeaseLost. In a dry run nothing is removed.
    """
    person_id = run.lease.subject.person_id
    assert person_id is not None
    if run.execution.dry_run:
        return Held(DRY_RUN)
    with run.execution.database.read() as session:
        if not agrees_on_erasure(session, run.execution.precedence, person_id, policy, run.now):
            return Held(_NO_EVIDENCE)
    with run.execution.database.write() as session:
        for each in (*merges.merged_with(session, person_id), person_id):
            forgetting.forget_elsewhere(session, each)
    with run.execution.database.write() as session:
        people.lock_linking(session)  # the order of locks is that of ``intake.apply``
        forgetting.lock_records(session, person_id)
        people.lock(session, person_id)
        leases.locked(session, run.lease)
        run.recorder.flush(session)
        return _erase(session, run, person_id, policy)


def _erase(session: Session, run: Run, person_id: int, policy: Policy) -> Outcome:
    precedence, now = run.execution.precedence, run.now
    if steps.unsettled(session, run.lease.job_id):
        return Held("a call about this person was never answered: it must be settled before they are erased")
    if not agrees_on_erasure(session, precedence, person_id, policy, now):
        return Held(_NO_EVIDENCE)
    until = erased_until(people.load(session, person_id), precedence) or now
    for each in (*merges.merged_with(session, person_id), person_id):
        forgetting.forget_person(session, people.lock(session, each), until, now)
    detail = {"job": run.lease.job_id}
    audit.record(session, _ACTOR, "person.erase", f"person {person_id}", detail, now)
    return Done(forgetting.ERASED)
