"""How a run ends: typed values instead of exceptions, and the table from failures to them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.migadu import AccountRefused, Full, MigaduError, Throttled, Unknown
from worker.store.pauses import PauseKind

PAUSES: dict[type[MigaduError], PauseKind] = {
    Throttled: PauseKind.THROTTLED,
    AccountRefused: PauseKind.ACCOUNT,
    Full: PauseKind.CREATIONS,
}
"""Failures that are nobody's fault: they pause every job alike, and burn no attempt of this one."""


@dataclass(frozen=True, slots=True)
class Done:
    """Observed equals desired."""

    note: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Comes back by itself at ``until``."""

    until: datetime
    reason: str


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


@dataclass(frozen=True, slots=True)
class Parked:
    """Needs a person."""

    reason: str


Outcome = Done | Waiting | Retry | Held | Parked


def outcome_of(error: MigaduError) -> Outcome:
    """Return how a run ends that met this failure, pauses apart."""
    if isinstance(error, Unknown):
        # Look at once: if the write has arrived, reading back shows it, and only "absent" needs a second look.
        return Retry(str(error), look_at_once=True)
    return Retry(str(error), at_least=timedelta(seconds=error.retry_after_s or 0))
