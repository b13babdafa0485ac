"""How long it takes from a signed `left` event to its confirmed block: idle, and behind a thousand waiting joiners.

The call limit is on, its window scaled down by ten: 60 calls in 12 seconds, of which 10 are kept for revocations, and a
revocation each 1.5 seconds, which stands for one each 15 seconds under 60/120. The mail host takes 50 ms. The instants
are the ledger's: when the event was received, and when its block was confirmed. What is compared is how much later the
95th percentile is behind the backlog than idle. About five minutes.
"""

import time
from collections.abc import Sequence
from statistics import median

from sqlalchemy import func, select

from tests.benchmarks._place import PROFILES, Place, begin, joined, placed
from tests.end_to_end.installation import wait_until
from worker.events import EventType
from worker.planning.step import Operation
from worker.store.states import OUTSTANDING, StepState
from worker.store.tables import EventRow, JobRow, StepRow

REVOCATIONS, EVERY_S, BACKLOG = 40, 1.5, 1_000
LIMIT, LATENCY_S = "60/12", 0.05


def measure() -> dict[str, object]:
    """Measure both profiles. Raises ServerMissing."""
    size = {"revocations": REVOCATIONS, "every_s": EVERY_S, "backlog": BACKLOG, "limit": LIMIT}
    return size | {profile: _measured(profile) for profile in PROFILES}


def _measured(profile: str) -> dict[str, object]:
    with placed(profile, latency_s=LATENCY_S, MAILROSTER_CALL_LIMIT=LIMIT) as place:
        people = 2 * (REVOCATIONS + 1)
        _employ(place, people)
        with place.serving():
            wait_until(lambda: _made(place) > people, 120)  # who leaves before has nothing to be blocked
            idle = _shown(_revoke(place, range(0, people, 2)))
        place.tell([joined(number) for number in range(people, people + BACKLOG)])
        place.apply_all()
        with place.serving():
            behind = _shown(_revoke(place, range(1, people, 2)))
            left = place.read(select(func.count()).where(JobRow.state.in_(OUTSTANDING), JobRow.urgency > 0))
    return {
        "idle": idle,
        "behind_joiners": behind,
        "joiners_still_waiting": left,
        "p95_later_by_s": round(behind["p95_s"] - idle["p95_s"], 2),
    }


def _employ(place: Place, people: int) -> None:
    begin(place)
    place.tell([joined(number) for number in range(people)])
    place.drain()


def _made(place: Place) -> int:
    made = StepRow.operation == Operation.CREATE_MAILBOX, StepRow.state == StepState.CONFIRMED
    return int(place.read(select(func.count()).select_from(StepRow).where(*made)) or 0)


def _revoke(place: Place, numbers: Sequence[int]) -> list[float]:
    """Have people leave at once, one after the other, and return how long it took until each was blocked.

    The first is not counted: the worker may not have begun.
    """
    first, *others = numbers
    _leave(place, first)
    wait_until(lambda: _took(place, [first]), 120)
    begun = time.monotonic()
    for turn, number in enumerate(others):
        time.sleep(max(0.0, begun + turn * EVERY_S - time.monotonic()))
        _leave(place, number)
    wait_until(lambda: len(_took(place, others)) == len(others), 120)
    return _took(place, others)


def _leave(place: Place, number: int) -> None:
    place.installation.deliver("left", f"E{number}", immediate=True).raise_for_status()


def _took(place: Place, numbers: Sequence[int]) -> list[float]:
    query = (
        select(EventRow.received_at, StepRow.settled_at)
        .join(JobRow, JobRow.person_id == EventRow.person_id)
        .join(StepRow, StepRow.job_id == JobRow.id)
        .where(
            EventRow.type == EventType.LEFT,
            EventRow.subject.in_([f"E{number}" for number in numbers]),
            StepRow.operation == Operation.BLOCK_MAILBOX,
            StepRow.state == StepState.CONFIRMED,
        )
    )
    with place.deployment.database.read() as session:
        return [(settled_at - received_at).total_seconds() for received_at, settled_at in session.execute(query)]


def _shown(took: Sequence[float]) -> dict[str, float]:
    ordered = sorted(took)
    return {
        "n": len(ordered),
        "p50_s": round(median(ordered), 2),
        "p95_s": round(ordered[len(ordered) * 95 // 100], 2),
        "longest_s": round(ordered[-1], 2),
    }
