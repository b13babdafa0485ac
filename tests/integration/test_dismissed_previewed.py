"""Previews of who has a job that was dismissed: nothing would be done, and that is said, until something asks again."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.integration.office import DAY, POLICY, Office
from worker.bell import SilentBell
from worker.execution import verbs
from worker.execution.preview import OfEverybody, OfPerson, Preview, preview
from worker.sandbox import RunningSandbox
from worker.store.database import Database
from worker.store.states import JobState

BRAKED = POLICY + '\n[brakes]\nblock = { floor = 0, share = 0.0, per = "24h" }\n'
NAMES = ("Ada Lovelace", "Grace Hopper", "Alan Turing")


@pytest.fixture
def rejected(database: Database, sandbox: RunningSandbox) -> Iterator[Office]:
    """Everybody was said to have left, and an operator rejected that."""
    with closing(Office(database, sandbox, policy=BRAKED)) as office:
        office.employ(*NAMES)
        office.move(DAY)
        for number in range(1, 4):
            office.tell("left", f"E{number}")
        office.drain()
        verbs.reject_hold(office.database, office.clock, SilentBell(), office.hold().id, "test")
        office.drain()
        assert office.outstanding() == []
        yield office


def _everybody(office: Office) -> Preview:
    return preview(office.execution, office.intake, OfEverybody())


def _first(office: Office) -> Preview:
    return preview(office.execution, office.intake, OfPerson(office.jobs(JobState.DISMISSED)[0].person_id or 0))


@pytest.mark.parametrize("question", [_everybody, _first])
def test_what_was_dismissed_is_shown_as_what_nobody_asks_for(
    rejected: Office, question: Callable[[Office], Preview]
) -> None:
    """Its calls are not counted, no brake would hold it, nobody has to decide, and it is said how it is asked for."""
    found = question(rejected)

    stopped = [each for each in found.subjects if each.plan.steps]
    assert stopped
    assert all("was dismissed, so this waits for an event" in str(each.stopped) for each in stopped)
    assert not any(each.goes_ahead or each.is_asked_for or each.needs_a_person for each in found.subjects)
    assert (found.writes, found.brakes, found.groups) == (0, (), ())


def test_what_asks_again_is_shown_as_before(rejected: Office) -> None:
    """Another policy asks for all of it: then it would be done."""
    found = preview(rejected.execution, rejected.intake, OfEverybody(), POLICY)

    assert sum(each.goes_ahead for each in found.subjects) == len(NAMES)
    rejected.activate(POLICY)
    rejected.drain()
    assert not any(box["may_send"] for box in rejected.mailboxes().values())
