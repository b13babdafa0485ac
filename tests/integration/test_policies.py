"""Stored policies and the audit of acts, on both engines."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from worker.store.audit import Act, latest_acts, record
from worker.store.database import Database
from worker.store.policies import UnknownPolicy, activate, active_policy, store_policy
from worker.store.tables import PolicyRow

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_no_policy_is_active_at_first(database: Database) -> None:
    """Neither an empty table nor a stored policy makes an active one."""
    with database.write() as session:
        at_first = active_policy(session)
        store_policy(session, "body", "aa", NOON)

        assert at_first is None
        assert active_policy(session) is None


def test_activating_takes_over_from_the_one_before(database: Database) -> None:
    """There is one active policy, the one that was activated last; going back is possible."""
    with database.write() as session:
        for policy_hash in ("aa", "bb"):
            store_policy(session, f"body of {policy_hash}", policy_hash, NOON)
    seen = []
    for policy_hash in ("bb", "aa", "bb"):
        with database.write() as session:
            activate(session, policy_hash, NOON)
        with database.read() as session:
            seen.append(active_policy(session))

    assert seen == [("bb", "body of bb"), ("aa", "body of aa"), ("bb", "body of bb")]


def test_storing_again_changes_nothing(database: Database) -> None:
    """Storing a known policy neither deactivates it nor moves its times; activating it again says that it was."""
    with database.write() as session:
        store_policy(session, "body", "aa", NOON)
        first = activate(session, "aa", NOON)
    with database.write() as session:
        store_policy(session, "body", "aa", NOON + timedelta(days=1))
        again = activate(session, "aa", NOON + timedelta(days=1))
        row = session.get_one(PolicyRow, "aa")

    assert (first, again) == (True, False)
    assert (row.stored_at, row.activated_at, row.active) == (NOON, NOON, True)


def test_an_unknown_policy_cannot_be_activated(database: Database) -> None:
    """Activating a hash that was never stored is refused, and the active policy stays."""
    with database.write() as session:
        store_policy(session, "body", "aa", NOON)
        activate(session, "aa", NOON)
        with pytest.raises(UnknownPolicy, match="no policy bb is stored"):
            activate(session, "bb", NOON)

        assert active_policy(session) == ("aa", "body")


def test_processes_that_start_with_different_policies_take_turns(database: Database) -> None:
    """Four at once, each storing and activating its own policy again and again: no error, and one is active."""
    together = threading.Barrier(4)

    def start(number: int) -> None:
        together.wait(timeout=10)
        for _ in range(10):
            with database.write() as session:
                store_policy(session, f"body of {number}", str(number), NOON)
                activate(session, str(number), NOON)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(start, range(4)))
    with database.read() as session:
        active = session.scalar(select(func.count()).select_from(PolicyRow).where(PolicyRow.active))

    assert active == 1


def test_an_act_is_kept_with_who_did_it_when_and_why(database: Database) -> None:
    """An act that was recorded is listed as it was told, the newest first."""
    with database.write() as session:
        record(session, "token:7", "job.retry", "12", {"note": "again"}, NOON)
        record(session, "cli:root", "token.revoke", "7", {}, NOON + timedelta(hours=1))
    with database.read() as session:
        acts = latest_acts(session)

    assert acts == [
        Act(2, NOON + timedelta(hours=1), "cli:root", "token.revoke", "7", {}),
        Act(1, NOON, "token:7", "job.retry", "12", {"note": "again"}),
    ]


def test_an_act_that_fails_is_not_recorded(database: Database) -> None:
    """The record goes with the transaction of the act: when that is rolled back, so is the record."""

    def act_in_vain() -> None:
        with database.write() as session:
            record(session, "token:7", "job.retry", "12", {}, NOON)
            raise RuntimeError("the act failed")

    with pytest.raises(RuntimeError, match="the act failed"):
        act_in_vain()
    with database.read() as session:
        acts = latest_acts(session)

    assert acts == []
