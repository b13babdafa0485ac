"""Stored events applied once more: what was right stays as it is to the last row, and what was not is mended."""

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Event

import pytest
from sqlalchemy import select

from tests.integration.office import DAY, ON_POSTGRESQL, POLICY, Office
from tests.integration.shell import beside
from worker.execution import run_next
from worker.execution.undo import undo
from worker.execution.verbs import VerbRefused
from worker.intake import apply_next
from worker.intake.merging import MergeRefused, merge, split
from worker.intake.reapply import Outcome, Replayable, Wanted, reapply
from worker.store.audit import latest_acts
from worker.store.states import EventState
from worker.store.tables import Base

WHEN = {"updated_at", "evaluated_at"}
"""Columns that only say when somebody looked."""
POLICY_WITH_STAGES = (
    POLICY
    + """
[[leaving.stages]]
after = "0d"
do = ["block", "leave-groups"]
[[leaving.stages]]
after = "20d"
do = ["delete-mailbox", "alias-to-manager"]
[[leaving.stages]]
after = "60d"
do = ["release-address"]
"""
).replace("[[leaving.stages]]", "[leaving]\n[[leaving.stages]]", 1)


def _everything(office: Office) -> dict[str, list[str]]:
    """Return every row of every table, what only tells of a look apart."""
    with office.database.read() as session:
        return {
            table.name: sorted(
                str(tuple(value for column, value in row._mapping.items() if column not in WHEN))
                for row in session.execute(select(table))
            )
            for table in Base.metadata.sorted_tables
        }


def _again(office: Office, *, dry_run: bool = False, **wanted: object) -> Counter[Outcome]:
    return Counter(each.outcome for each in reapply(office.intake, Wanted(**wanted), dry_run=dry_run))  # type: ignore[arg-type]


def _months(office: Office, chance: random.Random) -> None:
    """Let things happen to ten people: whatever sources and operators can say, in any order, and late."""
    office.intake = replace(office.intake, creators={"hr", "it"})
    office.activate(POLICY_WITH_STAGES)
    for number in range(1, 9):
        office.join(f"E{number}", f"Ada {'ABCDEFGHI'[number]}byron", employeeNumber=f"N{number}")
    for number in range(1, 4):
        office.tell("updated", f"laptop-{number}", source="it", employeeNumber=f"N{number}", location="Berlin")
    office.join("stray", "Alan Turing", source="it", employeeNumber="N99")
    office.tell("updated", "nobody", source="payroll", title="unmatched")
    office.join("E9", "Mary Erased", hireDate="2026-08-01")
    for told in ("joining_cancelled", "purged"):
        office.move(timedelta(minutes=1))
        office.tell(told, "E9")
    office.drain()
    for _ in range(40):
        subject = f"E{chance.randrange(1, 9)}"
        chance.choice(_HAPPENINGS)(office, chance, subject)
        if chance.random() < 0.6:
            office.drain()
        office.move(timedelta(hours=chance.randrange(1, 48)))
    office.work_on(DAY, every=DAY / 4)


def _undo_something(office: Office, chance: random.Random, _: str) -> None:
    try:
        undo(office.intake, chance.choice(office.jobs()).id, "cli:ada")
    except VerbRefused:
        return


def _merge_some(office: Office, chance: random.Random, _: str) -> None:
    office.drain()
    try:
        if chance.random() < 0.5:
            merge(office.intake, chance.randrange(1, 9), 9, actor="cli:ada")
        else:
            split(office.intake, chance.randrange(1, 4), [("it", f"laptop-{chance.randrange(1, 4)}")], actor="cli:ada")
    except (MergeRefused, LookupError, ValueError):
        return


_HAPPENINGS: list[Callable[[Office, random.Random, str], object]] = [
    lambda office, chance, who: office.tell("updated", who, department=chance.choice(["Engineering", "Support", None])),
    lambda office, chance, who: office.tell("updated", who, manager=f"E{chance.randrange(1, 9)}"),
    lambda office, chance, who: office.tell("renamed", who, familyName=chance.choice(["King", "Hopper", "Noether"])),
    lambda office, chance, who: office.tell("updated", who, title="late", time=office.clock.now() - 9 * DAY),
    lambda office, chance, who: office.tell("suspended", who),
    lambda office, chance, who: office.tell("resumed", who),
    lambda office, chance, who: office.tell("left", who),
    lambda office, chance, who: office.tell(
        "left", who, lastWorkingDay=f"{office.clock.now() + chance.randrange(1, 20) * DAY:%Y-%m-%d}"
    ),
    lambda office, chance, who: office.tell("leaving_cancelled", who),
    lambda office, chance, who: office.join(who, f"Ada {who}", employeeNumber=f"N{who[1:]}"),
    lambda office, chance, who: office.tell("purged", who),
    _undo_something,
    _merge_some,
]


def test_replay_of_everything_changes_nothing(office: Office) -> None:
    """Whatever happened, every row and every call is as it was, and so it is the second time."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown where it fails
    _months(office, random.Random(seed))
    assert any(person.erased_at for person in office.people())
    before, calls = _everything(office), len(office.calls())

    dry = _again(office, dry_run=True)
    assert _everything(office) == before
    first = _again(office, states=tuple(Replayable))
    office.drain()

    assert set(dry) == set(first) == {Outcome.SAME}, list(reapply(office.intake, Wanted(), dry_run=True))
    assert _everything(office) == before
    assert len(office.calls()) == calls


@pytest.mark.parametrize(
    "broken",
    [
        "update records set document = (select document from records where subject = 'E2') where subject = 'E1'",
        "update records set document = '{}' where subject = 'E1'",
        "update records set document = '[1]' where subject = 'E1'",
        "delete from records where subject = 'E1'",
        "update people set wanted_hash = null where id = 1",
    ],
)
def test_what_a_defect_did_to_a_record_is_mended(office: Office, broken: str) -> None:
    """Somebody else's facts, none, nonsense, no record at all, or a job that was lost: the stored events mend it."""
    office.employ("Ada Lovelace", "Grace Hopper", department="Support", employeeNumber=None)
    before, host = _everything(office)["records"], office.mail_state()
    office.execute(broken)

    told = {each.subject: each.outcome for each in reapply(office.intake, Wanted())}
    office.drain()

    assert told == {"E1": Outcome.MENDED, "E2": Outcome.SAME}
    assert _everything(office)["records"] == before
    assert office.mail_state() == host
    assert office.outstanding() == []
    assert _again(office) == {Outcome.SAME: 2}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_command_says_what_came_of_it(office: Office, migrated_url: str, tmp_path: Path) -> None:
    """A dry run changes nothing; what is parked is tried again; what fails exits with 3; each run is audited."""
    shell = beside(office, migrated_url, tmp_path)
    office.employ("Ada Lovelace", "Grace Hopper")
    late = office.tell("renamed", "E2", familyName="Murray")
    office.execute("update events set state = 'parked', failures = 5 where id = :id", id=late.id)
    office.execute("update records set document = '{}' where subject = 'E1'")

    dry = shell.run("events", "replay", "--dry-run", "--json").document
    nothing = shell.run("events", "replay", "--source", "it", "--since", "2026-03-02T08:00", "--json").document
    ran = shell.run("events", "replay")
    office.drain()

    assert dry["counts"] == {"same": 1, "mended": 1, "retried": 1, "failed": 0}
    assert [each["event"] for each in dry["told"]] == ["1", str(late.id)]
    assert (sum(nothing["counts"].values()), ran.code) == (0, 0)
    assert ran.out.splitlines() == [
        "2 subjects",
        "  1 as they were: nothing changes",
        "  1 mended: what is known or wanted is another now",
        "  1 not applied before: accepted again, their failures forgotten",
        "  mended: E1 of hr, event 1",
        f"  retried: E2 of hr, event {late.id}",
    ]
    assert {row.state for row in office.events()} == {EventState.APPLIED}
    office.execute("update events set document = '[1]' where id = 1")
    assert shell.run("events", "replay", "--source", "hr", "--state", "applied").code == 3
    assert shell.run("events", "replay", "--state", "rejected").code == 2
    with office.database.read() as session:
        assert [act.act for act in latest_acts(session)] == ["events.replay"] * 3


@ON_POSTGRESQL
def test_replay_beside_workers_and_senders_disturbs_nobody(office: Office) -> None:
    """Events of the same people come in and are applied and carried out meanwhile: none fails, and nothing is lost."""
    office.employ(*(f"Ada {letter}yron" for letter in "BCDEFGHI"))
    start, over = Barrier(4), Event()

    def send() -> None:
        start.wait(60)
        for number in range(1, 9):
            office.tell("updated", f"E{number}", department="Engineering", employeeNumber=f"N{number}")
            office.tell("renamed", f"E{number}", familyName="King")
        over.set()

    def work(name: str) -> None:
        mine = office.colleague(name)
        start.wait(60)
        while apply_next(office.intake) or run_next(mine) or not over.is_set():
            pass

    def again() -> set[Outcome]:
        start.wait(60)
        found = set()
        while not over.is_set():
            found |= {each.outcome for each in reapply(office.intake, Wanted())}
        return found

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(send), pool.submit(work, "w1"), pool.submit(work, "w2")]
        outcomes = pool.submit(again).result()
        for each in done:
            each.result()
    office.drain()

    assert outcomes == {Outcome.SAME}
    assert {(row.state, row.failures) for row in office.events()} == {(EventState.APPLIED, 0)}
    assert len(office.aliases()["engineering"]) == 8
    assert {box["name"].rpartition(" ")[2] for box in office.mailboxes().values()} == {"King"}
    assert _again(office) == {Outcome.SAME: 8}
