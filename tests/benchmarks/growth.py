"""Joiners' jobs in a second at a growing history: 1,000, 10,000 and 100,000 people with their events, jobs and calls.

The mail host answers at once, so that only the engine is measured. What counts is the rate at the longest history as a
part of that at the shortest. About four minutes.
"""

from itertools import count
from statistics import median

from tests.benchmarks._history import lengthen
from tests.benchmarks._place import PROFILES, Place, begin, placed
from tests.benchmarks.throughput import jobs_per_s

HISTORY = (1_000, 10_000, 100_000)
JOBS, ROUNDS = 300, 3


def measure() -> dict[str, object]:
    """Measure both profiles. Raises ServerMissing."""
    return {"jobs": JOBS, "rounds": ROUNDS} | {profile: _measured(profile) for profile in PROFILES}


def _measured(profile: str) -> dict[str, object]:
    rates: dict[int, float] = {}
    with placed(profile) as place:
        begin(place)
        numbers = count()
        for before, rows in zip((0, *HISTORY), HISTORY, strict=False):
            lengthen(place, rows - before)
            rates[rows] = median(_rate(place, numbers) for _ in range(ROUNDS))
    return {f"{rows} rows": round(rate, 1) for rows, rate in rates.items()} | {
        "of_shortest": round(rates[HISTORY[-1]] / rates[HISTORY[0]], 2)
    }


def _rate(place: Place, numbers: "count[int]") -> float:
    return jobs_per_s(place, numbers, JOBS)
