"""How a run ends: typed values instead of exceptions, and what failures mean for the run and for everybody."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.migadu import FailureClass, MigaduError, Unknown
from worker.migadu import Outcome as OutcomeOfCall
from worker.store.gate import Closing, Heard, Refusal

_CLOSINGS = {
    FailureClass.THROTTLED: (Closing.THROTTLED, "the mail host throttles"),
    FailureClass.ACCOUNT: (Closing.ACCOUNT, "the mail host does not accept the account or its key"),
}
_SERVED = (None, FailureClass.ABSENT, FailureClass.REFUSED, FailureClass.FULL)
_TOO_MANY_REQUESTS = 429
_MOST_SPREAD = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Done:
    """Observed equals desired."""

    note: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Comes back by itself at ``until``."""

    until: datetime
    reason: str
    for_a_record: bool = False
    """A source is to be asked meanwhile."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The run failed; come back after a pause that grows with each failure, but not before what the host asked for."""

    reason: str
    at_least: timedelta = timedelta(0)
    look_at_once: bool = False
    """After the first failure in a row there is no pause."""


@dataclass(frozen=True, slots=True)
class Held:
    """Stops until somebody decides or the roster changes."""

    reason: str
    hold_id: int | None = None
    look_again_at: datetime | None = None
    """When it is looked again by itself whether what was missing has come about at the host."""


@dataclass(frozen=True, slots=True)
class Parked:
    """Needs a person."""

    reason: str


@dataclass(frozen=True, slots=True)
class GivenBack:
    """Goes back to its place in the queue, and whoever claims it goes on from there. It is nobody's failure."""

    reason: str


Outcome = Done | Waiting | Retry | Held | Parked | GivenBack


def outcome_of(error: MigaduError) -> Outcome:
    """Return how a run ends that met this failure, pauses apart."""
    if isinstance(error, Unknown):
        # Look at once: if the write has arrived, reading back shows it, and only "absent" needs a second look.
        return Retry(str(error), look_at_once=True)
    return Retry(str(error), at_least=timedelta(seconds=error.retry_after_s or 0))


def heard_of(outcome: OutcomeOfCall) -> Heard | Refusal:
    """Return what a call says about the gate before the host.

    A 429 is transient for its own call (`design.md` 4), and closes the gate for everybody all the same, because it asks
    to be left alone by all of us. A 503 does not, even where it says when to come back: it speaks of that call.
    """
    if outcome.status == _TOO_MANY_REQUESTS:
        closing, said = _CLOSINGS[FailureClass.THROTTLED]
    elif outcome.failure in _CLOSINGS:
        closing, said = _CLOSINGS[outcome.failure]
    else:
        answered = Heard.NOTHING if outcome.status is not None else Heard.SILENCE
        return Heard.SERVED if outcome.failure in _SERVED else answered
    asked_for = None if outcome.retry_after_s is None else timedelta(seconds=outcome.retry_after_s)
    return Refusal(closing, f"{said} (it answered {outcome.status})", asked_for)


def spread(wait: timedelta) -> timedelta:
    """Return a wait that is longer by chance, so that those who were told the same do not all come back at once."""
    most = min(wait / 10 + timedelta(seconds=0.2), _MOST_SPREAD)
    return wait + most * random.random()  # noqa: S311 - jitter, no secret
