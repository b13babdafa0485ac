"""Departures in time: when somebody is gone, and when each stage of leaving is due."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from worker.policy.document import IRREVERSIBLE, LeavingSection, StageAction
from worker.policy.instants import bounded, day_after, later, midnight
from worker.policy.offset import Offset
from worker.roster.employment import Employment
from worker.roster.record import EmploymentStatement

NOTHING_TO_BLOCK = datetime.min.replace(tzinfo=UTC)
"""Stands for ``blocked_at`` where no mailbox exists, so that no confirmation need be waited for."""


@dataclass(frozen=True, slots=True)
class Departure:
    """When somebody is (or will be) gone."""

    at: datetime
    """When access ends at the latest."""
    stated_at: datetime
    """What the dates say, also where access ends at once: from here irreversible stages count."""
    known_since: datetime
    """When we first heard of it; irreversible stages never count from before it."""
    immediate: bool = False
    """Block at ``at``, however late the policy's block is."""


@dataclass(frozen=True, slots=True)
class Stages:
    """When each action of one departure is due; one that is not in ``due`` never is by time alone."""

    due: Mapping[StageAction, datetime] = field(default_factory=dict)

    def reached(self, action: StageAction, now: datetime) -> bool:
        """Tell whether an action is due at ``now``."""
        return action in self.due and now >= self.due[action]

    def frozen(self) -> "Stages":
        """Return these stages without what cannot be undone: so it is while a return is announced."""
        return Stages({action: at for action, at in self.due.items() if action not in IRREVERSIBLE})


def departure_of(stated: Employment | EmploymentStatement, zone: ZoneInfo) -> Departure:
    """Read a departure: 00:00 after the last working day in the zone, else the stated instant, else the event's time.

    An immediate one is never later than the first event that said so, nor than its receipt.
    """
    stated_at, known_since = _when(stated)
    at = _departs_at(stated.last_working_day, stated.left_at, stated_at, zone)
    if not stated.immediate:
        return Departure(at, at, known_since)
    return Departure(min(at, bounded(_immediate_at(stated))), at, known_since, immediate=True)


def stages_of(departure: Departure, leaving: LeavingSection, zone: ZoneInfo, *, blocked_at: datetime | None) -> Stages:
    """Tell when the stages of a departure are due.

    Reversible ones count from the departure. Irreversible ones count from the later of the stated departure and our
    first knowledge of it, and from ``blocked_at``, when the block was confirmed; without that they are never due
    (`design.md` 3, Time).
    """
    offsets = {action: stage.after for stage in leaving.stages for action in stage.do}
    if departure.immediate:
        offsets[StageAction.BLOCK] = Offset()
    due = {action: later(departure.at, after, zone) for action, after in offsets.items() if action not in IRREVERSIBLE}
    block = offsets.get(StageAction.BLOCK)
    if block is not None and blocked_at:
        counted_from = max(departure.stated_at, bounded(departure.known_since))
        for action in offsets.keys() & IRREVERSIBLE:
            blocked_for = later(blocked_at, _between(block, offsets[action]), zone)
            due[action] = max(later(counted_from, offsets[action], zone), due[StageAction.BLOCK], blocked_for)
    return Stages(due)


def _when(stated: Employment | EmploymentStatement) -> tuple[datetime, datetime]:
    if isinstance(stated, Employment):
        return stated.at, stated.known_since
    return stated.version.time, stated.received_at


def _immediate_at(stated: Employment | EmploymentStatement) -> datetime:
    if isinstance(stated, Employment):
        return stated.immediate_at or min(stated.at, stated.known_since)
    return min(stated.version.time, stated.received_at)


def _departs_at(last_day: date | None, left_at: datetime | None, stated_at: datetime, zone: ZoneInfo) -> datetime:
    if last_day is not None:
        return midnight(day_after(last_day), zone)
    return bounded(left_at or stated_at)


def _between(block: Offset, other: Offset) -> Offset:
    """Return for how long a mailbox is blocked before something else is done: in calendar days if both offsets are."""
    blocked_for = max(other.length - block.length, timedelta())
    if block.hours or other.hours:
        return Offset(hours=blocked_for // timedelta(hours=1))
    return Offset(days=blocked_for.days)
