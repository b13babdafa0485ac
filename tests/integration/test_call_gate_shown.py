"""What is told of a closed gate: by the API's status, by the checkup, and by a command that needs the mail host."""

from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select

from tests.integration.office import POLICY, Office
from tests.integration.shell import Shell
from worker.deployment import Deployment
from worker.settings import load_settings
from worker.store import gate, schema
from worker.store.budget import CallBudget, Room
from worker.store.database import Database, database_now
from worker.store.gate import Closing, Refusal
from worker.store.tables import GateRow, SlotRow
from worker.web.status_object import status_object

REASON = "the mail host throttles (it answered 403)"


@pytest.fixture
def shell(office: Office, tmp_path: Path) -> Shell:
    """A shell beside an office, with the right key."""
    url = office.database.engine.url.render_as_string(hide_password=False)
    account = {"MAILROSTER_MIGADU_USER": "admin@example.org", "MAILROSTER_MIGADU_KEY": "sandbox-key"}
    (tmp_path / "policy.toml").write_text(POLICY)
    return Shell(tmp_path, {"MAILROSTER_DATABASE_URL": url, "MAILROSTER_MIGADU_URL": office.url, **account})


def _close(database: Database, closing_: Closing, reason: str = REASON) -> None:
    with database.write() as session:
        gate.close(session, Refusal(closing_, reason), database_now(session), probe_sent_at=None)


def _let_time_pass(database: Database) -> None:
    """Make the pause one that is over; the gate goes by the database's clock, which no test moves."""
    with database.write() as session:
        gate.probe_account_now(session, database_now(session))


def _pauses(database: Database) -> object:
    with database.read() as session:
        return status_object(session, database_now(session), schema=schema.head())["pauses"]


def test_the_status_shows_until_when_and_why_and_whether_it_is_probed(database: Database) -> None:
    """An open gate is not shown; a closed one is, as active until it opens, and while a probe is under way says so."""
    budget = CallBudget()
    assert _pauses(database) == []
    _close(database, Closing.ACCOUNT, "it answered 401")
    (closed,) = _pauses(database)
    assert (closed["kind"], closed["active"], closed["probing"]) == ("account", True, False)
    assert closed["reason"] == "it answered 401"
    assert closed["since"] < closed["until"]

    _let_time_pass(database)
    with database.write() as session:
        permit = budget.take(session, is_revocation=False)
    (probed,) = _pauses(database)
    assert (probed["active"], probed["probing"]) == (True, True)

    with database.write() as session:
        budget.answered(session, permit, gate.Heard.SERVED)
    assert _pauses(database) == []


def test_the_doctor_says_that_the_host_is_left_alone(office: Office, shell: Shell) -> None:
    """While the gate is closed the checkup makes no call, and says until when, why, and what mends it."""
    _close(office.database, Closing.THROTTLED)
    throttled = shell.run("doctor").out
    with office.database.write() as session:
        session.execute(delete(GateRow))
    _close(office.database, Closing.ACCOUNT, "the mail host does not accept the account or its key (it answered 401)")
    refused = shell.run("doctor").out

    assert "the mail host is left alone until " in throttled
    assert REASON in throttled
    assert "nothing to mend" in throttled
    assert "then restart the workers: they try at once" in refused
    assert office.calls() == []


def test_a_plan_says_when_to_try_again(office: Office, shell: Shell) -> None:
    """A command that needs the host fails with one sentence that says in how many seconds it makes sense."""
    _close(office.database, Closing.THROTTLED)
    ran = shell.run("plan", "--all")

    assert ran.code == 1
    assert REASON in ran.err
    assert "try again in 1" in ran.err  # two minutes, less what starting took
    assert len(ran.err.strip().splitlines()) == 1


def test_a_worker_that_starts_tries_a_refused_account_at_once(database: Database, tmp_path: Path) -> None:
    """Whoever mends the key and restarts need not wait for the pause to end; the slots are fitted then, too."""
    url = database.engine.url.render_as_string(hide_password=False)
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    _close(database, Closing.ACCOUNT)
    with closing(Deployment(load_settings({"MAILROSTER_DATABASE_URL": url, "MAILROSTER_POLICY": str(policy)}))) as one:
        one.begin_work()

    with database.read() as session:
        assert CallBudget().room(session) is Room.EVERYBODY
        assert session.scalars(select(func.count()).select_from(SlotRow)).one() == 60
