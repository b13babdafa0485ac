"""The recorder: hears every attempt on the wire, keeps the lease alive for it, and keeps it for the ledger."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception_type

from worker.execution.context import LEASE, Execution
from worker.execution.outcomes import heard_of, spread
from worker.migadu import Call, Outcome
from worker.planning.urgency import Urgency
from worker.store import leases, steps
from worker.store.budget import NoCallNow, Permit
from worker.store.database import DatabaseBusy, Session, after_commit
from worker.store.gate import Heard, Refusal
from worker.store.leases import Lease
from worker.store.steps import Attempt

_log = structlog.get_logger(__name__)
_LONGEST_WAIT_S = 5.0
"""How long a revocation waits in place before a call; far less than its lease."""


@dataclass(slots=True)
class Recorder:
    """The hooks of one run. ``step_id`` says which step the next attempts belong to; None while observing."""

    execution: Execution
    lease: Lease
    step_id: int | None = None
    attempts: list[Attempt] = field(default_factory=list)
    permit: Permit | None = None
    """The right to the call under way, or to the last one."""
    heard: list[tuple[Permit, Heard | Refusal]] = field(default_factory=list)
    """What came of the calls that the budget does not know to be answered."""

    def before(self, attempt: Call) -> None:  # noqa: ARG002 - the hook's signature
        """Take the right to make this call, and extend the lease beyond its deadline.

        A revocation may wait in place, shortly and in no transaction, for a slot or a probe. Raises NoCallNow or
        LeaseLost, and the call is not sent.
        """
        if self.lease.urgency != Urgency.REVOCATION:
            self._take()
            return
        waiting = Retrying(
            retry=retry_if_exception_type(NoCallNow),
            wait=_until_told,
            stop=_has_waited_enough,
            sleep=self.execution.sleep,
            reraise=True,
        )
        waiting(self._take)

    def after(self, attempt: Call, outcome: Outcome) -> None:
        """Keep the attempt until the next transaction writes it down; what moves the gate is for everybody, and now."""
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
        assert self.permit is not None, "a call that was answered was let through"
        heard = heard_of(outcome)
        self.heard.append((self.permit, heard))
        if isinstance(heard, Refusal) or self.permit.is_probe:
            # Where the database is busy the next transaction does it; nothing that the host answered may get lost.
            with suppress(DatabaseBusy), self.execution.database.write() as session:
                self._write_heard(session)

    def flush(self, session: Session) -> None:
        """Write down what was heard since the last time; forgotten here only when that is committed."""
        known = len(self.attempts)
        steps.add_attempts(session, self.lease.job_id, self.attempts)
        after_commit(session, lambda: self.attempts.__delitem__(slice(known)))
        self._write_heard(session)

    def _take(self) -> None:
        refused = None
        with self.execution.database.write() as session:
            leases.hold_lease(session, self.lease, LEASE)
            self._write_heard(session)
            try:
                is_revocation = self.lease.urgency == Urgency.REVOCATION
                self.permit = self.execution.budget.take(session, is_revocation=is_revocation)
                if self.step_id is not None:
                    # Until when a call can arrive counts from the last time that it is sent.
                    steps.get(session, self.step_id).sent_at = self.execution.clock.now()
            except NoCallNow as error:
                refused = error  # raised behind the commit, for what was heard must not be lost
        if refused is not None:
            raise refused

    def _write_heard(self, session: Session) -> None:
        known = len(self.heard)
        for permit, heard in self.heard:
            until = self.execution.budget.answered(session, permit, heard)
            if isinstance(heard, Refusal) and until is not None:
                shown = until.isoformat()
                _log.warning("the mail host is left alone", closing=heard.closing.value, until=shown, why=heard.reason)
        after_commit(session, lambda: self.heard.__delitem__(slice(known)))


def _until_told(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(error, NoCallNow)
    return spread(error.wait).total_seconds()


def _has_waited_enough(state: RetryCallState) -> bool:
    return state.idle_for + state.upcoming_sleep > _LONGEST_WAIT_S
