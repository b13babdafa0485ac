"""Agreement: before what cannot be undone, each source that can be asked is asked anew (`design.md` 3, Time).

Here is only noted whom to ask: whoever hydrates does so, with no lane taken and no transaction open, and the answer
wakes the job. What a source says becomes events, so whether it agrees is what folding anew tells (``evidence``).
Without an answer the job is held until there is one, or until a person goes on without it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from worker.execution.outcomes import Held, Waiting
from worker.execution.perform import Run, show
from worker.planning.plan import Plan
from worker.store import agreement, holds, leases, people
from worker.store.agreement import BEFORE, RecordKey, Stuck
from worker.store.database import Session

_FRESH = timedelta(hours=1)
"""So long an answer counts: enough for calls that wait for the budget."""
_LOOK_AGAIN, _RARELY = timedelta(minutes=1), timedelta(days=1)
"""How often it is looked whether an answer has come that woke nobody: no call is made for it."""


@dataclass(frozen=True, slots=True)
class Unagreed:
    """A plan that cannot be undone, and the records that must be had from their sources before."""

    plan: Plan
    records: tuple[RecordKey, ...]


def unagreed(session: Session, run: Run, plan: Plan, approved_hash: str | None) -> Unagreed | None:
    """Return what stands between a plan and its steps; None where every source has told, or nobody need ask.

    ``approved_hash``: that of the job. In a dry run nobody is asked.
    """
    if run.execution.dry_run or approved_hash == plan.agreed_hash:
        return None
    records = agreement.lacking(session, _askable(session, run), run.now - _FRESH)
    return Unagreed(plan, records) if records else None


def ask(run: Run, found: Unagreed) -> Waiting | Held:
    """Have the sources asked, and wait for them; held where no answer is to be expected soon. Raises LeaseLost."""
    with run.execution.database.write(durable=False) as session:
        job = leases.locked(session, run.lease)
        show(job, found.plan)
        stuck = _ask(session, run, found.records)
        if stuck is not None:
            job.braked_hash = found.plan.agreed_hash
            return _held(stuck, holds.await_agreement(session, stuck.source, run.now), run)
    return _wait(run, found.records)


def ask_ahead(run: Run, *, certain: bool) -> Waiting | None:
    """Wait for sources before the host is looked at in vain; None where the look decides.

    ``certain``: something is to be done that cannot be undone; else only what is asked for already is waited for.
    """
    if run.execution.dry_run or not run.execution.askable:
        return None
    with run.execution.database.read() as session:
        records = agreement.lacking(session, _askable(session, run), run.now - _FRESH)
        if not records or not (certain or agreement.any_asked_for(session, records)):
            return None
    with run.execution.database.write(durable=False) as session:
        leases.locked(session, run.lease)
        if _ask(session, run, records) is not None:
            return None
    return _wait(run, records)


def _askable(session: Session, run: Run) -> Sequence[RecordKey]:
    person_id = run.lease.subject.person_id
    if person_id is None or not run.execution.askable:
        return ()
    stated = people.load(session, person_id).records
    return [(record.source, record.subject) for record in stated if record.source in run.execution.askable]


def _ask(session: Session, run: Run, records: Sequence[RecordKey]) -> Stuck | None:
    """Have each asked for, in one order, as deliveries note hints. Returns the first that is in the way."""
    found = [agreement.ask(session, record, run.now) for record in records]
    return next((stuck for stuck in found if stuck is not None), None)


def _wait(run: Run, records: Sequence[RecordKey]) -> Waiting:
    sources = " and ".join(dict.fromkeys(source for source, _ in records))
    why = f"{BEFORE}, the person's record is asked for once more: of {sources}"
    return Waiting(run.now + _LOOK_AGAIN, why, for_a_record=True)


def _held(stuck: Stuck, hold_id: int, run: Run) -> Held:
    source = stuck.source
    reason = (
        f"{BEFORE}, {source} must say again that it is so, and does not answer: {stuck.why}. "
        f"It goes on with the answer (`mailroster sources retry {source}` asks at once), "
        f"or without it when hold {hold_id} is approved"
    )
    return Held(reason, hold_id=hold_id, look_again_at=run.now + _RARELY)
