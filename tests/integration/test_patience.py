"""How long a failing job waits, and when a person must look: as the settings say; and what uses up none of that."""

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.office import KEY, Office
from tests.integration.test_execution_failures import NOBODY
from worker.deployment import Deployment
from worker.settings import load_settings
from worker.store.budget import CallLimit
from worker.store.states import JobState

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
SHORT = {
    "MAILROSTER_RETRY_FIRST": "10s",
    "MAILROSTER_RETRY_LONGEST": "1m",
    "MAILROSTER_RETRY_GIVE_UP_AFTER": "3m",
}


def test_pauses_and_their_end_are_as_the_settings_say(office: Office, tmp_path: Path) -> None:
    """Each pause is twice the last up to the longest; who has failed for long enough is parked with the reason."""
    settings = load_settings(SHORT | {"MAILROSTER_DATABASE_URL": f"sqlite:///{tmp_path}/none.db"})
    with closing(Deployment(settings)) as deployment:
        office.execution = replace(office.execution, patience=deployment.execution.patience)
    office.employ("Ada Lovelace")
    office.url = NOBODY
    office.tell("left", "E1")
    office.drain()
    pauses = []
    while (job := office.job_of(1)).state is JobState.WAITING:
        pauses.append((job.run_at - office.clock.now()) / SECOND)
        office.clock.instant = job.run_at
        office.drain()

    assert pauses == [10, 20, 40, 60, 60]
    assert job.state is JobState.PARKED
    assert str(job.reason).startswith("it failed 6 times since 2026-03-02 09:00 UTC; last: ")


@pytest.mark.parametrize("trouble", ["throttled", "account", "budget", "creations"])
def test_what_is_nobodys_fault_uses_up_no_patience(office: Office, trouble: str) -> None:
    """A job that meets it for days has failed never, and is done when it is over."""
    office.employ("Ada Lovelace")
    _bring_about(office, trouble)
    office.join("E2", "Grace Hopper")
    if trouble != "creations":
        office.tell("left", "E1")
    office.drain()
    for _ in range(3 * 24):
        office.move(HOUR)
        office.drain()

    assert {job.state for job in office.jobs() if job.finished_at is None} <= {JobState.WAITING, JobState.QUEUED}
    assert {job.failures for job in office.jobs()} == {0}
    assert {job.failing_since for job in office.jobs()} == {None}

    office.key = KEY
    office.fail()
    office.execution = replace(office.execution, budget=office.budget(None))
    office.work_on(100 * HOUR, every=4 * HOUR)
    assert office.outstanding() == []
    assert "grace.hopper" in office.mailboxes()


def _bring_about(office: Office, trouble: str) -> None:
    match trouble:
        case "throttled":
            office.fail({"match": {}, "fault": "throttle-403"})
        case "account":
            office.key = "wrong"
        case "budget":
            office.limited(CallLimit(calls=1, window=100 * HOUR, reserve=0))
        case _:
            office.fail({"match": {"method": "POST"}, "fault": "plan-limit-403"})
