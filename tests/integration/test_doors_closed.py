"""Fields of the policy that close a person's last open door keep out as a block does, and are braked as one."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.integration.office import Office
from worker.bell import SilentBell
from worker.execution import verbs
from worker.execution.preview import OfEverybody, preview
from worker.intake import admit
from worker.sandbox import RunningSandbox
from worker.store.database import Database

NAMES = tuple(f"Ada {letter}" for letter in "ABCDEF")
POLICY = """
[organisation]
domain = "example.org"

[mailbox]
may_send = true
may_access_imap = true
may_access_pop3 = true
may_access_managesieve = true

[[overrides]]
people = { department = "Closed" }
mailbox = { may_send = false, may_access_imap = false, may_access_pop3 = false, may_access_managesieve = false }

[[overrides]]
people = { department = "Readers" }
mailbox = { may_send = false, may_access_pop3 = false, may_access_managesieve = false }

[brakes]
block = { floor = 2, share = 0.0, per = "24h" }
"""


@pytest.fixture
def office(database: Database, sandbox: RunningSandbox) -> Iterator[Office]:
    """Six people, to whom no override applies yet."""
    with closing(Office(database, sandbox, policy=None)) as opened:
        admit(opened.intake, POLICY)
        opened.employ(*NAMES, department="Engineering")
        yield opened


def _rename_departments(office: Office, to: str) -> None:
    for number in range(1, len(NAMES) + 1):
        office.tell("updated", f"E{number}", department=to)
    office.drain()


def _shut_out(office: Office) -> int:
    return sum(not any(office.doors(local_part).values()) for local_part in office.mailboxes())


def test_an_override_that_begins_to_fit_everybody_cannot_shut_out_everybody(office: Office) -> None:
    """Beyond the brake on blocks nobody's last door is closed, until somebody approves."""
    _rename_departments(office, "Closed")

    hold = office.hold()
    assert _shut_out(office) == 2
    assert (hold.brake, hold.source, hold.counted, hold.allowed, hold.population) == ("block", "hr", 2, 2, 6)
    assert len(hold.job_ids) == 4

    verbs.approve_hold(office.database, office.clock, SilentBell(), hold.id, "test", plan=hold.hash)
    office.drain()

    assert _shut_out(office) == 6


def test_a_plan_names_the_brake_ahead(office: Office) -> None:
    """The same is told before anything is carried out."""
    for number in range(1, len(NAMES) + 1):
        office.tell("updated", f"E{number}", department="Closed")

    found = preview(office.execution, office.intake, OfEverybody())

    assert list(map(str, found.brakes)) == ["the brake on 'block' (hr) would hold 4: 6 within 24h, 2 allowed"]


def test_doors_that_are_closed_while_one_stays_open_need_no_brake(office: Office) -> None:
    """Whoever may still read is not kept out; nor is anybody by what opens doors again."""
    _rename_departments(office, "Readers")
    assert office.outstanding() == []

    _rename_departments(office, "Engineering")

    assert office.outstanding() == []
    assert _shut_out(office) == 0


def test_they_are_counted_together_with_departures(office: Office) -> None:
    """Two who leave fill the window in which a third is shut out by a rule."""
    office.tell("left", "E1")
    office.tell("left", "E2")
    office.drain()

    office.tell("updated", "E3", department="Closed")
    office.drain()

    assert len(office.hold().job_ids) == 1
    assert any(office.doors("ada.c").values())
