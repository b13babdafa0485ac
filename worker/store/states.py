"""The states of events, jobs and steps, and the only moves between them.

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


class JobState(StrEnum):
    """Where a job stands. All but DONE and DISMISSED are outstanding."""

    QUEUED = "queued"
    """Wants a worker now. Set by intake; left by a claim."""
    RUNNING = "running"
    """One worker is in the lane, by lease and fencing token."""
    WAITING = "waiting"
    """Comes back by itself at ``run_at``: a retry, a pause of the host, another job."""
    HELD = "held"
    """A brake, a missing fact or an ambiguity stops it until somebody decides or the roster changes."""
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
            EventState.ACCEPTED,  # a worker starts, whose version may know better
            EventState.APPLIED,  # its person was erased: there is nothing left to apply it to
        },
    ),
    EventState.APPLIED: frozenset(),
    EventState.REJECTED: frozenset(),
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

State = TypeVar("State", EventState, JobState, StepState)


class IllegalMove(RuntimeError):
    """A state machine was asked for a move that its table does not know."""


def move(moves: Mapping[State, frozenset[State]], old: State, new: State) -> State:
    """Return ``new`` if the table allows it from ``old``. Raises IllegalMove otherwise."""
    if new not in moves[old]:
        raise IllegalMove(f"{type(old).__name__}: {old} cannot become {new}")
    return new
