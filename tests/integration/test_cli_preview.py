"""Previews against what then happens: the calls that were shown are the calls that the mail host sees."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from tests.integration.office import DAY, POLICY, Office
from worker.execution.preview import OfEvents, OfEverybody, OfPerson, Preview, Question, preview
from worker.execution.rehearsal import rehearsed
from worker.intake import accept
from worker.planning.step import Operation
from worker.sandbox import RunningSandbox
from worker.store.budget import CallLimit
from worker.store.database import Database
from worker.store.states import JobState

BRAKES = """
[brakes]
block = { floor = 2, share = 0.0, per = "24h" }
"""
OTHER = POLICY + "[mailbox]\nmay_access_pop3 = false\n"
_METHODS = {"create": "POST", "update": "PUT", "block": "PUT", "reopen": "PUT", "suspend": "PUT", "delete": "DELETE"}


@pytest.fixture(scope="module")
def host() -> Iterator[RunningSandbox]:
    """One stand-in mail host for the tests of this file."""
    with RunningSandbox() as running:
        yield running


@pytest.fixture
def office(database: Database, host: RunningSandbox) -> Iterator[Office]:
    """A deployment with five people, two of them of one department."""
    with closing(Office(database, host, policy=POLICY + BRAKES)) as opened:
        opened.employ("Ada A", "Bob B", department="Engineering")
        opened.join("E3", "Cleo C")
        opened.join("E4", "Dora D")
        opened.join("E5", "Emil E")
        opened.drain()
        yield opened


@dataclass(slots=True)
class Interrupting:
    """A clock that, when it is asked for the last time in a count, has something else happen first."""

    instant: datetime
    asked: int
    meanwhile: Callable[[], None]

    def now(self) -> datetime:
        """Return the same instant always."""
        self.asked -= 1
        if self.asked == 0:
            self.meanwhile()
        return self.instant


def _preview(office: Office, question: Question, policy: str | None = None) -> Preview:
    return preview(office.execution, office.intake, question, policy)


def _shown(found: Preview) -> list[tuple[str, str]]:
    """Return the calls that would be made, as (method, local part)."""
    steps = [step for each in found.subjects if each.goes_ahead for step in each.plan.steps]
    return sorted((_METHODS[step.operation.partition("-")[0]], step.target.partition("@")[0]) for step in steps)


def _made(office: Office, since: int) -> list[tuple[str, str]]:
    """Return the writing calls that were made since, in the same form."""
    return sorted((call["method"], _local(call)) for call in _all_calls(office)[since:] if call["method"] != "GET")


def _local(call: dict[str, object]) -> str:
    body = call["body"]
    made = body.get("local_part") if call["method"] == "POST" and isinstance(body, dict) else None
    return str(made or str(call["path"]).rpartition("/")[2])


def _all_calls(office: Office) -> list[dict[str, object]]:
    found: list[dict[str, object]] = office._control.get("/_sandbox/calls").json()["calls"]
    return found


def test_what_is_shown_is_what_is_made(office: Office) -> None:
    """Joining, renaming, moving and leaving: the writes that a preview shows are those that follow, and no others."""
    told = [
        office.event(
            "joined", "E9", givenName="Zoe", familyName="Z", personalEmail="z@home.example", department="Support"
        ),
        office.event("renamed", "E2", familyName="Baker"),
        office.event("updated", "E1", department="Support"),
        office.event("left", "E3", lastWorkingDay="2026-03-01"),
    ]

    found = _preview(office, OfEvents("hr", told))
    again = _preview(office, OfEvents("hr", told))
    since = len(_all_calls(office))
    for document in told:
        accept(office.intake, "hr", [document])
    office.drain()

    assert _shown(found) == _shown(again)
    assert _shown(found) == _made(office, since)
    assert found.writes == len(_shown(found)) >= 6


def test_a_future_departure_shows_when_it_begins(office: Office) -> None:
    """A departure next month costs nothing now, and the preview says what comes when."""
    left = office.event("left", "E1", lastWorkingDay="2026-04-01")

    (ada, *others) = _preview(office, OfEvents("hr", [left])).subjects

    assert not others
    assert not ada.plan.steps
    assert (ada.next_step, ada.next_at) == (
        "block and leave-groups",
        office.clock.now().replace(month=4, day=2, hour=0),
    )


def test_a_brake_is_foreseen(office: Office) -> None:
    """Where a brake would stop a mass departure, the preview says so for those beyond what it allows."""
    left = [office.event("left", f"E{number}", lastWorkingDay="2026-02-27") for number in (3, 4, 5)]

    found = _preview(office, OfEvents("hr", left))

    stopped = [each for each in found.subjects if each.stopped]
    assert len(stopped) == 1
    assert stopped[0].stopped is not None
    assert "brake on 'block'" in stopped[0].stopped
    assert [step.operation for step in stopped[0].plan.steps] == [Operation.BLOCK_MAILBOX]
    assert len(_shown(found)) == 2


def test_drift_is_told_and_not_counted(office: Office) -> None:
    """What somebody changed at the host is shown as drift, which no job repairs by itself."""
    office.host("PUT", "mailboxes/ada.a", name="Somebody Else")

    found = _preview(office, OfPerson(1))

    (ada,) = found.subjects
    assert ada.stopped is not None
    assert "differs" in ada.stopped
    assert found.writes == 0


def test_a_preview_takes_its_calls_from_the_budget(office: Office) -> None:
    """Two slots are taken for the two lists, and the time that the limit makes all calls take is told."""
    office.limited(CallLimit(calls=4, window=timedelta(seconds=10), reserve=1))
    other = POLICY.replace('"engineering"', '"builders"').replace('"support"', '"helpers"')

    found = _preview(office, OfEverybody(), other)

    assert ("POST", "builders") in _shown(found)
    assert found.seconds == (found.writes + found.reads - 1) // 3 * 10.0


def test_an_event_of_nobody_is_said(office: Office) -> None:
    """An event that no person could be found for leaves a note instead of a plan."""
    found = _preview(
        office, OfEvents("it", [office.event("updated", "unknown", title="x", time=office.clock.now() - DAY)])
    )

    assert not found.subjects
    assert len(found.notes) == 1


def test_nobody_waits_for_a_preview_to_write(office: Office) -> None:
    """While a rehearsal has written, events are accepted as ever; it sees what was there, and leaves nothing."""
    with rehearsed(office.database) as rehearsal:
        with rehearsal.write() as session:
            tried = session.execute(text("update people set phase = 'tried'"))
            assert tried.rowcount == len(office.people())  # type: ignore[attr-defined]
        office.tell("updated", "E2", department="Sales")

    assert {row.phase for row in office.people()} == {"active"}
    assert office.events()[-1].subject == "E2"


def test_workers_go_on_while_a_preview_stands_still(office: Office) -> None:
    """While everybody is tried under another policy, they move, join and leave, and a third policy comes into force."""
    happened = len(office.people()) + 1  # everybody but the last was evaluated by then

    def work() -> None:
        office.tell("updated", "E1", department="Support")
        office.join("E9", "Zoe Z")
        office.tell("left", "E3", lastWorkingDay="2026-03-01")
        office.drain()
        office.activate(POLICY + "[mailbox]\nmay_send = true\n")

    clock = Interrupting(office.clock.now(), happened, work)
    found = preview(office.execution, replace(office.intake, clock=clock), OfEverybody(), OTHER)

    assert clock.asked <= 0
    assert {job.state for job in office.jobs()} == {JobState.DONE}
    assert len(office.people()) == 6
    assert list(map(str, found.groups)) == ["5 mailboxes: may_access_pop3 true -> false"]
