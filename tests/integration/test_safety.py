"""Safety: rosters that come empty, cut off, renamed or all gone delete nothing, and say what they would have done."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.office import DAY, Office
from tests.integration.shell import beside
from worker.bell import SilentBell
from worker.execution import sweep_once, verbs
from worker.execution.preview import OfEvents, preview
from worker.intake import admit, apply_next
from worker.sandbox import RunningSandbox
from worker.store.database import Database
from worker.store.holds import Hold, HoldState, find_hold, list_holds

TEAMS = ("red", "green", "blue", "white", "black")
POLICY = '[organisation]\ndomain = "example.org"\n' + "".join(
    f'\n[[groups]]\naddress = "{team}"\nmembers = {{ department = "{team}" }}\n' for team in TEAMS
)
WITH_FALLBACK = re.sub(r"(members = .*)", r'\1\nfallback = "ada.a"', POLICY)
NAMES = tuple(f"Ada {letter}" for letter in "ABCDEFGHIJKLMNO")
HALF_A_MINUTE = timedelta(seconds=30)
ONE_BY_ONE = tuple(range(1, len(NAMES) + 1))
TEAM_BY_TEAM = tuple(sorted(ONE_BY_ONE, key=lambda number: number % 5))
IN_EITHER_ORDER = pytest.mark.parametrize("order", [ONE_BY_ONE, TEAM_BY_TEAM], ids=["one by one", "team by team"])
LET_THROUGH = 5
"""How many blocks the default brake lets through, for fifteen people."""


@pytest.fixture
def office(database: Database, sandbox: RunningSandbox) -> Iterator[Office]:
    """Fifteen people in five departments, each with its list, under the default brakes."""
    with closing(Office(database, sandbox, policy=None)) as opened:
        admit(opened.intake, POLICY)
        for number, name in enumerate(NAMES, 1):
            opened.join(f"E{number}", name, department=TEAMS[number % 5])
        opened.drain()
        assert (len(opened.mailboxes()), len(opened.aliases())) == (15, 5)
        yield opened


def _rename_departments(office: Office, to: str) -> None:
    for number in range(1, len(NAMES) + 1):
        office.tell("updated", f"E{number}", department=to.format(TEAMS[number % 5]))
    office.drain()


def _rename_departments_slowly(office: Office, order: tuple[int, ...], look: Callable[[], None]) -> None:
    """Have all told at once, and applied one by one within minutes, with workers at the lists in between."""
    for number in order:
        office.tell("updated", f"E{number}", department="none of these")
    while apply_next(office.intake):
        look()
        for _ in range(2):
            office.run_all()
            office.move(HALF_A_MINUTE / 2)


def _everybody_leaves(office: Office) -> None:
    for number in range(1, len(NAMES) + 1):
        office.tell("left", f"E{number}")
    office.drain()


def _shut(office: Office) -> int:
    return sum(not box["may_send"] for box in office.mailboxes().values())


def _reasons(office: Office) -> set[str]:
    return {str(reason) for _, state, reason in office.outstanding() if state == "held"}


def _decided(office: Office, hold: Hold) -> HoldState:
    with office.database.read() as session:
        found = find_hold(session, hold.id)
    assert found is not None
    return found.state


def _hold(office: Office, brake: str) -> Hold:
    with office.database.read() as session:
        (hold,) = (hold for hold in list_holds(session) if hold.brake == brake)
    return hold


def _approve(office: Office, brake: str) -> None:
    hold = _hold(office, brake)
    verbs.approve_hold(office.database, office.clock, SilentBell(), hold.id, "test", plan=hold.hash)
    office.drain()


def test_an_empty_roster_deletes_nothing(office: Office) -> None:
    """No events after a full roster are no departures, however long it stays so."""
    before = office.mail_state()

    office.drain()
    office.move(400 * DAY)
    sweep_once(office.execution, 1)
    office.drain()

    assert office.mail_state() == before


def test_a_roster_that_was_cut_off_deletes_nothing(office: Office) -> None:
    """Whoever a later delivery does not name any more stays as they are: absence is never a departure."""
    before = office.mail_state()

    for number in (1, 2):
        office.join(f"E{number}", NAMES[number - 1], department=TEAMS[number % 5])
    office.drain()
    office.move(400 * DAY)
    office.drain()

    assert office.mail_state() == before


def test_departments_that_are_all_renamed_delete_no_list(office: Office) -> None:
    """No list goes, not even the first, and all keep their members until somebody approves."""
    before = office.mail_state()

    _rename_departments(office, "team {}")

    hold = office.hold()
    assert (hold.brake, hold.counted, hold.allowed, hold.population) == ("lists", 0, 2, 5)
    assert len(hold.job_ids) == len(office.aliases()) == 5
    assert office.mail_state() == before
    seen = "0 within 24h already, this one and 4 more to come, 2 allowed for 5 lists"
    assert _reasons(office) == {f"the brake on 'lists' stops this: {seen} (hold {hold.id})"}


@IN_EITHER_ORDER
def test_departments_that_are_all_renamed_slowly_delete_no_list(office: Office, order: tuple[int, ...]) -> None:
    """However long it takes to apply a roster, no list goes that lost its last member before the others did."""
    began = office.clock.now()
    _rename_departments_slowly(office, order, look=lambda: None)
    assert office.clock.now() - began > 10 * HALF_A_MINUTE
    office.work_on(2 * HALF_A_MINUTE, every=HALF_A_MINUTE)

    assert set(office.aliases()) == set(TEAMS)
    assert not office.calls("DELETE")
    hold = office.hold()
    assert (hold.brake, hold.counted, len(hold.job_ids)) == ("lists", 0, 5)


@IN_EITHER_ORDER
def test_lists_that_are_renamed_slowly_are_handed_to_their_fallback_together(
    office: Office, order: tuple[int, ...]
) -> None:
    """Until all is applied each keeps its last member, and its fallback alone gets the mail of none."""
    office.activate(WITH_FALLBACK)
    office.drain()

    _rename_departments_slowly(office, order, look=lambda: _expect_members(office))
    office.work_on(2 * HALF_A_MINUTE, every=HALF_A_MINUTE)

    assert office.aliases() == {team: {"ada.a"} for team in TEAMS}
    assert office.outstanding() == []


def _expect_members(office: Office) -> None:
    assert {"ada.a"} not in [members for team, members in office.aliases().items() if team != TEAMS[1]]


def test_a_preview_says_that_departments_renamed_delete_no_list(office: Office) -> None:
    """It counts as the brake does."""
    documents = [
        office.event("updated", f"E{number}", department=f"team {TEAMS[number % 5]}")
        for number in range(1, len(NAMES) + 1)
    ]

    found = preview(office.execution, office.intake, OfEvents("hr", documents))

    (braked,) = found.brakes
    assert (braked.brake, braked.held, braked.passed, braked.allowed) == ("lists", 5, 0, 2)
    assert not any(each.goes_ahead for each in found.subjects)
    assert str(braked) == "the brake on 'lists' (operator) would hold 5: 5 within 24h, 2 allowed"


def test_a_preview_counts_a_list_that_only_a_held_block_keeps(office: Office) -> None:
    """Two teams leave, but for one whose block is held, and a third is renamed: three lists are about to go."""
    leaves = [office.event("left", f"E{number}") for number in (1, 5, 6, 10, 11, 15)]
    moves = [office.event("updated", f"E{number}", department="none of these") for number in (2, 7, 12)]

    found = preview(office.execution, office.intake, OfEvents("hr", leaves + moves))

    assert [str(each) for each in found.brakes] == [
        "the brake on 'block' (hr) would hold 1: 6 within 24h, 5 allowed",
        "the brake on 'lists' (operator) would hold 2: 3 within 24h, 2 allowed",
    ]


def test_holds_say_what_a_brake_on_lists_counts(office: Office, migrated_url: str, tmp_path: Path) -> None:
    """Nothing went, and nothing may: who approves sees why."""
    _rename_departments(office, "team {}")

    said = beside(office, migrated_url, tmp_path).run("holds", "list").out

    assert ": 0 already, 2 allowed for 5 lists; those that are about to go count, too\n" in said


@pytest.mark.parametrize(("renamed", "gone"), [(1, 1), (2, 2), (3, 0), (4, 0)])
def test_half_of_all_lists_may_go_at_once(office: Office, renamed: int, gone: int) -> None:
    """A department or two that are no more are nobody's mistake; where more are to go at once, none does."""
    for number in range(1, len(NAMES) + 1):
        if number % 5 < renamed:
            office.tell("updated", f"E{number}", department="none of these")
    office.drain()

    assert len(office.aliases()) == 5 - gone


def test_lists_that_go_one_by_one_are_counted_against_those_there_were(office: Office) -> None:
    """Two of five go on their own, and the third within a day is held, like all after it."""
    for team in range(5):
        for number in range(1, len(NAMES) + 1):
            if number % 5 == team:
                office.tell("updated", f"E{number}", department="none of these")
        office.drain()

    hold = office.hold()
    assert (hold.counted, hold.allowed, hold.population) == (2, 2, 5)
    assert len(hold.job_ids) == len(office.aliases()) == 3


def test_departments_that_get_their_names_back_bring_the_lists_back(office: Office) -> None:
    """What was held lapses, and nothing had gone."""
    before = office.aliases()
    _rename_departments(office, "team {}")
    hold = office.hold()

    _rename_departments(office, "{}")
    sweep_once(office.execution, 1)

    assert office.aliases() == before
    assert office.outstanding() == []
    assert _decided(office, hold) is HoldState.LAPSED


def test_an_approved_renaming_lets_the_lists_go(office: Office) -> None:
    """With the hash that was seen, all of them go."""
    _rename_departments(office, "team {}")

    _approve(office, "lists")

    assert office.aliases() == {}
    assert len(office.mailboxes()) == 15


def test_lists_with_a_fallback_need_no_brake(office: Office) -> None:
    """Mail to a list that lost everybody goes to its fallback: nothing is deleted and nothing is held."""
    office.activate(WITH_FALLBACK)
    office.drain()

    _rename_departments(office, "team {}")

    assert office.aliases() == {team: {"ada.a"} for team in TEAMS}
    assert office.outstanding() == []


def test_a_source_that_lets_everyone_leave_is_stopped(office: Office) -> None:
    """Beyond what the brake lets through nobody is blocked and nothing deleted; the message tells what it saw."""
    _everybody_leaves(office)

    hold = _hold(office, "block")
    assert (hold.brake, hold.source, hold.counted, hold.allowed, hold.population) == ("block", "hr", 5, 5, 15)
    assert _shut(office) == LET_THROUGH
    assert len(hold.job_ids) == 15 - LET_THROUGH
    assert (
        f"the brake on 'block' stops this: 5 within 24h already, 5 allowed for 15 mailboxes (hold {hold.id})"
        in _reasons(office)
    )
    assert len(office.mailboxes()) == 15
    assert {team: len(members) for team, members in office.aliases().items()} == dict.fromkeys(TEAMS, 2)
    assert all(reason.startswith("the brake on 'block'") for reason in _reasons(office))


def test_the_window_outlives_restarts_and_workers_at_once(office: Office) -> None:
    """Four workers, the same database, a restart: no more is let through, and it stays one hold."""
    for number in range(1, len(NAMES) + 1):
        office.tell("left", f"E{number}")
    office.apply_all()
    workers = [office.colleague(f"worker {number}") for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(office.run_all, workers))
    office.execution = office.colleague("after the restart")
    admit(office.intake, POLICY)
    sweep_once(office.execution, 4)
    office.drain()

    assert _shut(office) == LET_THROUGH
    with office.database.read() as session:
        assert [hold.brake for hold in list_holds(session, None) if hold.brake == "block"] == ["block"]


def test_a_rejected_leave_of_everyone_leaves_them_in(office: Office) -> None:
    """A rejection dismisses the jobs; those who were blocked come back when the source takes its word back."""
    _everybody_leaves(office)
    verbs.reject_hold(office.database, office.clock, SilentBell(), _hold(office, "block").id, "test")
    office.drain()
    assert _shut(office) == LET_THROUGH

    office.move(DAY / 24)
    for number in range(1, len(NAMES) + 1):
        office.tell("leaving_cancelled", f"E{number}")
    office.drain()

    assert _shut(office) == 0
    assert set(office.aliases()) == set(TEAMS)
    assert office.outstanding() == []


def test_an_approved_leave_of_everyone_still_meets_the_brakes_on_deletion(office: Office) -> None:
    """The lists that lost everybody, and a month later the mailboxes, are other questions, asked by other brakes."""
    _everybody_leaves(office)
    _approve(office, "block")
    assert _shut(office) == 15
    assert len(_hold(office, "lists").job_ids) == len(office.aliases()) == len(TEAMS)

    office.move(31 * DAY)
    office.drain()
    kept_by_lists = [reason for _, state, reason in office.outstanding() if state == "waiting"]
    assert len(office.mailboxes()) == 15 - 3
    assert len(kept_by_lists) == 15 - LET_THROUGH  # whoever was blocked first was taken out of lists that had others
    assert all("no longer names it" in str(reason) for reason in kept_by_lists)
    assert len(_hold(office, "lists").job_ids) == len(TEAMS)

    _approve(office, "lists")
    assert office.aliases() == {}
    assert len(office.mailboxes()) == len(_hold(office, "delete").job_ids) == 15 - 3
