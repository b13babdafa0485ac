"""The recorder: hears every attempt on the wire, keeps the lease alive for it, and keeps it for the ledger."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception_type

from worker.execution.context import LEASE, Execution, Overtaken, Stopping
from worker.execution.outcomes import heard_of, spread
from worker.migadu import Call, Outcome
from worker.planning.urgency import Urgency
from worker.store import leases, steps
from worker.store.budget import NoCallNow, Permit
from worker.store.database import DatabaseBusy, Session, after_commit
from worker.store.gate import Heard, Refusal
from worker.store.leases import Extended, Lease
from worker.store.steps import Attempt

_log = structlog.get_logger(__name__)
_LONGEST_WAIT_S = 5.0
"""How long a revocation waits in place before a call; far less than its lease."""


@dataclass(slots=True)
class Recorder:
    """The hooks of one run. ``step_id`` says which step the next attempts belong to; None while observing."""

    execution: Execution
    lease: Lease
    gives_way: bool = False
    """Whether a revocation that nobody has taken yet goes before the next call."""
    step_id: int | None = None
    attempts: list[Attempt] = field(default_factory=list)
    permit: Permit | None = None
    """The right to the call under way, or to the last one."""
    heard: list[tuple[Permit, Heard | Refusal]] = field(default_factory=list)
    """What came of the calls that the budget does not know to be answered."""
    confirmed: list[Callable[[Session], None]] = field(default_factory=list)
    """Writes down what came of steps that were made; what dies before finds it out by reading back."""
    has_intended: bool = False
    """Whether this run has written steps down as intended."""
    has_made_mailbox: bool = False
    """Whether this run has made a mailbox."""
    has_seen_pause: bool = False
    """Whether creations were paused when this run began, or had been and none was made since."""
    has_met_failures: bool = False
    """Whether an object that this run wrote to was answered with 500."""

    @property
    def finds_no_steps(self) -> bool:
        """Whether the job has no steps, which this run knows without asking."""
        return self.lease.is_first and not self.has_intended

    @property
    def finds_no_failures(self) -> bool:
        """Whether no object has failed in this job, which this run knows without asking."""
        return self.lease.is_first and not self.has_met_failures

    def before(self, attempt: Call) -> float:  # noqa: ARG002 - the hook's signature
        """Take the right to make this call, and extend the lease beyond its deadline, which counts from here.

        A revocation may wait in place, shortly and in no transaction, for a slot or a probe; others let one go first
        that waits for a worker. Raises NoCallNow, GivesWay or LeaseLost, and the call is not sent.
        """
        if self.lease.urgency != Urgency.REVOCATION:
            return self._take()
        waiting = Retrying(
            retry=retry_if_exception_type(NoCallNow),
            wait=_until_told,
            stop=_has_waited_enough,
            sleep=self.execution.sleep,
            reraise=True,
        )
        return waiting(self._take)

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

    def write_confirmed(self, session: Session) -> None:
        """Write down the steps that were made since the last time; forgotten here only when that is committed."""
        known = len(self.confirmed)
        for write in self.confirmed:
            write(session)
        after_commit(session, lambda: self.confirmed.__delitem__(slice(known)))

    def _take(self) -> float:
        """Return an instant before the one at which the lease was extended."""
        if self.execution.stopping.is_set():
            raise Stopping("its worker was stopped on the way")
        refused = None
        # What is about to be sent is on the disk before, and with it all that led to it; a look may be forgotten.
        with self.execution.database.write(durable=self.step_id is not None) as session:
            counted_from = self.execution.elapsed_s()
            self._give_way(leases.hold_lease(session, self.lease, LEASE, self.execution.clock.now()))
            self.write_confirmed(session)
            self._write_heard(session)
            try:
                is_revocation = self.lease.urgency == Urgency.REVOCATION
                self.permit = self.execution.budget.take(session, is_revocation=is_revocation)
                if self.step_id is not None:
                    steps.set_sent(session, self.step_id, self.execution.clock.now())
            except NoCallNow as error:
                refused = error  # raised behind the commit, for what was heard must not be lost
        if refused is not None:
            raise refused
        return counted_from

    def _give_way(self, lane: Extended) -> None:
        """Raise Overtaken where a revocation goes first: another subject's, or what this job has become meanwhile."""
        if self.gives_way and (lane.urgency == Urgency.REVOCATION or lane.revocation_waits):
            raise Overtaken("a revocation went first")

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
