"""A policy that is not in force, previewed against the one that is, with mailboxes that exist."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.integration.office import Office
from worker.execution.compared import Difference, compare
from worker.execution.preview import OfEverybody, Preview
from worker.sandbox import RunningSandbox
from worker.store.database import Database
from worker.store.tables import HoldRow, JobRow, PolicyRow, StepRow

POLICY = """
[organisation]
domain = "example.org"

[mailbox]
may_access_pop3 = true

[leaving]
[[leaving.stages]]
after = "90d"
do = ["block"]

[brakes]
block = { floor = 2, share = 0.0, per = "24h" }
"""
AT_ONCE = POLICY.replace('"90d"', '"0d"')
NO_POP = POLICY.replace("pop3 = true", "pop3 = false")


@pytest.fixture
def office(database: Database, sandbox: RunningSandbox) -> Iterator[Office]:
    """A deployment with six people, five of whom have left and keep their mailbox for months."""
    with closing(Office(database, sandbox, policy=POLICY)) as opened:
        opened.employ(*(f"Ada {letter}" for letter in "ABCDEF"))
        for number in range(1, 6):
            opened.tell("left", f"E{number}")
        opened.drain()
        yield opened


def _compared(office: Office, other: str) -> tuple[Preview, Difference]:
    return compare(office.execution, office.intake, OfEverybody(), POLICY, other)


def test_a_default_that_changes_is_one_line(office: Office) -> None:
    """The field and its values are told once, with the number of mailboxes and of calls."""
    _, difference = _compared(office, NO_POP)

    assert list(map(str, difference.brings)) == ["6 mailboxes: may_access_pop3 true -> false"]
    assert (difference.writes, difference.spares, difference.anyway) == (6, (), ())
    assert len(difference.subjects) == 6
    assert not difference.admission.exceeds


def test_brakes_that_would_hold_are_named_in_advance(office: Office) -> None:
    """Both what would be held when the policy is put into force, and what the brake would hold after that."""
    found, difference = _compared(office, AT_ONCE)

    assert list(map(str, difference.brings)) == ["5 mailboxes blocked (3 of them held)"]
    assert list(map(str, found.brakes)) == ["the brake on 'block' (hr) would hold 3: 5 within 24h, 2 allowed"]
    assert difference.admission.exceeds
    assert str(difference.admission) == "would block 5 of 6 mailboxes: allowed 2"


def test_what_comes_anyway_is_no_part_of_the_difference(office: Office) -> None:
    """Somebody who joins gets a mailbox under either policy, and one with other doors under the new one."""
    office.join("E9", "Ben B")
    office.apply_all()

    _, difference = _compared(office, NO_POP)

    assert list(map(str, difference.anyway)) == ["1 mailbox made"]
    assert difference.writes == 6


def test_nothing_is_kept(office: Office) -> None:
    """A comparison leaves neither a job nor a policy, and writes nothing at the mail host."""
    tables = (JobRow, PolicyRow, StepRow, HoldRow)
    before, written = [office.total(table) for table in tables], len(office.writes())

    _compared(office, AT_ONCE)

    assert [office.total(table) for table in tables] == before
    assert len(office.writes()) == written
