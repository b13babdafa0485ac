"""How many joiners' jobs the engine finishes in a second, without a call limit, beside as many bare Celery tasks.

The floor, in the same run and in turn with the engine, is one POST for each task with httpx: same pool, threads, broker
and mail host. Both find all their work waiting; the time goes from the first POST to the last end, so that no start of
a process counts. A job is finished when its mailbox is confirmed in the ledger and its lane is free; looking again at
the person, and the lists, go on meanwhile. About four minutes.
"""

import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import count
from statistics import median

from sqlalchemy import func, select

from tests.benchmarks._place import PROFILES, THREADS, MailHost, Place, begin, joined, placed
from tests.benchmarks.sandbox import ROOT
from tests.end_to_end.installation import wait_until
from worker.store.states import JobState
from worker.store.tables import JobRow

JOBS, ROUNDS = 400, 3
LATENCIES_S = (0.05, 0.0)


def measure() -> dict[str, object]:
    """Measure both profiles, with and without latency. Raises ServerMissing."""
    return {
        "jobs": JOBS,
        "rounds": ROUNDS,
        "threads": THREADS,
        **{profile: {f"{1000 * each:g} ms": _compared(profile, each) for each in LATENCIES_S} for profile in PROFILES},
    }


def _compared(profile: str, latency_s: float) -> dict[str, float]:
    with placed(profile, latency_s=latency_s) as place:
        begin(place)
        numbers = count()
        ours, floor = [], []
        for turn in range(ROUNDS):
            ours.append(jobs_per_s(place, numbers, JOBS))
            floor.append(_floor_per_s(place, turn))
    of_floor = [ours / floor for ours, floor in zip(ours, floor, strict=True)]
    return {
        "jobs_per_s": round(median(ours), 1),
        "floor_per_s": round(median(floor), 1),
        "of_floor": round(median(of_floor), 2),
    }


def jobs_per_s(place: Place, numbers: Iterator[int], jobs: int) -> float:
    """Have so many new people join and return how many of their jobs were finished in a second."""
    place.tell([joined(next(numbers)) for _ in range(jobs)])
    place.apply_all()
    first = place.read(select(func.max(JobRow.id)).where(JobRow.state == JobState.DONE)) or 0
    calls = len(place.host.calls())
    theirs = (JobRow.subject_kind == "person", JobRow.id > first)
    with place.working():
        wait_until(lambda: place.read(select(func.count()).where(*theirs, JobRow.state == JobState.DONE)) == jobs, 600)
    ended_at = place.read(select(func.max(JobRow.finished_at)).where(*theirs))
    began_at = _posted(place.host, calls)[0]
    place.drain()
    return jobs / (ended_at - began_at).total_seconds()


def _floor_per_s(place: Place, turn: int) -> float:
    calls = len(place.host.calls())
    command = [sys.executable, "-m", "tests.benchmarks._floor", place.broker_url, place.host.api_url, f"floor{turn}"]
    threads = str(THREADS // place.processes)
    publish = [JOBS, *[0] * (place.processes - 1)]
    running = [
        subprocess.Popen([*command, str(jobs), threads], cwd=ROOT, stdout=subprocess.DEVNULL) for jobs in publish
    ]
    try:
        wait_until(lambda: len(_posted(place.host, calls)) >= JOBS, 120)
    finally:
        for process in running:
            process.kill()
            process.wait()
    posted = _posted(place.host, calls)
    return (JOBS - 1) / (posted[-1] - posted[0]).total_seconds()


def _posted(host: MailHost, since: int) -> list[datetime]:
    calls = host.calls(since=since)
    return [datetime.fromisoformat(call["time"]) for call in calls if call["method"] == "POST"]
