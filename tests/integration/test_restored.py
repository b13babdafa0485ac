"""A database that was put back by a day: what the lost day did is found, and nothing is made twice, lost or deleted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import Table, select, text

from tests.integration.office import DAY, POLICY, Office
from tests.integration.test_quarantine import MINUTE, SQLITE
from worker.execution import sweep_once
from worker.execution.adopt import Adopter, adopt, look_around, look_over
from worker.execution.adoption_table import Asked
from worker.execution.preview import OfPerson, preview
from worker.execution.reconcile import reconcile
from worker.intake import accept
from worker.planning.drift import Drift
from worker.planning.step import Operation
from worker.policy import load_policy
from worker.store import jobs
from worker.store.addresses import is_ours
from worker.store.policies import active_policy
from worker.store.subjects import Subject, SubjectKind
from worker.store.tables import AddressRow, Base, DriftRow

STAGES = """
[[leaving.stages]]
after = "0d"
do = ["block", "leave-groups"]
[[leaving.stages]]
after = "30d"
do = ["delete-mailbox", "alias-to-manager"]
"""
BY_INVITATION = POLICY + STAGES
BY_ALIAS = BY_INVITATION + '[renaming]\nstrategy = "alias"\n'
NEXT_NAME = BY_INVITATION + '[joining]\nexisting = "next-name"\n'
RANDOM = BY_INVITATION + '[joining]\ncredential = "random"\n'
RANDOM_NEXT_NAME = BY_INVITATION + '[joining]\ncredential = "random"\nexisting = "next-name"\n'

_COUNT_ON = (
    "select setval(pg_get_serial_sequence('{table}', 'id'), coalesce((select max(id) from {table}), 0) + 1, false)"
)

Copied = Sequence[tuple[Table, Sequence[dict[str, Any]]]]


def copy_of(office: Office) -> Copied:
    """Return all rows of the database."""
    with office.database.read() as session:
        return [
            (table, [dict(row) for row in session.execute(table.select()).mappings()])
            for table in Base.metadata.sorted_tables
        ]


def put_back(office: Office, copied: Copied) -> None:
    """Have the database hold what it held, and nothing else."""
    with office.database.write() as session:
        for table, _ in reversed(copied):
            session.execute(table.delete())
        for table, rows in copied:
            if rows:
                session.execute(table.insert(), rows)
            if not office.database.is_sqlite and "id" in table.columns and table.columns["id"].type.python_type is int:
                session.execute(text(_COUNT_ON.format(table=table.name)))  # a backup has its sequences, too


def first_day(office: Office, policy: str) -> Copied:
    """Employ people, one of whom is to lose a mailbox the next day, and copy the database."""
    office.activate(policy)
    office.employ("Ada Lovelace", "Grace Hopper", "Alan Turing", "Edsger Dijkstra", department="Engineering")
    office.tell("updated", "E4", manager="E2")
    office.tell("left", "E4")
    office.drain()
    office.move(29 * DAY)
    office.drain()
    return copy_of(office)


def second_day(office: Office) -> list[dict[str, object]]:
    """Let a day pass on which somebody joins, leaves, is renamed and moves, and a stage falls due. Returns its events.

    None of them has been told yet.
    """
    office.move(DAY)
    return [
        office.event(
            "joined",
            "E5",
            givenName="Joan",
            familyName="Clarke",
            department="Support",
            personalEmail="e5@home.example",
        ),
        office.event("left", "E1"),
        office.event("renamed", "E3", familyName="Clarkson"),
        office.event("updated", "E2", department="Support"),
    ]


def tell(office: Office, events: Sequence[dict[str, object]]) -> None:
    """Have the source send these, again or not, and work everything off."""
    accept(office.intake, "hr", list(events))
    office.drain()


def work(office: Office) -> None:
    """Sweep and work as long as a worker would have something to do."""
    for _ in range(5):
        sweep_once(office.execution, 1)
        office.drain()
        office.move(DAY / 48)


def ledger_of(office: Office) -> set[tuple[object, ...]]:
    """Return who holds which address as what, and whether it exists there as ours: made or adopted is all one."""
    with office.database.read() as session:
        rows = session.scalars(select(AddressRow).where(AddressRow.held_to.is_(None))).all()
    return {
        (row.address, row.role, row.person_id, row.exists_since is not None and is_ours(row), row.alias_to)
        for row in rows
    }


def read_domain_again(office: Office) -> None:
    """Have the domain's lane note what exists, as before anybody is given an address there."""
    with office.database.write() as session:
        jobs.refresh(session, Subject(SubjectKind.DOMAIN, "example.org"), urgency=1, now=office.clock.now())
    office.drain()


def adopt_all(office: Office) -> None:
    """Confirm what `adopt` proposes, and work."""
    with office.database.read() as session:
        active = active_policy(session)
    assert active is not None
    adopter = Adopter(office.execution, office.intake, load_policy(active[1]), "operator")
    seen, asked = look_around(office.execution, ["example.org"]), Asked(domains=("example.org",))
    adopt(adopter, seen, asked, look_over(adopter, seen, asked).hash)
    work(office)


@dataclass(frozen=True, slots=True)
class LostDay:
    """An office whose database was put back by a day."""

    office: Office
    events: list[dict[str, object]]
    """What was told on that day."""
    state: dict[str, Any]
    """What the host held after it."""
    ledger: set[tuple[object, ...]]
    """Who held which address as what, after it."""
    writes: list[tuple[str, str]]
    """The calls that brought that about."""


@pytest.fixture
def lost_day(office: Office, request: pytest.FixtureRequest) -> LostDay:
    """Let two days pass and put the database back to the evening of the first."""
    copied = first_day(office, getattr(request, "param", BY_INVITATION))
    events = second_day(office)
    tell(office, events)
    assert office.outstanding() == []
    state = office.mail_state()
    assert set(office.mailboxes()) == {"ada.lovelace", "grace.hopper", "alan.turing", "joan.clarke"}
    ledger = ledger_of(office)
    put_back(office, copied)
    office.move(DAY / 8)
    return LostDay(office, events, state, ledger, office.writes())


PLAIN = {"hold": BY_INVITATION, "aliases": BY_ALIAS, "next name": NEXT_NAME}
BY_HAND = {"hold": RANDOM, "next name": RANDOM_NEXT_NAME}
REPEATED = [("PUT", "mailboxes/ada.lovelace")]
"""A block is set once more, with another random password: nothing shows at the host that it was ours."""


@pytest.mark.parametrize(
    ("engine", "lost_day", "read_first"),
    [
        *(("sqlite", policy, read_first) for policy in PLAIN.values() for read_first in (False, True)),
        pytest.param("postgresql", BY_INVITATION, True, marks=pytest.mark.postgres),
    ],
    ids=[*(f"{name}, {first} first" for name in PLAIN for first in ("jobs", "reading")), "postgresql"],
    indirect=["engine", "lost_day"],
)
def test_what_is_plain_is_recognised_when_the_events_come_again(lost_day: LostDay, *, read_first: bool) -> None:
    """Mailbox, further address, deletion and hand-over of the lost day are found done; a list must be adopted."""
    office = lost_day.office
    work(office)
    if read_first:
        reconcile(office.execution, "example.org")
        read_domain_again(office)
    assert office.writes() == lost_day.writes  # what is due by itself finds that it was done

    tell(office, lost_day.events)
    work(office)
    assert office.writes()[len(lost_day.writes) :] == REPEATED
    assert office.mail_state() == lost_day.state
    ((kind, state, reason),) = office.outstanding()
    assert (kind, state) == ("shared", "held")
    assert "adopt it, if it is a list" in str(reason)

    adopt_all(office)
    assert office.writes()[len(lost_day.writes) :] == REPEATED
    assert office.mail_state() == lost_day.state
    assert ledger_of(office) == lost_day.ledger
    assert office.outstanding() == []


@SQLITE
@pytest.mark.parametrize("read_first", [False, True], ids=["jobs first", "read first"])
@pytest.mark.parametrize("lost_day", BY_HAND.values(), ids=BY_HAND, indirect=True)
def test_what_is_not_plain_waits_for_a_person(lost_day: LostDay, *, read_first: bool) -> None:
    """Without a recovery address only the name tells whose a mailbox is: no second one is made, and adopt ends it."""
    office = lost_day.office
    if read_first:
        read_domain_again(office)
    tell(office, lost_day.events)
    work(office)

    assert office.mail_state() == lost_day.state
    assert {state for _, state, _ in office.outstanding()} == {"held"}
    assert any("joan.clarke@example.org exists already" in str(reason) for _, _, reason in office.outstanding())

    adopt_all(office)
    assert office.writes()[len(lost_day.writes) :] == REPEATED
    assert office.mail_state() == lost_day.state
    assert ledger_of(office) == lost_day.ledger
    assert office.outstanding() == []


@SQLITE
def test_nothing_is_undone_where_the_events_never_come_again(lost_day: LostDay) -> None:
    """What the lost day made for people of whom we know nothing any more stays as it is, and the reconcile shows it."""
    office = lost_day.office
    work(office)
    reconcile(office.execution, "example.org")
    office.move(40 * DAY)
    work(office)
    with office.database.read() as session:
        unmanaged = {*session.scalars(select(DriftRow.address).where(DriftRow.kind == Drift.UNMANAGED))}

    assert office.writes() == lost_day.writes
    assert office.mail_state() == lost_day.state
    assert {"joan.clarke@example.org", "support@example.org"} <= unmanaged


@SQLITE
def test_a_creation_that_the_copy_had_not_made_yet_is_recognised_by_its_own_job(office: Office) -> None:
    """A joiner's job that was copied in the queue finds the mailbox that it made in the lost day."""
    office.employ("Ada Lovelace")
    office.join("E2", "Grace Hopper", department="Engineering")
    office.apply_all()
    copied = copy_of(office)
    office.drain()
    writes = office.writes()
    put_back(office, copied)
    office.move(DAY)
    foreseen = preview(office.execution, office.intake, OfPerson(2)).subjects
    work(office)

    assert not any(step.operation is Operation.CREATE_MAILBOX for each in foreseen for step in each.plan.steps)
    assert office.calls("POST").count(("POST", "mailboxes")) == 2
    assert set(office.mailboxes()) == {"ada.lovelace", "grace.hopper"}
    assert [state for _, state, _ in office.outstanding()] == ["held"]  # the list, which is to be adopted
    assert office.writes() == writes

    office.tell("left", "E2")
    office.drain()
    assert not any(office.doors("grace.hopper").values())


@SQLITE
@pytest.mark.parametrize("existing", ["hold", "next-name"])
@pytest.mark.parametrize(
    ("name", "recovery"),
    [("Ada Lovelace", "somebody@home.example"), ("Ada Lovelace", None), ("Countess", "e2@home.example")],
)
def test_a_mailbox_that_may_be_somebody_elses_is_left_alone(
    office: Office, existing: str, name: str, recovery: str | None
) -> None:
    """The name alone, or the recovery address alone, is not enough: what is there is never changed."""
    office.activate(f'{BY_INVITATION}[joining]\nexisting = "{existing}"\n')
    more = {"password_recovery_email": recovery} if recovery else {}
    office.employ("Grace Hopper")
    office.move(MINUTE)
    office.host("POST", "mailboxes", local_part="ada.lovelace", name=name, password="s3cret-s3cret", **more)
    before = office.mailboxes()["ada.lovelace"]
    office.join("E2", "Ada Lovelace")
    office.drain()
    office.tell("left", "E2")
    work(office)

    assert office.mailboxes()["ada.lovelace"] == before


@SQLITE
def test_a_namesake_who_was_there_first_stops_nobody(office: Office) -> None:
    """Under the next-name rule a mailbox of the same name that was there from the beginning is somebody else's."""
    office.activate(RANDOM_NEXT_NAME)
    office.host("POST", "mailboxes", local_part="ada.lovelace", name="Ada Lovelace", password="s3cret-s3cret")
    office.employ("Ada Lovelace")

    assert set(office.mailboxes()) == {"ada.lovelace", "a.lovelace"}
    assert office.outstanding() == []


@SQLITE
@pytest.mark.parametrize("lost_day", [RANDOM_NEXT_NAME], indirect=True)
def test_the_procedure_that_is_documented_leaves_nothing_to_do(lost_day: LostDay) -> None:
    """With a dry run until everything was told again and adopted, the workers then only repeat the block."""
    office = lost_day.office
    wet = office.execution
    office.execution = replace(wet, dry_run=True)
    work(office)
    tell(office, lost_day.events)
    reconcile(office.execution, "example.org")
    adopt_all(office)
    assert office.writes() == lost_day.writes

    office.execution = wet
    work(office)
    assert office.writes()[len(lost_day.writes) :] == REPEATED
    assert office.mail_state() == lost_day.state
    assert ledger_of(office) == lost_day.ledger
    assert office.outstanding() == []
