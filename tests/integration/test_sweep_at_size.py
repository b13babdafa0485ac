"""The sweep beside a long history: a few indexed queries where nothing is due, and any number of sweepers at once."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from threading import Barrier

import pytest
from sqlalchemy import select, text

from tests.integration.conftest import ENGINES
from tests.integration.office import DAY, MONDAY, ON_POSTGRESQL, Office
from tests.integration.plans import Sent, sent_to
from tests.servers import fresh_database
from worker.execution import LEASE, run_next, sweep_once
from worker.execution.sweep import Swept
from worker.intake import apply_next, hydrate_next
from worker.sandbox import RunningSandbox
from worker.store import agreement, leases
from worker.store.database import Database
from worker.store.policies import active_policy
from worker.store.tables import JobRow
from worker.store.undos import ways_back

MANY = 100_000
MOST_STATEMENTS = 22
"""Of one look in which nothing is due, however much there is: counted, and bounded here, so that it stays a few."""
_COUNT = "with recursive number(n) as (select 1 union all select n + 1 from number where n < {many}) "
_PEOPLE = """
insert into people (created_at, name, phase, policy_hash, evaluated_at, next_change_at)
{count} select {now}, 'Ada ' || n, 'active', '{policy}', {now}, case when n % 10 = 0 then {later} end from number
"""
_EVENTS = """
insert into events (source, ce_source, ce_id, type, subject, time, received_at, digest, document, state, failures,
                    person_id, applied_at)
select 'hr', 'urn', cast(id as text), 'person.joined', 'E' || id, {now}, {now}, 'd' || id, '{{}}',
       case id % 5000 when 1 then 'rejected' when 2 then 'parked' else 'applied' end, 0, id, {now} from people
"""
_JOBS = """
insert into jobs (subject_kind, subject_key, person_id, state, urgency, run_at, generation, fence, failures,
                  created_at, updated_at, finished_at)
select 'person', cast(id as text), id,
       case when id % 5000 = 1 then 'held' when id % 5000 = 2 then 'parked' when id % 50 = 3 then 'waiting'
       else 'done' end, id % 4, case when id % 50 = 3 then {later} else {now} end, 1, 1, 0,
       {now}, {now}, case when id % 5000 not in (1, 2) and id % 50 <> 3 then {now} end from people
"""
_STEPS = """
insert into steps (job_id, position, operation, target, before, after, hash, state, fence, intended_at)
select id, 0, 'create-mailbox', 'a' || id, '{{}}', '{{}}', 'h', 'confirmed', 1, {now} from jobs
"""
_HINTS = """
insert into hints (source, subject, occurred_at, words, state, generation, fence, run_at, failures,
                   heard_at, settled_at)
select 'api', subject, {now}, '[]', 'settled', 1, 1, {now}, 0, {now}, {now} from events where id <= 20000
"""
_DELIVERIES = """
insert into deliveries (source, channel, received_at, sealed, events)
select 'hr', 'hook', {now}, 'x', '[]' from events where id <= 20000
"""
_HOLDS = """
insert into holds (brake, source, state, opened_at, counted, allowed, population)
select 'block', 'hr', 'approved', {now}, 9, 5, 100 from events where id <= 2000
"""
HISTORY = (_PEOPLE, _EVENTS, _JOBS, _STEPS, _HINTS, _DELIVERIES, _HOLDS)
_DUE_JOBS = """
insert into jobs (subject_kind, subject_key, state, urgency, run_at, generation, fence, failures,
                  created_at, updated_at)
{count} select 'shared', n || '@example.org', 'queued', 1 + n % 3, {now}, 1, 0, 0, {now}, {now} from number
"""


_LIST_JOBS = """
insert into jobs (subject_kind, subject_key, state, urgency, run_at, event_id, generation, fence, failures,
                  created_at, updated_at, finished_at)
select 'shared', id || '@example.org', 'done', 2, {now}, id, 1, 0, 0, {now}, {now}, {now} from events where id <= 100
"""


def _told(database: Database, statement: str, *, many: int = MANY, policy: str = "") -> str:
    """Return a statement as the engine reads it; instants are written as each keeps them."""
    now, later = ("timestamptz '{}+00'", "timestamptz '{}+00'") if not database.is_sqlite else ("'{}.000000'",) * 2
    return statement.format(
        count=_COUNT.format(many=many),
        now=now.format(f"{MONDAY:%Y-%m-%d %H:%M:%S}"),
        later=later.format("2099-01-01 00:00:00"),
        policy=policy,
    ).replace("%", "%" if database.is_sqlite else "%%")  # which psycopg takes for one


def _fill(database: Database) -> None:
    """Put a long history into the database, in which nothing is due."""
    with database.write() as session:
        active = active_policy(session)
        assert active is not None
        for statement in HISTORY:
            session.connection().exec_driver_sql(_told(database, statement, policy=active[0]))
    if not database.is_sqlite:  # where nobody ever analyses
        with database.write() as session:
            session.connection().exec_driver_sql("analyze")


@pytest.fixture(scope="module", params=ENGINES)
def old(
    request: pytest.FixtureRequest, sandbox: RunningSandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Office]:
    """An office with a long history, which the tests of this file share and leave as it is."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            file = tmp_path_factory.mktemp("old") / "mailroster.db"
            file.write_bytes(request.getfixturevalue("sqlite_template").read_bytes())
            url = f"sqlite:///{file}"
        else:
            server, template = map(request.getfixturevalue, ("postgres_url", "postgresql_template"))
            url = stack.enter_context(fresh_database(server, template=template))
        database = stack.enter_context(closing(Database(url)))
        office = stack.enter_context(closing(Office(database, sandbox)))
        _fill(database)
        yield office


def _whole(sent: list[Sent]) -> list[str]:
    """Return what reads a growing table from end to end."""
    return [f"{each.statement}\n{each.plan}" for each in sent if each.whole]


def test_a_look_that_finds_nothing_is_a_few_indexed_queries(old: Office) -> None:
    """Over 100,000 people, events, jobs and steps, some of which wait for another day."""
    sweep_once(old.execution, 8)  # the first one notes the process
    with sent_to(old.database) as sent:
        found = sweep_once(old.execution, 8)

    assert found == Swept(given_back=0, to_apply=0, due=0, to_ask_for=0)
    assert len(sent) <= MOST_STATEMENTS
    assert _whole(sent) == []


def test_a_bell_that_rang_for_nothing_costs_a_few_indexed_queries(old: Office) -> None:
    """Most bells ring for work that somebody else has done: each finds so at once."""
    with sent_to(old.database) as ran:
        assert not run_next(old.execution)
    with sent_to(old.database) as applied:
        assert not apply_next(old.intake)
    with sent_to(old.database) as asked:
        assert not hydrate_next(old.intake)

    assert (len(ran), len(applied)) == (1 if old.database.is_sqlite else 2, 7)
    assert _whole(ran + applied + asked) == []


def test_a_claim_among_a_thousand_due_and_a_long_history_reads_one_entry_of_its_index(old: Office) -> None:
    """The most urgent is found in the order of the index that holds nothing but what waits."""
    with old.database.write() as session:
        session.connection().exec_driver_sql(_told(old.database, _DUE_JOBS, many=1000))
        with sent_to(old.database) as sent:
            lease = leases.claim(session, worker="w", lease=LEASE, now=MONDAY, least_urgent=3)
        session.rollback()

    assert lease is not None
    assert lease.urgency == 1
    (claim,) = [each for each in sent if "jobs" in each.statement]
    assert _whole(sent) == []
    assert "ix_jobs_due" in claim.plan
    assert not any(word in claim.plan for word in ('"Sort"', "TEMP B-TREE"))


def test_a_page_of_jobs_of_lists_is_told_undoable_by_indexes(old: Office) -> None:
    """Whose event gave its person a job of their own is found among that person's jobs alone."""
    with old.database.write() as session:
        session.connection().exec_driver_sql(_told(old.database, _LIST_JOBS))
        rows = list(session.scalars(select(JobRow).where(JobRow.subject_kind == "shared")))
        with sent_to(old.database) as sent:
            ways = ways_back(session, rows)
        session.rollback()

    assert len(ways) == 100
    assert _whole([each for each in sent if "events" in each.statement]) == []  # nothing was ever undone here


def test_thousands_that_wait_for_another_day_are_not_read_for_what_is_due(old: Office) -> None:
    """The index is entered by urgency and instant, and left where the instant is not come yet."""
    with sent_to(old.database) as sent:
        run_next(old.execution)

    (asked,) = [each for each in sent if "jobs" in each.statement]
    both = ("urgency = ANY", "run_at <=") if not old.database.is_sqlite else ("urgency=? AND run_at<?",)
    assert all(each in asked.plan for each in both), asked.plan


def test_asking_anew_before_what_cannot_be_undone_reads_what_is_of_the_person(old: Office) -> None:
    """Whether a record was had lately, and whose job waits for it, is found by index among all there ever were."""
    record = ("api", "E7")
    with old.database.write() as session:
        with sent_to(old.database) as sent:
            lacking = agreement.lacking(session, [record], MONDAY + DAY)
            assert agreement.ask(session, record, MONDAY + DAY) is None
            asked = agreement.any_asked_for(session, [record])
            waits = agreement.waiting_job(session, 7, lock=True)
        session.rollback()

    assert (lacking, asked, waits) == ((record,), True, None)
    assert _whole(sent) == []


LEASES, SWEEPERS, CLAIMERS, FREE, ROUNDS = 100, 6, 2, 4, 5
_HELD_BY_THE_DEAD = (
    """
insert into jobs (subject_kind, subject_key, state, urgency, run_at, generation, fence, failures,
                  created_at, updated_at, worker, lease_until)
{count} select 'shared', n || '@example.org', 'running', n % 4, {now}, 1, 1, 0, {now}, {now}, 'dead', {now} from number
""",
    """
insert into hints (source, subject, occurred_at, words, state, generation, fence, slot, run_at, failures,
                   heard_at, lease_until)
{count} select 'api', 'E' || n, {now}, '[]', 'fetching', 1, 1, n, {now}, 0, {now}, {now} from number
""",
)


class _Bell:
    """Counts how often it is rung."""

    def __init__(self) -> None:
        self.rung: Counter[str] = Counter()

    def ring_apply(self) -> None:
        self.rung["apply"] += 1

    def ring_run(self) -> None:
        self.rung["run"] += 1

    def ring_hydrate(self) -> None:
        self.rung["hydrate"] += 1


def _leave_behind(database: Database) -> None:
    """Have everybody who worked be dead: their leases ran out."""
    with database.write() as session:
        for statement in ("delete from jobs", "delete from hints", *_HELD_BY_THE_DEAD):
            session.connection().exec_driver_sql(_told(database, statement, many=LEASES))


@ON_POSTGRESQL
def test_sweepers_at_once_give_each_lease_back_once(office: Office, migrated_url: str) -> None:
    """Six processes look at the same instant, again and again, beside two that claim: none fails or waits for ever.

    None rings more often than it has threads free.
    """
    office.join("E1", "Ada Lovelace")  # is never applied: each sweep rings for it
    beat = Barrier(SWEEPERS + CLAIMERS + 1)

    def take_part(act: Callable[[Database], int]) -> list[int]:
        with closing(Database(migrated_url, connections=1)) as mine:
            done = []
            for _ in range(ROUNDS):
                beat.wait(60)
                done.append(act(mine))
                beat.wait(60)
            return done

    def sweep(mine: Database) -> int:
        bell = _Bell()
        found = sweep_once(office.colleague(f"sweeper {id(mine)}", database=mine, bell=bell), FREE)
        assert max(bell.rung.values()) <= FREE
        return found.given_back

    def claim(mine: Database) -> int:
        claimed = []
        for _ in range(LEASES // 4):
            with mine.write() as session:
                claimed.append(leases.claim(session, worker="claimer", lease=LEASE, now=MONDAY, least_urgent=3))
        return len({lease.job_id for lease in claimed if lease})

    with ThreadPoolExecutor(SWEEPERS + CLAIMERS) as pool:
        sweepers = [pool.submit(take_part, sweep) for _ in range(SWEEPERS)]
        claimers = [pool.submit(take_part, claim) for _ in range(CLAIMERS)]
        for _ in range(ROUNDS):
            _leave_behind(office.database)
            beat.wait(60)
            beat.wait(60)
        given_back = [each.result() for each in sweepers]
        claimed = [each.result() for each in claimers]

    assert [sum(of_round) for of_round in zip(*given_back, strict=True)] == [2 * LEASES] * ROUNDS
    with office.database.read() as session:
        states = Counter(session.scalars(text("select state from jobs")))
    assert states["running"] == sum(each[-1] for each in claimed)
    assert states.total() == LEASES
