"""A counter for a test: the call budget on a real database, with a clock to move. Each question is a transaction."""

from datetime import UTC, datetime, timedelta

from worker.store import gate
from worker.store.budget import CallBudget, CallLimit, Permit, Room
from worker.store.database import Database
from worker.store.gate import ClosedGate, Closing, Heard, Refusal

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
WINDOW = 2 * MINUTE


def throttled(asked_for: timedelta | None = None) -> Refusal:
    """Return what a throttled call is answered."""
    return Refusal(Closing.THROTTLED, "it answered 403", asked_for)


class Counter:
    """Where calls are asked for, by workers that share one database and one clock."""

    def __init__(self, database: Database, calls: int | None = None, *, reserve: int = 0) -> None:
        self.database, self.now = database, NOON
        self.fit(calls, reserve=reserve)

    def fit(self, calls: int | None, *, reserve: int = 0) -> None:
        """Have a worker start that has this limit; None is no limit."""
        limit = None if calls is None else CallLimit(calls, WINDOW, reserve)
        self.budget = CallBudget(limit, clock=lambda _: self.now)
        with self.database.write() as session:
            self.budget.fit(session)
        with self.database.write() as session:
            self.budget.retry_account(session)

    def wait(self, for_: timedelta) -> None:
        """Move the clock."""
        self.now += for_

    def take(self, *, is_revocation: bool = False) -> Permit:
        """Take the right to one call. Raises NoCallNow."""
        with self.database.write() as session:
            return self.budget.take(session, is_revocation=is_revocation)

    def answer(self, permit: Permit, heard: Heard | Refusal = Heard.SERVED) -> datetime | None:
        """Tell what came of a call."""
        with self.database.write() as session:
            return self.budget.answered(session, permit, heard)

    def call(self, heard: Heard | Refusal = Heard.SERVED, *, is_revocation: bool = False) -> datetime | None:
        """Make a call that is answered at once."""
        return self.answer(self.take(is_revocation=is_revocation), heard)

    def room(self) -> Room:
        """Ask who may call now."""
        with self.database.read() as session:
            return self.budget.room(session)

    def gate(self) -> ClosedGate | None:
        """Look at the gate."""
        with self.database.read() as session:
            return gate.closed(session)
