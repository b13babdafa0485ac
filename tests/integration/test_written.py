"""What the ledger knows of what we last wrote; and views of many people, which cost no more questions than one."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from sqlalchemy import event, select

from tests.integration.office import PASSWORD, POLICY, Office
from tests.integration.test_migrations import alembic
from worker.store.tables import AddressRow
from worker.store.views import person_view, person_views

NO_POP = POLICY + "\n[mailbox]\nmay_access_pop3 = false\n"
PRECEDENCE = {"hr": 10, "it": 5}


def written(office: Office) -> dict[str, dict[str, object] | None]:
    """Return what the ledger knows to be written, by the local part of each address."""
    with office.database.read() as session:
        rows = session.scalars(select(AddressRow).where(AddressRow.held_to.is_(None)).order_by(AddressRow.id))
        return {row.address.partition("@")[0]: row.written for row in rows}


def test_what_was_confirmed_is_known_field_by_field(office: Office) -> None:
    """Each confirmed step leaves the fields it wrote, no password and no personal address; a deletion leaves none."""
    office.activate(NO_POP)
    office.employ("Ada Lovelace", department="Engineering")
    made = written(office)
    office.tell("renamed", "E1", familyName="King")
    office.drain()
    renamed = written(office)
    office.tell("left", "E1", lastWorkingDay="2026-02-27")
    office.drain()
    doors = ("may_send", "may_access_imap", "may_access_pop3", "may_access_managesieve")

    assert made == {
        "ada.lovelace": {"name": "Ada Lovelace", "may_access_pop3": False},
        "engineering": {"destinations": ["ada.lovelace@example.org"]},
    }
    assert renamed["ada.king"] == {"name": "Ada King", "password_use": "none"}
    assert written(office)["ada.lovelace"] == {"name": "Ada King", **dict.fromkeys(doors, False)}
    assert written(office)["engineering"] is None
    assert PASSWORD not in str(written(office))
    assert "home.example" not in str(written(office))


def test_what_the_host_ignored_does_not_count_as_written(office: Office) -> None:
    """A field that the host answered it did not take over is not ours: it stays to be written."""
    office.activate(POLICY + "\n[mailbox]\nspam_action = 'drop'\n")
    match = {"method": "POST", "path": "/v1/domains/*/mailboxes"}
    office.fail({"match": match, "fault": "ignore-fields", "fields": ["spam_action"]})
    office.employ("Ada Lovelace")

    assert written(office)["ada.lovelace"] == {"name": "Ada Lovelace"}


def test_an_upgrade_tells_what_was_written_from_the_call_ledger(office: Office, migrated_url: str) -> None:
    """A database from before knows as much after the upgrade as one that was there all the time."""
    office.activate(NO_POP)
    office.employ("Ada Lovelace", "Bob Builder", department="Engineering")
    office.tell("renamed", "E1", familyName="King")
    office.tell("left", "E2", lastWorkingDay="2026-02-27")
    office.drain()
    before = written(office)
    office.database.close()
    command.downgrade(alembic(migrated_url), "006_operators")
    command.upgrade(alembic(migrated_url), "head")

    assert before["ada.king"]
    assert written(office) == before


def test_views_of_many_are_those_of_each_and_cost_no_more_questions(office: Office) -> None:
    """However many people are looked at together, the database is asked as often, and tells the same of each."""
    office.employ("Ada Lovelace", *(f"Person{'abcdefghij'[number]} Builder" for number in range(10)), manager="E1")
    ids = [person.id for person in office.people()]
    with office.database.read() as session:
        one_by_one = {each: person_view(session, each, PRECEDENCE) for each in ids}
        with counted(office) as few:
            person_views(session, ids[1:3], PRECEDENCE)
        with counted(office) as many:
            together = person_views(session, ids, PRECEDENCE)

    assert together == one_by_one
    assert len(many) == len(few)
    assert together[ids[-1]].manager is not None


@contextmanager
def counted(office: Office) -> Iterator[list[str]]:
    """Collect the statements that the database is asked."""
    asked: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(office.database.engine, "before_cursor_execute", hear)
    try:
        yield asked
    finally:
        event.remove(office.database.engine, "before_cursor_execute", hear)
