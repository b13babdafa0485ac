"""A policy that begins to erase makes many past leavers due at once: the brake on deletions counts each of them."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.integration.office import DAY, Office
from worker.bell import SilentBell
from worker.execution import verbs
from worker.execution.compared import compare
from worker.execution.preview import OfEverybody
from worker.intake import admit
from worker.sandbox import RunningSandbox
from worker.store.database import Database
from worker.store.holds import Hold

NAMES = tuple(f"Ada {letter}" for letter in "ABCDEF")
PATIENT = """
[organisation]
domain = "example.org"

[leaving]
[[leaving.stages]]
after = "0d"
do = ["block"]
[[leaving.stages]]
after = "1d"
do = ["delete-mailbox"]
[[leaving.stages]]
after = "2d"
do = ["release-address"]

[brakes]
delete = { floor = 2, share = 0.0, per = "24h" }
"""
PURGING = PATIENT + '[[leaving.stages]]\nafter = "3d"\ndo = ["purge"]\n'
KEEPING = PATIENT.replace('[[leaving.stages]]\nafter = "2d"\ndo = ["release-address"]\n', "")
AT_ONCE = PURGING.replace('"1d"', '"0d"').replace('"2d"', '"0d"').replace('"3d"', '"0d"')


@pytest.fixture
def office(database: Database, sandbox: RunningSandbox) -> Iterator[Office]:
    """One who works here, and five who left long ago and have neither mailbox nor address any more."""
    with closing(Office(database, sandbox, policy=None)) as opened:
        admit(opened.intake, PATIENT)
        opened.employ(*NAMES)
        for number in range(1, 6):
            opened.tell("left", f"E{number}")
            opened.drain()
            opened.work_on(3 * DAY, every=DAY)
        assert (set(opened.mailboxes()), opened.outstanding()) == ({"ada.f"}, [])
        yield opened


def _erased(office: Office) -> int:
    return sum(row.erased_at is not None for row in office.people())


def _approve(office: Office, hold: Hold) -> None:
    verbs.approve_hold(office.database, office.clock, SilentBell(), hold.id, "test", plan=hold.hash)
    office.drain()


def test_a_policy_that_erases_beyond_the_brake_is_held(office: Office) -> None:
    """Before it comes into force it is told how many people it would erase, and nobody is."""
    admission = admit(office.intake, PURGING)
    office.drain()

    assert "would erase 5 people: allowed 2" in str(admission.kept_out)
    assert _erased(office) == 0


def test_those_whose_addresses_are_not_given_up_yet_are_counted_too(office: Office) -> None:
    """Whoever is erased as soon as the addresses are released is erased by the same policy."""
    admit(office.intake, KEEPING)
    office.tell("left", "E6")
    office.drain()
    office.work_on(3 * DAY, every=DAY)
    assert office.mailboxes() == {}

    assert "would erase 6 people: allowed 2" in str(admit(office.intake, PURGING).kept_out)


def test_erasures_beyond_the_brake_wait_for_an_approval(office: Office) -> None:
    """Once it is in force as many are erased as the brake on deletions allows; the others are one hold."""
    admit(office.intake, PURGING)
    _approve(office, office.hold())

    hold = office.hold()
    assert _erased(office) == 2
    assert (hold.brake, hold.source, hold.counted, hold.allowed, len(hold.job_ids)) == ("delete", "hr", 2, 2, 3)

    _approve(office, hold)

    assert _erased(office) == 5
    assert office.outstanding() == []


def test_a_plan_of_the_policy_tells_it_ahead(office: Office) -> None:
    """Who would be erased, what the brake would hold of it, and that the policy itself would be held."""
    found, difference = compare(office.execution, office.intake, OfEverybody(), PATIENT, PURGING)

    assert list(map(str, difference.brings)) == ["5 people erased (3 of them held)"]
    assert difference.writes == 0
    assert list(map(str, found.brakes)) == ["the brake on 'delete' (hr) would hold 3: 5 within 24h, 2 allowed"]
    assert str(difference.admission) == "would erase 5 people: allowed 2"


def test_whose_mailbox_is_deleted_and_who_is_then_erased_is_counted_once(office: Office) -> None:
    """Two who leave under a policy that takes all at once fit into a window for two."""
    for number in range(1, 6):
        office.join(f"E{number}", NAMES[number - 1])
    office.drain()
    office.move(2 * DAY)
    admit(office.intake, AT_ONCE)

    office.tell("left", "E1")
    office.tell("left", "E2")
    office.drain()

    assert _erased(office) == 2
    assert office.outstanding() == []

    office.tell("left", "E3")
    office.drain()

    assert office.hold().brake == "delete"
