"""What is asked often is answered from indexes on both engines, however long the history is, and answered right."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from tests.integration.office import Office
from tests.integration.shell import Shell
from worker.cli.commands.jobs import subjects_of
from worker.store import addresses, audit, events, figures, inbox, jobs, lines, moving, people, staying, waiting
from worker.store.database import Database, Session
from worker.store.jobs import JobFilter
from worker.store.settled import is_settled
from worker.store.states import EventState, JobState
from worker.store.tables import AddressRow, EventRow, JobRow, PersonRow
from worker.web.person_objects import person_objects

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HISTORY = 5000

LOOKUPS: dict[str, tuple[Callable[[Session], object], set[str]]] = {
    "settled": (
        lambda session: is_settled(session, session.get_one(EventRow, 77)),
        {"ix_jobs_person_id", "ix_jobs_event_id"},
    ),
    "figures": (
        figures.read_figures,
        {"ix_jobs_state", "ix_people_phase", "ix_events_accepted", "ix_events_parked", "ix_records_"},
    ),
    "parked": (lambda session: figures.oldest_parked(session, 5), {"ix_events_parked"}),
    "events by state": (
        lambda session: inbox.page(session, [*EventState], after=7, limit=101),
        {"ix_events_accepted", "ix_events_parked", "ix_events_rejected", "ix_events_dismissed"},
    ),
    "primaries": (lambda session: addresses.primaries(session, range(1, 101)), {"ix_addresses_person_id"}),
    "subject": (lambda session: people.find(session, "E77"), {"ix_records_subject", "ix_addresses_address"}),
    "name": (lambda session: people.find(session, "someone 77"), {"ix_people_name", "ix_people_employee_number"}),
    "population": (addresses.population, {"ix_addresses_population"}),
    "staying": (
        lambda session: staying.unblocked_departed(session, {"someone.77@example.org", "someone.78@example.org"}),
        set(),
    ),
    "lists at work": (staying.lists_at_work, set()),
    "blocks under way": (
        lambda session: staying.any_at_work(session, {"someone.77@example.org", "someone.78@example.org"}),
        set(),
    ),
    "manager": (lambda session: lines.manager_of(session, ("hr", "E78"), but=77), set()),
    "reports": (lambda session: lines.has_reports(session, 7), {"ix_records_person_id", "ix_people_manager"}),
    "line due": (lambda session: lines.due(session, NOON), {"ix_people_line_due"}),
    "waits for a person": (
        lambda session: waiting.is_for(session, 77),
        {"ix_addresses_person_id", "ix_records_unmatched_email"},
    ),
    "waiting records": (
        lambda session: waiting.linked_by(session, "N77", {"e77@example.org", "other77@example.org"}),
        {"ix_records_unmatched_email", "ix_records_unmatched_number"},
    ),
    "acts": (lambda session: audit.acts_on(session, ["person 77", "job 77"]), {"ix_audit_target"}),
    "newest jobs": (lambda session: jobs.newest_of_people(session, [77, 78]), {"ix_jobs_person_id"}),
    "lists that wait": (lambda session: moving.waiting(session, "it waits", frozenset({"a500@example.org"})), set()),
    "moves": (
        lambda session: moving.takers(session, {"a500@example.org", "a1000@example.org"}),
        set(),
    ),
    "below": (
        lambda session: lines.evaluate_below(session, 7, NOON),
        {"ix_records_person_id", "ix_people_manager"},
    ),
}
ALONE = ("figures", "parked", "population")
"""Those that do not even look at the rows, on PostgreSQL."""


@pytest.mark.parametrize("name", LOOKUPS)
def test_what_is_asked_often_is_answered_from_indexes(database: Database, name: str) -> None:
    """Among thousands of rows of the past each lookup goes by the indexes that were made for it, and scans no table."""
    _fill(database)
    lookup, indexes = LOOKUPS[name]
    with explained(database) as plans, database.read() as session:
        lookup(session)

    told = "\n".join(plans)
    assert not [index for index in indexes if index not in told], told
    assert not [line for line in told.splitlines() if is_table_scan(line)], told
    if name in ALONE:
        assert not [line for line in told.splitlines() if _reads_rows(line)], told


def test_the_figures_count_what_is_open_and_everybody(database: Database) -> None:
    """Jobs that are over are not counted, people without a phase are unknown, and long queues are not counted out."""
    with database.write() as session:
        session.add_all(_job(number, state) for number, state in enumerate([*JobState, JobState.HELD]))
        session.add_all(PersonRow(created_at=NOON, phase=phase) for phase in ("", "left", "left"))
        session.add_all(_event(number) for number in range(figures.MOST_COUNTED + 1))
        session.add_all(_event(number, EventState.PARKED) for number in (-1, -2))
        session.execute(text("insert into records (source, subject, document, updated_at) values ('it','X','{}',:at)"),
                        {"at": NOON})  # fmt: skip
    with database.read() as session:
        found = figures.read_figures(session)

    assert found.jobs == {"queued": 1, "running": 1, "waiting": 1, "held": 2, "parked": 1}
    assert found.people == {"unknown": 1, "left": 2}
    assert (found.events_waiting, found.events_parked, found.records_unmatched) == (figures.MOST_COUNTED, 2, 1)


@pytest.mark.parametrize(
    ("person_id", "event_id", "state", "expected"),
    [
        (1, None, JobState.QUEUED, False),
        (None, 1, JobState.HELD, False),
        (1, 1, JobState.DONE, True),
        (2, 2, JobState.QUEUED, True),
    ],
    ids=["of its person", "by the event", "over", "of somebody else"],
)
def test_an_event_waits_for_its_own_jobs_alone(
    database: Database, person_id: int | None, event_id: int | None, state: JobState, *, expected: bool
) -> None:
    """An applied event is settled unless a job of its person, or one that it caused, is open."""
    with database.write() as session:
        session.add_all(PersonRow(created_at=NOON) for _ in range(2))
        session.flush()
        session.add_all(_event(number, EventState.APPLIED, person_id=number) for number in (1, 2))
        session.flush()
        session.add(_job(1, state, person_id=person_id, event_id=event_id))
    with database.read() as session:
        told = events.get(session, 1)
        assert told is not None

        assert is_settled(session, told) is expected


def test_addresses_of_a_page_of_people_take_one_query(database: Database) -> None:
    """Each person is shown with the address of their mailbox, none that was released, all of them by one query."""
    with database.write() as session:
        rows = [PersonRow(created_at=NOON) for _ in range(30)]
        session.add_all(rows)
        session.flush()
        for row in rows[:20]:
            session.add(_address(row.id, "old", held_to=NOON))
            session.add(_address(row.id, "other", role=addresses.Role.IDENTITY))
        session.add_all(_address(row.id, "now") for row in rows[:10])
    with database.read() as session:
        page = people.page(session, after=0, limit=30)
        with explained(database) as plans:
            shown = person_objects(session, page)

    assert [each["address"] for each in shown] == [f"now{row.id}@example.org" for row in rows[:10]] + [None] * 20
    assert len(plans) == 1


def test_subjects_of_a_page_of_jobs_take_one_query(database: Database) -> None:
    """A list of jobs tells whom each is about by one query for all names; whoever has none is told by id."""
    with database.write() as session:
        session.add_all(PersonRow(created_at=NOON, name=name) for name in ("Ada", "Grace", ""))
        session.flush()
        rows = [_job(number, JobState.DONE, person_id=1 + number % 3) for number in range(6)]
        session.add_all([*rows, _job(6, JobState.DONE)])
    with database.read() as session:
        page = jobs.page(session, JobFilter(), after=0, limit=10)
        with explained(database) as plans:
            told = subjects_of(session, page)

    assert told == ["Ada", "Grace", "person 3"] * 2 + ["6"]
    assert len(plans) == 1


@pytest.mark.parametrize("typed", ["Ada Lovelace", "ada lovelace", "ADA lovelace", " ada Lovelace "])
def test_a_person_is_found_by_name_in_any_case(database: Database, typed: str) -> None:
    """Whoever asks for a person need not type capitals as they are kept."""
    with database.write() as session:
        session.add_all(PersonRow(created_at=NOON, name=name) for name in ("Grace Hopper", "Ada Lovelace", "Ada"))
    with database.read() as session:
        found = people.find(session, typed)

    assert [row.name for row in found] == ["Ada Lovelace"]


@pytest.mark.parametrize("typed", ["McIntyre O'Zoë", "²", "", "%"])
def test_odd_names_are_looked_up_as_they_are(database: Database, typed: str) -> None:
    """A name that no rule of capitals makes is found as it is kept; what is no name of anybody finds nobody."""
    with database.write() as session:
        session.add(PersonRow(created_at=NOON, name="McIntyre O'Zoë"))
    with database.read() as session:
        found = people.find(session, typed)

    assert [row.name for row in found] == ([typed] if len(typed) > 1 else [])


def test_doctor_names_parked_events(office: Office, tmp_path: Path) -> None:
    """`doctor` tells how many events could not be applied, names the first, and says how that is mended."""
    shell = Shell(
        tmp_path, {"MAILROSTER_DATABASE_URL": office.database.engine.url.render_as_string(hide_password=False)}
    )
    ids = [office.tell("updated", f"E{number}", title="x").id for number in range(7)]
    before = shell.run("doctor").out
    office.execute("update events set state = 'parked'")

    after = shell.run("doctor").out
    assert "none is parked" in before
    assert f"7 could not be applied and are parked, the first of them: {', '.join(map(str, ids[:5]))}\n" in after
    assert "events: `mailroster events list --state parked` says why; mend that, then `events retry ID`" in after


def _event(number: int, state: EventState = EventState.ACCEPTED, *, person_id: int | None = None) -> EventRow:
    return EventRow(
        source="hr",
        ce_source="urn",
        ce_id=str(number),
        received_at=NOON,
        digest="",
        document={},
        state=state,
        person_id=person_id,
    )


def _job(number: int, state: JobState, *, person_id: int | None = None, event_id: int | None = None) -> JobRow:
    is_over = state in (JobState.DONE, JobState.DISMISSED)
    return JobRow(
        subject_kind="shared",
        subject_key=str(number),
        state=state,
        urgency=1,
        run_at=NOON,
        person_id=person_id,
        event_id=event_id,
        created_at=NOON,
        updated_at=NOON,
        finished_at=NOON if is_over else None,
    )


def _address(person_id: int, local_part: str, role: str = "primary", held_to: datetime | None = None) -> AddressRow:
    return AddressRow(
        address=f"{local_part}{person_id}@example.org",
        domain="example.org",
        role=role,
        provenance="created",
        person_id=person_id,
        held_from=NOON,
        held_to=held_to,
    )


_FILLING = (
    """
    insert into people (created_at, name, phase, employee_number, work_email, manager_source, manager_subject,
                        takeover_address)
    select :at, 'Someone ' || n, case n % 3 when 0 then 'left' else 'active' end, 'N' || n, 'w' || n || '@example.org',
           'hr', 'E' || (n / 10 + 1), case n % 3 when 0 then null else 'w' || n || '@example.org' end
    """,
    """
    insert into records (source, subject, person_id, document, updated_at)
    select 'hr', 'E' || n, case when n % 500 > 0 then n end, '{}', :at
    """,
    """
    insert into records (source, subject, document, employee_number, work_email, updated_at)
    select 'it', 'x-' || n, '{}', 'M' || n, 'a' || n || '@example.org', :at
    """,
    """
    insert into addresses (address, domain, role, provenance, person_id, held_from, held_to, exists_since)
    select 'a' || n || '@example.org', 'example.org', case n % 2 when 0 then 'primary' else 'identity' end, 'created',
           n, :at, case n % 500 when 1 then :at end, case n % 500 when 0 then :at end
    """,
    """
    insert into audit (at, actor, act, target, detail)
    select :at, 'test', 'mailbox.adopt', 'person ' || n, '{}'
    """,
    """
    insert into memberships (person_id, address, since)
    select n, 'team' || (n % 50) || '@example.org', :at
    """,
    """
    insert into events (source, ce_source, ce_id, received_at, digest, document, state, failures, person_id)
    select 'hr', 'urn', cast(n as text), :at, '', '{}',
           case n % 500 when 0 then 'accepted' when 1 then 'parked' else 'applied' end, 0, n
    """,
    """
    insert into jobs (subject_kind, subject_key, state, urgency, run_at, generation, fence, failures, person_id,
                      event_id, created_at, updated_at, finished_at)
    select 'person', cast(n as text), case n % 500 when 0 then 'held' else 'done' end, 1, :at, 1, 0, 0, n,
           n, :at, :at, case when n % 500 > 0 then :at end
    """,
)
_NUMBERS = """
from (with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < :history)
      select n from numbers) numbers
"""


def _fill(database: Database) -> None:
    """Put thousands of rows of the past and a few that matter now into the tables, and have the planner know it."""
    at = "2026-11-20 12:00:00" if database.is_sqlite else NOON
    with database.write() as session:
        for statement in _FILLING:
            session.execute(text(statement + _NUMBERS), {"at": at, "history": HISTORY})
    with database.engine.connect() as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("analyze")
            connection.commit()
        else:  # an index alone suffices only for rows that a vacuum saw
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("vacuum analyze")


@contextmanager
def explained(database: Database) -> Iterator[list[str]]:
    """Collect the plan of each query that is made meanwhile."""
    plans: list[str] = []
    explain, column = ("EXPLAIN QUERY PLAN ", 3) if database.is_sqlite else ("EXPLAIN ", 0)

    def collect(_conn: Connection, cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        if statement.startswith(("SELECT", "WITH")):
            rows = cursor.connection.execute(explain + statement, parameters).fetchall()
            plans.append("\n".join(row[column] for row in rows))

    event.listen(database.engine, "before_cursor_execute", collect)
    try:
        yield plans
    finally:
        event.remove(database.engine, "before_cursor_execute", collect)


def is_table_scan(line: str) -> bool:
    """Tell whether a line of a plan says that all of a table is read."""
    is_of_no_table = "anon_" in line or line.strip() in ("SCAN CONSTANT ROW", "SCAN below")
    return "Seq Scan" in line or (line.startswith("SCAN ") and "USING" not in line and not is_of_no_table)


def _reads_rows(line: str) -> bool:
    return "Index Scan using" in line or "Bitmap Heap Scan" in line
