"""The recorder: hears every attempt on the wire, keeps the lease alive for it, and keeps it for the ledger."""

from dataclasses import dataclass, field
from datetime import timedelta

from worker.execution.context import LEASE, Execution
from worker.migadu import Call, Outcome
from worker.planning.urgency import Urgency
from worker.store import calls, jobs, steps
from worker.store.calls import LimitReached
from worker.store.database import Session, after_commit
from worker.store.jobs import Lease
from worker.store.steps import Attempt


@dataclass(slots=True)
class Recorder:
    """The hooks of one run. ``step_id`` says which step the next attempts belong to; None while observing."""

    execution: Execution
    lease: Lease
    step_id: int | None = None
    attempts: list[Attempt] = field(default_factory=list)
    places: list[int] = field(default_factory=list)

    def before(self, attempt: Call) -> None:  # noqa: ARG002 - the hook's signature
        """Take a place in the call limit, and extend the lease beyond this attempt's deadline.

        Raises LimitReached or LeaseLost, and the call is not sent.
        """
        reached = None
        with self.execution.database.write() as session:
            jobs.hold_lease(session, self.lease, LEASE)
            self._give_back_places(session)
            try:
                self._take_place(session)
            except LimitReached as error:
                reached = error  # raised behind the commit, for what was given back must not be lost
        if reached is not None:
            raise reached

    def after(self, attempt: Call, outcome: Outcome) -> None:
        """Keep the attempt until the next transaction writes it down."""
        self.attempts.append(
            Attempt(
                operation=attempt.operation,
                method=attempt.method,
                started_at=self.execution.clock.now() - timedelta(seconds=outcome.duration_s),
                duration_s=outcome.duration_s,
                status=outcome.status,
                failure=outcome.failure,
                excerpt=outcome.excerpt or None,
                step_id=self.step_id,
            ),
        )

    def flush(self, session: Session) -> None:
        """Write down what was heard since the last time; forgotten here only when that is committed."""
        heard = len(self.attempts)
        steps.add_attempts(session, self.lease.job_id, self.attempts)
        after_commit(session, lambda: self.attempts.__delitem__(slice(heard)))
        self._give_back_places(session)

    def _take_place(self, session: Session) -> None:
        if self.execution.limit is not None:
            kept = 0 if self.lease.urgency == Urgency.REVOCATION else self.execution.limit.reserve
            self.places.append(calls.take(session, self.execution.limit, kept=kept))

    def _give_back_places(self, session: Session) -> None:
        if self.execution.limit is not None and self.places:
            answered = len(self.places)
            calls.answered(session, self.places, self.execution.limit)
            after_commit(session, lambda: self.places.__delitem__(slice(answered)))
