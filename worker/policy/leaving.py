"""Departures in time: when somebody is gone, and when each stage of leaving is due."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from worker.policy.document import LeavingSection, StageAction
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
    """When each stage of one departure is due; None where it never is by time alone."""

    block_at: datetime | None
    leave_groups_at: datetime | None
    delete_at: datetime | None

    def instants(self) -> tuple[datetime, ...]:
        """Return those that are known."""
        known = (self.block_at, self.leave_groups_at, self.delete_at)
        return tuple(instant for instant in known if instant is not None)


def departure_of(stated: Employment | EmploymentStatement, zone: ZoneInfo) -> Departure:
    """Read a departure: 00:00 after the last working day in the zone, else the stated instant, else the event's time.

    An immediate one is never later than its event.
    """
    stated_at, known_since = _when(stated)
    at = _departs_at(stated.last_working_day, stated.left_at, stated_at, zone)
    return Departure(min(at, bounded(stated_at)) if stated.immediate else at, at, known_since, stated.immediate)


def stages_of(departure: Departure, leaving: LeavingSection, zone: ZoneInfo, *, blocked_at: datetime | None) -> Stages:
    """Tell when the stages of a departure are due.

    Reversible ones count from the departure. Deletion counts from the later of the stated departure and our first
    knowledge of it, and from ``blocked_at``, when the block was confirmed; without that it is never due
    (`design.md` 3, Time).
    """
    block, delete = leaving.offset_of(StageAction.BLOCK), leaving.offset_of(StageAction.DELETE_MAILBOX)
    if departure.immediate:
        block = Offset()
    block_at = _due(departure.at, block, zone)
    delete_at = None
    if block is not None and block_at and delete is not None and blocked_at:
        counted = later(max(departure.stated_at, bounded(departure.known_since)), delete, zone)
        delete_at = max(counted, block_at, later(blocked_at, _between(block, delete), zone))
    return Stages(block_at, _due(departure.at, leaving.offset_of(StageAction.LEAVE_GROUPS), zone), delete_at)


def _when(stated: Employment | EmploymentStatement) -> tuple[datetime, datetime]:
    if isinstance(stated, Employment):
        return stated.at, stated.known_since
    return stated.version.time, stated.received_at


def _departs_at(last_day: date | None, left_at: datetime | None, stated_at: datetime, zone: ZoneInfo) -> datetime:
    if last_day is not None:
        return midnight(day_after(last_day), zone)
    return bounded(left_at or stated_at)


def _between(block: Offset, delete: Offset) -> Offset:
    """Return for how long a mailbox is blocked before it is deleted: in calendar days if both offsets are."""
    blocked_for = max(delete.length - block.length, timedelta())
    if block.hours or delete.hours:
        return Offset(hours=blocked_for // timedelta(hours=1))
    return Offset(days=blocked_for.days)


def _due(at: datetime, offset: Offset | None, zone: ZoneInfo) -> datetime | None:
    return None if offset is None else later(at, offset, zone)
