"""A hold that stops nothing any more ends by itself, whatever took its jobs another way."""

from collections.abc import Callable
from contextlib import closing

import pytest

from tests.integration.office import Office
from tests.integration.test_doors_closed import NAMES, POLICY
from worker.execution import sweep_once
from worker.intake import admit
from worker.sandbox import RunningSandbox
from worker.store import holds
from worker.store.database import Database
from worker.store.holds import HoldState

DOOR = "may_send = false, may_access_imap = false, may_access_pop3 = false, may_access_managesieve = false"


def _take_the_policy_back(office: Office) -> None:
    admit(office.intake, POLICY.replace(DOOR, "may_send = false"))


def _take_the_facts_back(office: Office) -> None:
    for number in range(1, len(NAMES) + 1):
        office.tell("updated", f"E{number}", department="Engineering")


@pytest.mark.parametrize("end", [_take_the_policy_back, _take_the_facts_back])
def test_a_hold_without_jobs_lapses(database: Database, sandbox: RunningSandbox, end: Callable[[Office], None]) -> None:
    """Nobody is asked about what nobody wants any more."""
    with closing(Office(database, sandbox, policy=None)) as office:
        admit(office.intake, POLICY)
        office.employ(*NAMES, department="Closed")
        for number in range(1, len(NAMES) + 1):
            office.tell("updated", f"E{number}", department="Engineering")
        office.drain()
        for number in range(1, len(NAMES) + 1):
            office.tell("updated", f"E{number}", department="Closed")
        office.drain()
        hold = office.hold()

        end(office)
        office.drain()
        sweep_once(office.execution, 1)
        office.drain()

        with office.database.read() as session:
            assert holds.list_holds(session) == []
            ended = holds.find_hold(session, hold.id)
        assert ended is not None
        assert ended.state is HoldState.LAPSED
        assert office.outstanding() == []
