"""Simulated callers: many that share one call budget under a virtual clock, with latencies, deaths and throttling.

The budget is the real one on a real database, in one transaction that is rolled back; the callers and the mail host are
not. Instants are milliseconds from the beginning, so that windows can be compared exactly.
"""

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.integration.counter import NOON
from worker.store import gate
from worker.store.budget import CallBudget, CallLimit, NoCallNow, Permit, Room
from worker.store.database import Session
from worker.store.gate import Closing, Heard, Refusal
from worker.store.slots import LONGEST_CALL

DEADLINE_MS = 30_000
_ASKS_AGAIN = 0.1
LONGEST_MS = LONGEST_CALL // timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Story:
    """What happens."""

    calls: int
    reserve: int
    window_ms: int
    callers: int
    revokers: int = 0
    """How many of the callers revoke."""
    latency_ms: tuple[int, int] = (100, 900)
    dying: float = 0.0
    """The share of calls whose caller is never heard of again."""
    dropped: float = 0.0
    """The share of calls that come to nothing."""
    throttled_ms: Sequence[tuple[int, int]] = ()
    """From when to when the host throttles."""
    asks_for_ms: int | None = None
    """What it asks for then, in Retry-After."""
    changes: Sequence[tuple[int, int, int]] = ()
    """When a worker starts with which other limit and reserve."""
    lasts_ms: int = 600_000
    most_calls: int = 10_000


@dataclass(slots=True)
class Made:
    """A call that was made."""

    taken_ms: int
    arrived_ms: int
    limit: int
    """The limit that was in force when it was taken."""


class Callers:
    """A simulation: ``run`` it, then look at the calls that were made."""

    def __init__(self, session: Session, story: Story, seed: int) -> None:
        self.session, self.story = session, story
        self.made: list[Made] = []
        self.room: list[Room] = []
        """For whom there was room, asked after some of the refusals by the limit or the gate."""
        self.now_ms = 0
        self._random = random.Random(seed)
        self._events: list[tuple[int, int, tuple[Any, ...]]] = []
        self._number = self._shut_ms = 0
        self._probe_ms: int | None = None

    def run(self) -> "Callers":
        """Let everything happen. Asserts on the way that nobody passes a closed gate, and that probes go alone."""
        self._begin(self.story.calls, self.story.reserve)
        for caller in range(self.story.callers):
            self._at(self._random.randrange(1000), "ask", caller)
        for at, calls, reserve in self.story.changes:
            self._at(at, "begin", calls, reserve)
        while self._events and len(self.made) < self.story.most_calls:
            self.now_ms, _, (what, *details) = heapq.heappop(self._events)
            if self.now_ms > self.story.lasts_ms:
                break
            getattr(self, f"_{what}")(*details)
        return self

    def _at(self, at_ms: int, *what: Any) -> None:
        self._number += 1
        heapq.heappush(self._events, (at_ms, self._number, what))

    def _begin(self, calls: int, reserve: int) -> None:
        limit = CallLimit(calls, timedelta(milliseconds=self.story.window_ms), reserve)
        self.budget = CallBudget(limit, clock=lambda _: NOON + timedelta(milliseconds=self.now_ms))
        self.calls = calls
        self.budget.fit(self.session)

    def _ask(self, caller: int) -> None:
        try:
            permit = self.budget.take(self.session, is_revocation=caller < self.story.revokers)
        except NoCallNow as refused:
            if self._random.random() < _ASKS_AGAIN:
                self.room.append(self.budget.room(self.session))
            wait_ms = -(-refused.wait // timedelta(milliseconds=1))
            self._at(self.now_ms + wait_ms + self._random.randrange(200), "ask", caller)
        else:
            self._check_gate(permit)
            self._send(caller, permit)

    def _send(self, caller: int, permit: Permit) -> None:
        if self._random.random() < self.story.dying:
            arrived_ms = self.now_ms + self._random.randint(0, DEADLINE_MS)
            self._at(self.now_ms + DEADLINE_MS, "ask", caller)
        else:
            latency_ms = self._random.randint(*self.story.latency_ms)
            arrived_ms = self.now_ms + self._random.randint(0, latency_ms)
            self._at(self.now_ms + latency_ms, "answer", caller, permit, self._answer_at(arrived_ms))
        self.made.append(Made(self.now_ms, arrived_ms, self.calls))

    def _answer_at(self, arrived_ms: int) -> Heard | Refusal:
        if any(begin <= arrived_ms < end for begin, end in self.story.throttled_ms):
            asked = self.story.asks_for_ms
            return Refusal(Closing.THROTTLED, "", None if asked is None else timedelta(milliseconds=asked))
        return Heard.NOTHING if self._random.random() < self.story.dropped else Heard.SERVED

    def _answer(self, caller: int, permit: Permit, heard: Heard | Refusal) -> None:
        until = self.budget.answered(self.session, permit, heard)
        if until is not None:
            self._shut_ms = max(self._shut_ms, (until - NOON) // timedelta(milliseconds=1))
        if permit.is_probe:
            self._probe_ms = None
            if gate.closed(self.session) is None:
                self._shut_ms = 0  # also where a refusal from before had made the pause longer
        self._at(self.now_ms, "ask", caller)

    def _check_gate(self, permit: Permit) -> None:
        assert self.now_ms >= self._shut_ms, "somebody passed a closed gate"
        if permit.is_probe:
            assert self._probe_ms is None or self._probe_ms + LONGEST_MS <= self.now_ms, "there were two probes"
            self._probe_ms = self.now_ms


def most_in_a_window(arrived_ms: Sequence[int], window_ms: int) -> int:
    """Return the largest number of arrivals in any half-open window of this length."""
    ordered, first, most = sorted(arrived_ms), 0, 0
    for last, at in enumerate(ordered):
        while ordered[first] <= at - window_ms:
            first += 1
        most = max(most, last - first + 1)
    return most


def windows_beyond_the_limit(made: Sequence[Made], window_ms: int) -> list[tuple[int, int]]:
    """Return (arrivals, limit) of every window with more arrivals than the limit of its call that was taken last."""
    ordered, first, beyond = sorted(made, key=lambda call: call.arrived_ms), 0, []
    for last, call in enumerate(ordered):
        while ordered[first].arrived_ms <= call.arrived_ms - window_ms:
            first += 1
        within = ordered[first : last + 1]
        limit = max(within, key=lambda one: one.taken_ms).limit
        if len(within) > limit:
            beyond.append((len(within), limit))
    return beyond
