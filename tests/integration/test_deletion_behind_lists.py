"""A mailbox is deleted once no list of ours names it: until then mail to the list would come back to its sender."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from tests.integration.office import DAY, Office
from worker.execution import sweep_once
from worker.sandbox import RunningSandbox
from worker.store.database import Database
from worker.store.states import JobState

MINUTE = timedelta(minutes=1)
POLICY = """
[organisation]
domain = "example.org"
timezone = "UTC"
[[groups]]
address = "engineering"
members = { department = "Engineering" }
[[rewrites]]
name = "help"
local_part_rule = "help-*"
members = { department = "Support" }
[leaving]
[[leaving.stages]]
after = "0d"
do = ["block"]
[[leaving.stages]]
after = "10d"
do = ["delete-mailbox"]
"""
LISTS = pytest.mark.parametrize(
    ("department", "path"), [("Engineering", "aliases/engineering"), ("Support", "rewrites/help")]
)


@pytest.fixture
def office(database: Database, sandbox: RunningSandbox) -> Iterator[Office]:
    """A deployment whose leavers stay in their lists until they are deleted."""
    with closing(Office(database, sandbox, policy=POLICY)) as opened:
        yield opened


@LISTS
def test_list_is_written_before_the_mailbox_goes(office: Office, department: str, path: str) -> None:
    """Due at the same moment, the list comes first, and the mailbox at once behind it."""
    office.employ("Ada Lovelace", "Grace Hopper", department=department)
    office.tell("left", "E1")
    office.drain()
    before = len(office.writes())

    office.move(10 * DAY)
    office.drain()

    assert office.writes()[before:] == [("PUT", path), ("DELETE", "mailboxes/ada.lovelace")]
    assert office.outstanding() == []


@LISTS
def test_mailbox_stays_while_its_list_cannot_be_written(office: Office, department: str, path: str) -> None:
    """The job says which list it waits for, makes no call meanwhile, and goes on when that is written."""
    office.employ("Ada Lovelace", "Grace Hopper", department=department)
    office.tell("left", "E1")
    office.drain()
    office.fail({"match": {"path": f"/v1/domains/*/{path}"}, "fault": "503"})
    office.move(10 * DAY)
    office.drain()
    before = len([call for call in office.calls() if "mailboxes" in call[1]])
    office.work_on(5 * MINUTE)

    job = office.job_of(1)
    assert (job.state, job.failures) == (JobState.WAITING, 0)
    assert str(job.reason).startswith("is deleted once ")
    assert path.partition("/")[2] in str(job.reason)
    assert len([call for call in office.calls() if "mailboxes" in call[1]]) == before
    assert "ada.lovelace" in office.mailboxes()

    office.fail()
    office.work_on(10 * MINUTE)

    assert set(office.mailboxes()) == {"grace.hopper"}
    assert office.outstanding() == []


def test_list_that_is_gone_at_the_host_keeps_no_mailbox(office: Office) -> None:
    """Where somebody deleted the list by hand, and nobody else is in it, nothing is waited for but a look at it."""
    office.employ("Ada Lovelace", department="Engineering")
    office.tell("left", "E1")
    office.drain()
    office.host("DELETE", "aliases/engineering")

    office.move(10 * DAY)
    office.work_on(3 * MINUTE)

    assert office.mailboxes() == {}
    assert office.outstanding() == []


def test_a_list_that_keeps_naming_a_leaver_needs_a_person(office: Office) -> None:
    """Where the leaver is the list's fallback nobody is about to take them out: it is held."""
    fallback = '[[groups]]\naddress = "desk"\nmembers = { department = "Desk" }\nfallback = "ada.lovelace"\n'
    office.employ("Ada Lovelace", "Grace Hopper")
    office.activate(POLICY + fallback)
    office.drain()
    office.tell("left", "E1")
    office.drain()
    office.move(10 * DAY)
    office.drain()

    assert office.aliases()["desk"] == {"ada.lovelace"}
    assert office.job_of(1).state is JobState.HELD
    assert "name another fallback" in str(office.job_of(1).reason)

    office.activate(POLICY + fallback.replace("ada.lovelace", "grace.hopper"))
    office.drain()
    office.move(60 * MINUTE)
    sweep_once(office.execution, threads=1)
    office.drain()
    assert office.aliases()["desk"] == {"grace.hopper"}
    assert "ada.lovelace" not in office.mailboxes()
