"""Deliveries that are committed together: each has its own answer, and what is wrong with one harms no other."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import func, select, text

from tests.integration.office import ON_POSTGRESQL, Office
from tests.integration.test_web_server import CountingBell
from worker.intake import Offer, Receipts, commit_each, offer
from worker.intake.sealing import Channel, Raw, Sealer
from worker.store.database import Database, DatabaseBusy, DatabaseFailure
from worker.store.states import EventState
from worker.store.tables import DeliveryRow, DeliverySubjectRow, EventRow


def offered(office: Office, *documents: dict[str, object], raw: Raw | None = None) -> Offer:
    """Return what a delivery of valid events offers."""
    made = offer(office.intake, "hr", documents, raw=raw)
    assert made is not None
    return made


def joining(office: Office, *subjects: str) -> list[Offer]:
    """Return a delivery for each of these, who joins."""
    return [offered(office, office.event("joined", subject, givenName=subject)) for subject in subjects]


def committed(office: Office, offers: Sequence[Offer]) -> list[Receipts]:
    """Commit deliveries together, none of which may fail."""
    became = commit_each(office.intake, lambda: offers)
    return [each for each in became if not isinstance(each, Exception)]


def refuse_rows_of(office: Office, subject: str) -> None:
    """Have the database itself refuse what is told of somebody."""
    insert = "create trigger refuse before insert on events for each row when (new.subject = '{}') {}"
    with office.database.write() as session:
        if office.database.is_sqlite:
            session.execute(text(insert.format(subject, "begin select raise(abort, 'refused'); end")))
        else:
            body = "begin raise integrity_constraint_violation; end"
            session.execute(text(f"create function refuse() returns trigger language plpgsql as '{body}'"))
            session.execute(text(insert.format(subject, "execute function refuse()")))


def test_each_delivery_gets_the_receipts_of_its_own_events(office: Office) -> None:
    """In its order and the order of its events, whichever of them are new, known, or known with another body."""
    known = office.event("joined", "E1", givenName="Ada", id="one")
    (first,) = committed(office, [offered(office, known)])
    together = [
        offered(
            office, office.event("joined", "E3", givenName="Joan"), office.event("joined", "E2", givenName="Grace")
        ),
        offered(office, known),
        offered(office, known | {"data": {"givenName": "Anna"}}),
    ]

    new, repeated, conflicting = committed(office, together)

    rows = {event.id: event for event in office.events()}
    assert [rows[each.id].subject for each in new] == ["E3", "E2"]
    assert [(each.duplicate, each.conflict) for each in new] == [(False, False)] * 2
    assert [(each.id, each.duplicate) for each in repeated] == [(first[0].id, True)]
    assert [each.conflict for each in conflicting] == [True]
    assert rows[conflicting[0].id].state is EventState.REJECTED


def test_the_same_event_twice_among_them_is_one(office: Office) -> None:
    """The second is the duplicate of the first, and with another body it is kept and never applied."""
    event = office.event("joined", "E1", givenName="Ada")
    together = [offered(office, event), offered(office, event), offered(office, event | {"data": {"givenName": "Eve"}})]

    (first,), (second,), (third,) = committed(office, together)

    assert (first.duplicate, second.duplicate, third.conflict) == (False, True, True)
    assert first.id == second.id != third.id
    assert [event.state for event in office.events()] == [EventState.ACCEPTED, EventState.REJECTED]


def test_what_the_database_refuses_of_one_harms_no_other(office: Office) -> None:
    """One is told of the failure and nothing of it is there, not even its good event; the others are accepted."""
    refuse_rows_of(office, "E2")
    (before, after), (good, bad) = joining(office, "E1", "E4"), joining(office, "E3", "E2")
    both = replace(good, events=good.events + bad.events)

    became = commit_each(office.intake, lambda: [before, both, after])

    assert [isinstance(each, DatabaseFailure) for each in became] == [False, True, False]
    assert [event.subject for event in office.events()] == ["E1", "E4"]


def test_what_is_done_beside_one_of_them_harms_no_other(office: Office) -> None:
    """A defect is the answer of the one it happened to."""

    def fail(_: object) -> bool:
        raise RuntimeError("a defect")

    one, other = joining(office, "E1", "E2")

    became = commit_each(office.intake, lambda: [replace(one, also=fail), other])

    assert isinstance(became[0], RuntimeError)
    assert [event.subject for event in office.events()] == ["E2"]


@ON_POSTGRESQL
def test_a_database_that_goes_away_in_the_middle_accepts_none(office: Office) -> None:
    """Each of them is told, and each is accepted once it is sent again."""
    together = joining(office, "E1", "E2")

    def gather() -> Sequence[Offer]:
        url = office.database.engine.url.render_as_string(hide_password=False)
        with closing(Database(url)) as database, database.write() as session:
            others = "pid <> pg_backend_pid() and datname = current_database()"
            session.execute(text(f"select pg_terminate_backend(pid) from pg_stat_activity where {others}"))
        return together

    became = commit_each(office.intake, gather)

    assert [isinstance(each, DatabaseBusy) for each in became] == [True, True]
    assert office.events() == []
    assert [receipt.duplicate for (receipt,) in committed(office, together)] == [False, False]


@ON_POSTGRESQL
def test_without_a_database_nobody_is_gathered(office: Office) -> None:
    """Those who wait are still there to be told."""
    gathered: list[Offer] = []
    with closing(Database("postgresql+psycopg://nobody@127.0.0.1:1/none")) as gone, pytest.raises(DatabaseFailure):
        commit_each(replace(office.intake, database=gone), lambda: gathered)


@ON_POSTGRESQL
def test_they_are_one_transaction(office: Office) -> None:
    """PostgreSQL says of every row which transaction wrote it."""
    committed(office, joining(office, "E1", "E2", "E3"))

    with office.database.read() as session:
        assert session.scalar(text("select count(distinct xmin::text) from events")) == 1


def test_many_that_arrive_together_ring_a_few_times(office: Office) -> None:
    """A bell is only to wake somebody: known events ring for nobody, one new rings, a hundred do not ring a hundred."""
    bell = CountingBell()
    office.intake = replace(office.intake, bell=bell)
    one, *many = joining(office, *(f"E{number}" for number in range(101)))

    committed(office, [one])
    assert bell.applies == 1
    committed(office, [one])
    assert bell.applies == 1
    committed(office, many)
    assert 1 < bell.applies < 10


def test_each_delivery_is_kept_with_its_own_events_and_subjects(office: Office) -> None:
    """Where deliveries are kept: so that each is replayed, or forgotten with its person, by itself."""
    office.intake = replace(office.intake, sealer=Sealer([SecretStr(Fernet.generate_key().decode())]))
    together = [
        offered(office, office.event("joined", subject, givenName="Ada"), raw=Raw(Channel.HOOK, {}, subject.encode()))
        for subject in ("E1", "E2")
    ]
    repeated = together[0]

    (first,), (second,) = committed(office, together)
    committed(office, [repeated])

    with office.database.read() as session:
        kept = {row.id: row for row in session.scalars(select(DeliveryRow))}
        subjects = {kept[row.delivery_id].events[0]: row.subject for row in session.scalars(select(DeliverySubjectRow))}
        assert subjects == {first.id: "E1", second.id: "E2"}
        assert len(kept) == session.scalar(select(func.count()).select_from(EventRow)) == 2
