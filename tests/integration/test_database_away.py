"""A database that goes away in the midst of a job and comes back: nobody waits for longer than it was away."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Connection, event

from tests.integration.office import Office
from worker.execution import sweep_once
from worker.store.database import DatabaseBusy
from worker.store.states import JobState

SECOND = timedelta(seconds=1)


@contextmanager
def away_once_ada_is_made(office: Office, for_: timedelta, then: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Let no transaction begin for so long from when the host has her mailbox; something else happens then, too."""
    until = None

    def refuse(_connection: Connection) -> None:
        nonlocal until
        if until is None and "ada.lovelace" in office.mailboxes():
            until = office.clock.now() + for_
            then()
        if until is not None and office.clock.now() < until:
            raise DatabaseBusy("begin", None, ConnectionError("the server is away"))

    event.listen(office.database.engine, "begin", refuse)
    yield
    event.remove(office.database.engine, "begin", refuse)


def expect_ada(office: Office) -> None:
    """Have Ada's mailbox be the next thing to do, in a domain that has been read."""
    office.employ("Grace Hopper")
    office.join("E2", "Ada Lovelace")
    office.apply_all()


def test_a_job_ends_when_the_database_is_back(office: Office) -> None:
    """Its end is written half a minute later, by who did it: nobody has to wait until the lease runs out."""
    expect_ada(office)
    with away_once_ada_is_made(office, 30 * SECOND):
        office.run_all()

    assert office.job_of(2).state is JobState.DONE
    assert office.ledger() == [("create-mailbox", "confirmed")] * 2


def test_a_job_that_cannot_end_is_taken_over(office: Office) -> None:
    """Where the database stays away for longer than a lease, another looks what was done, and does it once."""
    expect_ada(office)
    with away_once_ada_is_made(office, 600 * SECOND), pytest.raises(DatabaseBusy):
        office.run_all()
    office.let_leases_run_out()
    sweep_once(office.execution, 1)
    office.drain()

    assert office.ledger() == [("create-mailbox", "confirmed")] * 2
    assert len(office.calls("POST")) == 2


def test_whoever_is_to_stop_does_not_wait_for_a_database_that_is_away(office: Office) -> None:
    """The worker ends after a few tries, and another does the rest."""
    expect_ada(office)
    began = office.clock.now()
    stop = office.execution.stopping.set
    with away_once_ada_is_made(office, 600 * SECOND, stop), pytest.raises(DatabaseBusy):
        office.run_all()

    assert office.clock.now() - began < 10 * SECOND
