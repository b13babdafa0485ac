"""The states of events, hints, jobs and steps, and the only moves between them.

``move`` is asked with the row locked. A move that is not in the table raises: what nobody foresaw is a defect.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar


class EventState(StrEnum):
    """What became of an event."""

    ACCEPTED = "accepted"
    """Committed; nobody has applied it yet."""
    APPLIED = "applied"
    """Folded into its person; final."""
    REJECTED = "rejected"
    """Kept and shown, never applied; final."""
    PARKED = "parked"
    """Could not be applied several times over; a person must look."""
    DISMISSED = "dismissed"
    """Was parked, and an operator gave it up: it counts nowhere, until an operator has it applied after all."""


class HintState(StrEnum):
    """Where it stands to ask a source for somebody's record. All but SETTLED are outstanding."""

    WAITING = "waiting"
    """To be fetched at ``run_at``. Set by a delivery, by a failure, by an operator; left by a claim."""
    FETCHING = "fetching"
    """One worker asks the source, by lease and fencing token."""
    PARKED = "parked"
    """Could not be fetched for days, or the answer makes no sense; a person must look. The next delivery wakes it."""
    SETTLED = "settled"
    """What the source states is in the inbox; final."""


class JobState(StrEnum):
    """Where a job stands. All but DONE and DISMISSED are outstanding."""

    QUEUED = "queued"
    """Wants a worker now. Set by intake; left by a claim."""
    RUNNING = "running"
    """One worker is in the lane, by lease and fencing token."""
    WAITING = "waiting"
    """Comes back by itself at ``run_at``: a retry, a pause of the host, another job, a source that is asked."""
    HELD = "held"
    """A brake, a missing fact, an ambiguity or a silent source stops it until somebody decides or something changes."""
    PARKED = "parked"
    """The mail host refused or failed too long; a person must look."""
    DONE = "done"
    """Observed equals desired; final."""
    DISMISSED = "dismissed"
    """An operator gave it up; final, until the next event makes a new job."""


class StepState(StrEnum):
    """What is known of one call."""

    INTENDED = "intended"
    """Written down; certainly not sent."""
    SENT = "sent"
    """Perhaps on the wire. Whoever takes over settles it by reading back."""
    CONFIRMED = "confirmed"
    """The host holds it; final."""
    REFUSED = "refused"
    """The host said no; final."""
    UNKNOWN = "unknown"
    """Sent, and the answer is missing; settled by reading back, never by repetition."""
    SUPERSEDED = "superseded"
    """Never took effect, and looking again showed that it is no longer wanted; final."""


OUTSTANDING = (JobState.QUEUED, JobState.RUNNING, JobState.WAITING, JobState.HELD, JobState.PARKED)
UNSETTLED = (StepState.SENT, StepState.UNKNOWN)

EVENT_MOVES: Mapping[EventState, frozenset[EventState]] = {
    EventState.ACCEPTED: frozenset({EventState.APPLIED, EventState.PARKED}),
    EventState.PARKED: frozenset(
        {
            EventState.ACCEPTED,  # an operator says so, or a worker starts, whose version may know better
            EventState.APPLIED,  # its person was erased, or it was read anew: there is nothing left to apply
            EventState.DISMISSED,
        },
    ),
    EventState.DISMISSED: frozenset({EventState.ACCEPTED, EventState.APPLIED}),  # as above, by an operator alone
    EventState.APPLIED: frozenset(),
    EventState.REJECTED: frozenset(),
}

HINT_MOVES: Mapping[HintState, frozenset[HintState]] = {
    HintState.WAITING: frozenset({HintState.WAITING, HintState.FETCHING}),
    HintState.FETCHING: frozenset(
        {
            HintState.WAITING,  # the fetch failed, its lease ran out, or a delivery came meanwhile
            HintState.PARKED,
            HintState.SETTLED,
        },
    ),
    HintState.PARKED: frozenset({HintState.WAITING}),
    HintState.SETTLED: frozenset(),
}

JOB_MOVES: Mapping[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.QUEUED, JobState.RUNNING, JobState.DISMISSED}),
    JobState.RUNNING: frozenset(
        {
            JobState.RUNNING,  # the lease was lost and another worker takes over
            JobState.QUEUED,  # given back, or refreshed by an event while it ran
            JobState.WAITING,
            JobState.HELD,
            JobState.PARKED,
            JobState.DONE,
        },
    ),
    JobState.WAITING: frozenset({JobState.QUEUED, JobState.RUNNING, JobState.DISMISSED}),
    JobState.HELD: frozenset({JobState.QUEUED, JobState.DISMISSED}),
    JobState.PARKED: frozenset({JobState.QUEUED, JobState.DISMISSED}),
    JobState.DONE: frozenset(),
    JobState.DISMISSED: frozenset(),
}

STEP_MOVES: Mapping[StepState, frozenset[StepState]] = {
    StepState.INTENDED: frozenset({StepState.SENT, StepState.SUPERSEDED}),
    StepState.SENT: frozenset(
        {
            StepState.CONFIRMED,
            StepState.REFUSED,
            StepState.UNKNOWN,
            StepState.INTENDED,  # the connection was never made, so nothing was sent
        },
    ),
    StepState.UNKNOWN: frozenset({StepState.CONFIRMED, StepState.INTENDED}),
    StepState.CONFIRMED: frozenset(),
    StepState.REFUSED: frozenset(),
    StepState.SUPERSEDED: frozenset(),
}

State = TypeVar("State", EventState, HintState, JobState, StepState)


class IllegalMove(RuntimeError):
    """A state machine was asked for a move that its table does not know."""


def move(moves: Mapping[State, frozenset[State]], old: State, new: State) -> State:
    """Return ``new`` if the table allows it from ``old``. Raises IllegalMove otherwise."""
    if new not in moves[old]:
        raise IllegalMove(f"{type(old).__name__}: {old} cannot become {new}")
    return new
