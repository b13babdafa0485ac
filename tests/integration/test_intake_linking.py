"""Whose record is whose when identifiers come late, in every order, and without two workers waiting for each other."""

import io
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
import structlog
from sqlalchemy import text

from tests.integration.office import DAY, MONDAY, ON_POSTGRESQL, Office
from worker.events import parse_event
from worker.intake import accept, apply_next
from worker.intake.apply import place
from worker.intake.evaluate import evaluate
from worker.log import configure_logging
from worker.roster import Record, fold
from worker.store import people, waiting
from worker.store.states import EventState

HIRED = "2026-03-20"
WAIT_S = 20


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged in this test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging(stream)
    yield stream
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def two_makers(office: Office) -> Office:
    """An office in which two sources make people."""
    office.intake = replace(office.intake, creators={"hr", "it"})
    return office


STORY: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("joined", "hr", "E1", {"givenName": "Ada", "familyName": "Lovelace", "personalEmail": "ada@home.example"}),
    ("joined", "it", "ada-laptop", {"nickName": "Ada", "employeeNumber": "N1", "department": "Support"}),
    ("updated", "hr", "E1", {"employeeNumber": "N1", "title": "Countess"}),
)


@pytest.mark.parametrize("order", list(permutations(range(len(STORY)))))
def test_number_learnt_late_finds_its_person_in_every_order(two_makers: Office, order: tuple[int, ...]) -> None:
    """While nothing was made for somebody, a number that is stated later makes them one with who holds it."""
    two_makers.move(DAY)
    for number in order:
        type_, source, subject, facts = STORY[number]
        hired = {"hireDate": HIRED} if type_ == "joined" else {}
        two_makers.tell(
            type_, subject, source=source, id=f"e{number}", time=MONDAY + number * DAY / 24, **facts, **hired
        )
        two_makers.drain()
    two_makers.work_on(30 * DAY, every=DAY)

    assert set(two_makers.mailboxes()) == {"ada.lovelace"}
    assert two_makers.aliases() == {"support": {"ada.lovelace"}}
    assert two_makers.outstanding() == []
    assert len({row.person_id for row in two_makers.events()}) == 1
    assert [row.reason for row in two_makers.events()] == [None] * 3


def test_who_lost_the_only_record_is_left_alone(two_makers: Office) -> None:
    """The person without a record stays as one of whom nothing is known, and whom no policy makes due for ever."""
    two_makers.join("E1", "Ada Lovelace", hireDate=HIRED)
    two_makers.tell("joined", "ada", source="it", givenName="Ada", employeeNumber="N1", hireDate=HIRED)
    two_makers.drain()
    two_makers.tell("updated", "E1", employeeNumber="N1")
    two_makers.drain()

    empty, whole = two_makers.people()
    assert (empty.employee_number, empty.next_change_at, empty.phase) == (None, None, "")
    assert empty.policy_hash == whole.policy_hash
    assert not apply_next(two_makers.intake)
    with two_makers.database.read() as session:
        assert {record.source for record in people.load(session, whole.id).records} == {"hr", "it"}


def test_two_people_with_one_number_are_reported(two_makers: Office, log: io.StringIO) -> None:
    """Where both have a mailbox nothing is merged: the event says who they are, and the log says so without a name."""
    two_makers.employ("Ada Lovelace")
    two_makers.tell("joined", "x", source="it", givenName="A", employeeNumber="N1", personalEmail="a@home.example")
    two_makers.drain()

    two_makers.tell("updated", "E1", employeeNumber="N1", familyName="King")
    two_makers.drain()

    told = two_makers.events()[-1]
    assert (told.state, told.person_id) == (EventState.APPLIED, 1)
    assert told.reason == "two people state the same employeeNumber: 1 and 2; mend it where it is stated"
    assert '"people": [1, 2]' in log.getvalue()
    assert not any(value in log.getvalue() for value in ("N1", "King", "Ada", "home.example"))
    assert len(two_makers.mailboxes()) == 2


def test_person_with_another_record_keeps_theirs(two_makers: Office) -> None:
    """Who has two records is not torn apart by a number that one of them states: that is for a person to mend."""
    two_makers.join("E1", "Ada Lovelace", workEmail="ada@example.org", hireDate=HIRED)
    two_makers.tell("updated", "ada", source="it", workEmail="ada@example.org")
    two_makers.tell("joined", "x", source="it", givenName="A", employeeNumber="N1", hireDate=HIRED)
    two_makers.tell("updated", "E1", employeeNumber="N1")
    two_makers.drain()

    assert [row.person_id for row in two_makers.events()] == [1, 1, 2, 1]
    assert "two people state the same employeeNumber: 1 and 2" in str(two_makers.events()[-1].reason)


def test_waiting_record_brings_what_the_next_one_waits_for(office: Office) -> None:
    """A record that is linked by its address brings a number, and with it the record that states only that."""
    office.tell("updated", "badge", source="it", employeeNumber="N1", department="Support")
    office.tell("updated", "laptop", source="it", workEmail="ada@example.org", employeeNumber="N1")
    office.join("E1", "Ada Lovelace", workEmail="ada@example.org")
    office.drain()

    assert office.aliases() == {"support": {"ada"}}


WAITS = {"workEmail": "ada.lovelace@example.org", "department": "Support"}


@pytest.mark.parametrize("starts_in", [0, 30], ids=["at once", "when the domain or the day has come"])
def test_record_that_knows_an_address_waits_for_it_to_be_given(office: Office, starts_in: int) -> None:
    """A record that states only an address is linked as soon as the policy gives that address to somebody."""
    office.employ("Grace Hopper")  # so the domain has been read
    office.tell("updated", "laptop", source="it", **WAITS)
    office.drain()
    hired = (MONDAY + starts_in * DAY).date().isoformat()
    office.join("E7", "Ada Lovelace", hireDate=hired)
    office.work_on((starts_in + 1) * DAY, every=DAY)

    assert office.aliases() == {"support": {"ada.lovelace"}}
    assert [row.person_id for row in office.events()] == [1, 2, 2]
    assert [row.line_due_at for row in office.people()] == [None, None]
    assert office.outstanding() == []


def test_news_of_the_person_make_nobody_forget_the_record(office: Office) -> None:
    """Whatever is heard between the giving and the linking, the record is linked."""
    office.employ("Grace Hopper")
    office.tell("updated", "laptop", source="it", **WAITS)
    office.join("E7", "Ada Lovelace")
    office.tell("updated", "E7", title="Countess")
    office.drain()

    assert office.aliases() == {"support": {"ada.lovelace"}}


def test_record_waits_for_the_address_of_a_new_name(office: Office) -> None:
    """So it is with an address that somebody gets later, beside the first one."""
    office.employ("Ada Byron")
    office.tell("updated", "laptop", source="it", **WAITS)
    office.drain()
    office.tell("renamed", "E1", familyName="Lovelace")
    office.drain()

    assert office.aliases() == {"support": {"ada.byron"}}


def test_record_that_waits_in_vain_is_asked_once(office: Office) -> None:
    """Where the number that it states is not that of whoever gets the address, it stays, and nobody looks for ever."""
    office.tell("updated", "laptop", source="it", employeeNumber="N2", **WAITS)
    office.join("E1", "Ada Lovelace", employeeNumber="N1")
    office.drain()

    with office.database.read() as session:
        ((_, why),) = waiting.unmatched(session)
    assert why == "the person with this workEmail has another employeeNumber"
    assert [row.line_due_at for row in office.people()] == [None]
    assert not apply_next(office.intake)


def test_others_below_hear_of_it_and_so_does_a_record_that_waits(office: Office) -> None:
    """Whoever has reports tells them in the same turn, and none is forgotten for the other."""
    office.tell("updated", "laptop", source="it", **WAITS)
    office.join("E1", "Ada Lovelace")
    office.join("E2", "Bob Smith", manager="E1")
    office.drain()

    assert office.aliases() == {"support": {"ada.lovelace"}}
    assert [row.takeover_address for row in office.people()] == ["ada.lovelace@example.org", "bob.smith@example.org"]


@ON_POSTGRESQL
@pytest.mark.parametrize("first", ["address", "record"])
def test_record_that_is_heard_while_its_address_is_given_is_linked(office: Office, first: str) -> None:
    """Whichever transaction ends first, one of both sees the other: no record waits for what is there already."""
    office.employ("Grace Hopper")
    office.join("E7", "Ada Lovelace", hireDate="2026-03-20")
    office.drain()
    office.move(30 * DAY)
    told = office.event("updated", "laptop", **WAITS)
    if first == "address":
        accept(office.intake, "it", [told])
    with ThreadPoolExecutor(1) as beside, office.database.write() as session:
        if first == "address":
            (ada,) = [row for row in office.people() if row.name == "Ada Lovelace"]
            evaluate(session, office.intake, people.lock(session, ada.id), None)
        else:
            people.lock_linking(session)
            now = office.clock.now()
            record = fold(Record("it", "laptop"), parse_event(told, now=now), now)
            place(session, office.intake, record, None, linking=True, now=now)
        other = beside.submit(apply_next, office.intake)
        office.wait_for_a_waiter()
        session.commit()
        assert other.result(WAIT_S)
    office.drain()

    assert office.aliases() == {"support": {"ada.lovelace"}}


def test_warning_about_the_time_outlives_a_failure(office: Office) -> None:
    """What its sender should know of an applied event stays with it, and no reason of a failure that is over does."""
    office.join("E1", "Ada Lovelace", time=MONDAY + DAY)
    office.execute("update events set reason = 'could not be applied: KeyError', failures = 1")
    office.apply_all()

    assert str(office.events()[0].reason).startswith("time: ")
    assert "could not be applied" not in str(office.events()[0].reason)


@ON_POSTGRESQL
@pytest.mark.parametrize(("source", "subject"), [("it", "ada-laptop"), ("hr", "E1")], ids=["unmatched", "linked"])
def test_who_waits_for_linking_holds_nothing_that_its_holder_needs(office: Office, source: str, subject: str) -> None:
    """An event that may link takes the lock of linking first: meanwhile its record and its person are free."""
    office.employ("Ada Lovelace")
    office.tell("updated", "ada-laptop", source="it", department="Support")
    office.drain()
    office.tell("updated", subject, source=source, employeeNumber="N1")
    with ThreadPoolExecutor(1) as beside, office.database.write() as session:
        people.lock_linking(session)
        applied = beside.submit(apply_next, office.intake)
        office.wait_for_a_waiter()
        free = [
            session.execute(text(f"select 1 from {table} for update nowait")).all() for table in ("records", "people")
        ]
        session.commit()
        assert applied.result(WAIT_S)

    assert [len(rows) for rows in free] == [2, 1]
    office.drain()
    assert office.events()[-1].state == EventState.APPLIED
    assert office.events()[-1].failures == 0
