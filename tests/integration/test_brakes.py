"""Brakes: mass changes stop before their first call, are approved once by what was seen, or are dismissed."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.integration.office import DAY, POLICY, Office
from worker.sandbox import RunningSandbox
from worker.store import holds
from worker.store.database import Database
from worker.store.holds import HoldChanged, HoldState, find_hold, list_holds

HOUR = timedelta(hours=1)
NAMES = ("Ada A", "Ada B", "Ada C", "Ada D", "Ada E", "Ada F", "Ada G", "Ada H")
BRAKES = """
[brakes]
block = { floor = 2, share = 0.0, per = "24h" }
delete = { floor = 1, share = 0.0, per = "24h" }
immediate = { floor = 1, share = 0.0, per = "1h" }
"""


@pytest.fixture
def office(database: Database, sandbox: RunningSandbox) -> Iterator[Office]:
    """A deployment with tight brakes and eight people."""
    with closing(Office(database, sandbox, policy=POLICY + BRAKES)) as opened:
        opened.employ(*NAMES)
        yield opened


def _leave(office: Office, *numbers: int, **more: object) -> None:
    for number in numbers:
        office.tell("left", f"E{number}", **more)
    office.drain()


def _blocked(office: Office) -> int:
    return sum(not box["may_send"] for box in office.mailboxes().values())


def _approve(office: Office, *, seen_hash: str | None = None) -> int:
    hold = office.hold()
    with office.database.write() as session:
        return holds.approve(session, hold.id, seen_hash or hold.hash, "test", office.clock.now())


def test_as_many_blocks_as_allowed_pass(office: Office) -> None:
    """Up to the floor nothing is stopped."""
    _leave(office, 1, 2)

    assert _blocked(office) == 2
    assert office.outstanding() == []


def test_more_blocks_than_allowed_become_one_hold(office: Office) -> None:
    """What exceeds the window is held under one hold that says what it counted, and nothing is sent for it."""
    _leave(office, *range(1, 8))

    hold = office.hold()
    assert _blocked(office) == 2
    assert [state for _, state, _ in office.outstanding()] == ["held"] * 5
    assert len(hold.job_ids) == 5
    assert (hold.brake, hold.source, hold.counted, hold.allowed, hold.population) == ("block", "hr", 2, 2, 8)
    assert len([write for write in office.writes() if write[0] == "PUT"]) == 2
    assert all("brake on 'block'" in str(reason) for _, _, reason in office.outstanding())


def test_share_of_the_population_counts_where_it_is_larger(office: Office) -> None:
    """With half of eight people allowed, the fifth block is stopped."""
    office.activate(POLICY + BRAKES.replace("floor = 2, share = 0.0", "floor = 2, share = 0.5"))

    _leave(office, *range(1, 7))

    assert _blocked(office) == 4
    assert len(office.hold().job_ids) == 2


def test_approval_lets_exactly_the_held_jobs_go(office: Office) -> None:
    """With the hash that was seen, all jobs of the hold go on; who leaves afterwards is stopped anew."""
    _leave(office, *range(1, 6))

    assert _approve(office) == 3
    office.drain()
    assert _blocked(office) == 5
    assert office.outstanding() == []

    _leave(office, 6)

    assert _blocked(office) == 5
    assert len(office.hold().job_ids) == 1


def test_approval_of_what_was_not_seen_is_refused(office: Office) -> None:
    """A hash of other plans than those that are held approves nothing; so does one from before another job joined."""
    _leave(office, 1, 2, 3)
    seen = office.hold().hash
    with pytest.raises(HoldChanged):
        _approve(office, seen_hash="0" * 64)

    _leave(office, 4)
    with pytest.raises(HoldChanged):
        _approve(office, seen_hash=seen)
    office.drain()

    assert _blocked(office) == 2
    assert len(office.hold().job_ids) == 2


def test_hold_is_decided_once(office: Office) -> None:
    """An approved hold can neither be approved again nor rejected."""
    _leave(office, 1, 2, 3)
    hold = office.hold()
    _approve(office)

    with office.database.write() as session, pytest.raises(HoldChanged):
        holds.reject(session, hold.id, "test", office.clock.now())
    with office.database.read() as session:
        known = find_hold(session, hold.id)
    assert known is not None
    assert known.state is HoldState.APPROVED
    assert known.decided_by == "test"


def test_rejection_dismisses_the_jobs(office: Office) -> None:
    """The jobs of a rejected hold are dismissed and nothing is sent for them; the next event looks again."""
    _leave(office, 1, 2, 3, 4)
    with office.database.write() as session:
        assert holds.reject(session, office.hold().id, "test", office.clock.now()) == 2
    office.drain()

    assert _blocked(office) == 2
    assert office.outstanding() == []
    with office.database.read() as session:
        assert list_holds(session) == []


def test_person_who_comes_back_leaves_the_hold(office: Office) -> None:
    """A held departure that is taken back is no longer part of the hold, and the person keeps the mailbox."""
    _leave(office, 1, 2, 3, 4)
    office.move(HOUR)

    office.tell("leaving_cancelled", "E4")
    office.drain()

    assert len(office.hold().job_ids) == 1
    assert office.doors("ada.d")["send"]


def test_window_slides_with_the_clock(office: Office) -> None:
    """A day later the window is empty again."""
    _leave(office, 1, 2)
    office.move(23 * HOUR)
    _leave(office, 3)
    assert _blocked(office) == 2

    office.move(2 * HOUR)
    _leave(office, 4, 5)

    assert _blocked(office) == 4
    assert len(office.hold().job_ids) == 1


def test_window_survives_a_restart(office: Office) -> None:
    """Another process on the same database counts what the first one has blocked."""
    _leave(office, 1, 2)

    office.execution = office.colleague("after the restart")
    office.intake = replace(office.intake)
    _leave(office, 3)

    assert _blocked(office) == 2
    assert len(office.hold().job_ids) == 1


def test_immediate_revocations_have_a_window_of_their_own(office: Office) -> None:
    """A full window of blocks does not stop an immediate revocation, and the other way round."""
    _leave(office, 1, 2, 3)
    assert _blocked(office) == 2

    _leave(office, 4, immediate=True)
    assert _blocked(office) == 3

    _leave(office, 5, immediate=True)

    assert _blocked(office) == 3
    with office.database.read() as session:
        assert [hold.brake for hold in list_holds(session)] == ["block", "immediate"]


def test_brakes_count_per_source(office: Office) -> None:
    """Departures that another source states are counted in a window of their own."""
    for number in (3, 4):
        office.tell("updated", f"E{number}", employeeNumber=f"N{number}")
        office.tell("updated", f"it-{number}", source="it", employeeNumber=f"N{number}")
    _leave(office, 1, 2)
    office.move(HOUR)

    office.tell("left", "it-3", source="it")
    office.drain()

    assert _blocked(office) == 3
    assert office.outstanding() == []


def test_deletions_have_a_brake(office: Office) -> None:
    """When more mailboxes are due for deletion than allowed, the others wait for an approval."""
    _leave(office, 1, 2)
    office.move(31 * DAY)
    office.drain()
    assert len(office.mailboxes()) == 7
    assert office.hold().brake == "delete"

    _approve(office)
    office.drain()

    assert len(office.mailboxes()) == 6


def test_suspensions_are_not_braked(office: Office) -> None:
    """A suspension is lossless, so no brake counts it."""
    for number in range(1, 9):
        office.tell("suspended", f"E{number}")
    office.drain()

    assert _blocked(office) == 8
    assert office.outstanding() == []
