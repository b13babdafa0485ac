"""The recorder: hears every attempt on the wire, keeps the lease alive for it, and keeps it for the ledger."""

from dataclasses import dataclass, field
from datetime import timedelta

from worker.execution.context import LEASE, Execution
from worker.migadu import Call, Outcome
from worker.planning.urgency import Urgency
from worker.store import calls, jobs, steps
from worker.store.database import Session
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
        with self.execution.database.write() as session:
            jobs.hold_lease(session, self.lease, LEASE)
            self._give_back_places(session)
            if self.execution.limit is not None:
                kept = 0 if self.lease.urgency == Urgency.REVOCATION else self.execution.limit.reserve
                self.places.append(calls.take(session, self.execution.limit, kept=kept))

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
        """Write down what was heard since the last time."""
        steps.add_attempts(session, self.lease.job_id, self.attempts)
        self.attempts = []
        self._give_back_places(session)

    def _give_back_places(self, session: Session) -> None:
        if self.execution.limit is not None:
            calls.answered(session, self.places, self.execution.limit)
        self.places = []
