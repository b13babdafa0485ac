"""Whether what is due is being done: told by what was done, and not by processes that live."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.office import DAY, MONDAY, ON_POSTGRESQL, POLICY, Office
from tests.integration.shell import Shell
from tests.integration.test_lanes import plans_of
from worker.execution import LEASE, run_next
from worker.intake import apply_next
from worker.planning.urgency import Urgency
from worker.store import gate, leases, workers
from worker.store.budget import CallBudget, CallLimit
from worker.store.database import Database, Session
from worker.store.gate import Closing, Refusal
from worker.store.progress import STALLED_AFTER, stalled_since

LATER = STALLED_AFTER + timedelta(seconds=1)


@pytest.fixture
def office(office: Office) -> Office:
    """An office that works, which two people have joined, and what follows from that is due."""
    office.employ("Alan Turing")
    for number, name in enumerate(["Ada Lovelace", "Grace Hopper"], 2):
        office.join(f"E{number}", name)
    office.apply_all()
    return office


def stalled(office: Office) -> datetime | None:
    """Return what the status would tell."""
    with office.database.read() as session:
        return stalled_since(session, office.execution.budget, office.clock.now())


def test_work_that_nobody_does_is_told_after_a_while(office: Office) -> None:
    """Not before: a worker may be about to take it."""
    office.move(STALLED_AFTER - timedelta(seconds=1))
    assert stalled(office) is None
    office.move(timedelta(seconds=1))
    assert stalled(office) == MONDAY


def test_one_job_done_of_many_is_progress(office: Office) -> None:
    """A queue may be as long as it likes, as long as it moves."""
    office.move(DAY)
    run_next(office.execution)
    assert stalled(office) is None
    office.move(LATER)
    assert stalled(office) == MONDAY + DAY


def test_lane_that_somebody_is_in_is_progress(office: Office) -> None:
    """A leased lane is left alone until its lease runs out; then it is due again."""
    office.move(DAY)
    with office.database.write() as session:
        now = office.clock.now()
        leases.claim(session, worker="slow", lease=LEASE, now=now, least_urgent=Urgency.DRIFT)
    assert stalled(office) is None
    office.let_leases_run_out()
    assert stalled(office) is not None


def test_events_that_nobody_applies_are_told_as_well(office: Office) -> None:
    """Each that is applied is progress, however many wait."""
    office.drain()
    office.move(DAY)
    for number in range(4, 7):
        office.join(f"E{number}", f"Alan Turing{number}")
    at = office.clock.now()
    office.move(LATER)
    assert stalled(office) == at
    apply_next(office.intake)
    run_next(office.execution)
    assert stalled(office) is None
    office.move(LATER)
    assert stalled(office) == at + LATER


def test_nothing_due_is_nothing_stalled(office: Office) -> None:
    """However long nothing happens."""
    office.drain()
    office.move(DAY)

    assert stalled(office) is None


@pytest.mark.parametrize("why", ["the gate is closed", "the limit is reached"])
def test_what_may_not_be_done_now_is_not_due(office: Office, why: str) -> None:
    """Nobody is expected to call a mail host that must be left alone."""
    office.limited(CallLimit(calls=1, window=DAY, reserve=0))
    with office.database.write() as session:
        _stop(session, office, why)
    office.move(LATER)

    assert stalled(office) is None


def test_the_doctor_and_the_status_tell_of_workers_that_live_and_do_nothing(office: Office, tmp_path: Path) -> None:
    """A worker that was seen a moment ago is no excuse for work of months ago."""
    with office.database.write() as session:
        workers.seen(session, "idle")
    (tmp_path / "policy.toml").write_text(POLICY)
    url = office.database.engine.url.render_as_string(hide_password=False)
    account = {"MAILROSTER_MIGADU_USER": "admin@example.org", "MAILROSTER_MIGADU_KEY": "sandbox-key"}
    shell = Shell(tmp_path, {"MAILROSTER_DATABASE_URL": url, "MAILROSTER_MIGADU_URL": office.url, **account})
    checks = {each["check"]: each for each in shell.run("doctor", "--json").document["checks"]}

    assert not checks["worker"]["ok"]
    assert checks["worker"]["said"].startswith("1 seen lately: idle; and yet nobody has done anything of what is due")
    assert "2026-03-02T09:00:00Z" in checks["worker"]["said"]


@ON_POSTGRESQL
def test_progress_is_read_by_indexes(database: Database) -> None:
    """Among thousands of jobs that wait, events that were applied and calls that were made, nothing is read through."""
    with database.write() as session:
        for statement in _FILLING:
            session.connection().exec_driver_sql(statement)
    with database.write() as session:
        session.connection().exec_driver_sql("analyze")
    plans = plans_of(database, lambda session: stalled_since(session, CallBudget(), datetime.now(UTC)))

    assert len(plans) >= 7
    assert [plan for plan in plans if "Seq Scan" in plan and "call_gate" not in plan] == []


_FILLING = (
    """
    insert into events (source, ce_source, ce_id, received_at, applied_at, digest, document, state, failures)
    select 'hr', 'urn', n::text, now(), now(), '', '{}', case when n > 4990 then 'accepted' else 'applied' end, 0
    from generate_series(1, 5000) n
    """,
    """
    insert into jobs (subject_kind, subject_key, state, urgency, run_at, generation, fence, failures,
                      created_at, updated_at, finished_at)
    select 'person', n::text, case mod(n, 2) when 0 then 'waiting' else 'done' end, mod(n, 4), now(),
           1, 0, 0, now(), now(), case mod(n, 2) when 1 then now() end
    from generate_series(1, 5000) n
    """,
    """
    insert into attempts (job_id, operation, method, started_at, duration_s)
    select id, 'show-mailbox', 'GET', now(), 0 from jobs
    """,
)


def _stop(session: Session, office: Office, why: str) -> None:
    if why == "the gate is closed":
        refusal = Refusal(Closing.ACCOUNT, "no", DAY)
        gate.close(session, refusal, office.clock.now(), probe_sent_at=None)
    else:
        office.execution.budget.take(session, is_revocation=False)
