"""Engines that are broken on purpose, for harnesses to find out; what is put together once is put together anew."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import bindparam, select

from worker.store import jobs, leases
from worker.store.states import JobState
from worker.store.tables import JobRow

Put = Callable[[Any, str, Any], None]
"""Puts something in the place of a name in a module, for a while or for good."""


def without_fence(put: Put) -> None:
    """Let whoever once had a lane write in it for ever."""
    fenced = (JobRow.id == bindparam("held_job"),)
    locking = select(JobRow).where(*fenced).with_for_update().execution_options(populate_existing=True)
    put(leases, "_FENCED", fenced)
    put(leases, "_LOCKING", locking)
    put(leases, "_token", lambda lease: {"held_job": lease.job_id})
    put(leases, "_extending", leases._extending.__wrapped__)


def without_leases(put: Put) -> None:
    """Claim jobs whose worker still lives."""
    put(jobs, "CLAIMABLE", (JobState.QUEUED, JobState.WAITING, JobState.RUNNING))
    put(leases, "_claiming", leases._claiming.__wrapped__)
