"""The inbox: duplicates, conflicts, disorder, records that wait for their person, and what cannot be applied."""

from datetime import timedelta
from itertools import permutations
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text

from tests.integration.office import DAY, ON_POSTGRESQL, POLICY, Office
from tests.integration.shell import Shell
from worker.intake import EventsRefused, accept, apply_next
from worker.store import waiting
from worker.store.states import EventState

HOUR = timedelta(hours=1)


def test_event_told_twice_is_applied_once(office: Office) -> None:
    """A second delivery gets the receipt of the first, marked as duplicate, and makes no further call."""
    event = office.event("joined", "E1", givenName="Ada", familyName="Lovelace", personalEmail="ada@home.example")
    (first,) = accept(office.intake, "hr", [event])
    office.drain()
    calls = office.calls()

    (second,) = accept(office.intake, "hr", [event])
    office.drain()

    assert (second.id, second.duplicate) == (first.id, True)
    assert office.calls() == calls
    assert len(office.events()) == 1


def test_same_event_from_two_sources_is_two_events(office: Office) -> None:
    """The dedupe key holds our name of the source: what another source says under the same id is another event."""
    office.join("E1", "Ada Lovelace", id="one")

    receipt = office.tell("updated", "E1", source="it", id="one", title="Countess")

    assert not receipt.duplicate
    assert not receipt.conflict


def test_other_body_under_a_known_key_is_kept_and_never_applied(office: Office) -> None:
    """The same key with another body is recorded as rejected with the reason, however often it comes."""
    office.join("E1", "Ada Lovelace", id="one")
    office.drain()

    receipts = [office.tell("left", "E1", id="one") for _ in range(2)]
    office.drain()

    assert all(receipt.conflict and not receipt.duplicate for receipt in receipts)
    assert [event.state for event in office.events()] == [EventState.APPLIED, EventState.REJECTED]
    assert "another body came before" in str(office.events()[1].reason)
    assert office.doors("ada.lovelace")["send"]


def test_batch_with_one_invalid_event_is_refused_whole(office: Office) -> None:
    """One bad event refuses the batch with a sentence that names its place; nothing of the batch is applied."""
    good = office.event("joined", "E1", givenName="Ada")
    bad = office.event("joined", "E2", givenName="Grace") | {"type": "person.exploded"}

    with pytest.raises(EventsRefused, match=r"event 2: .*type: .*is unknown") as refused:
        accept(office.intake, "hr", [good, bad])
    office.drain()

    assert [(event.id, event.state) for event in office.events()] == [(refused.value.ids[0], EventState.REJECTED)]
    assert office.people() == []


def test_refused_event_may_be_mended_and_told_again(office: Office) -> None:
    """A rejected event holds no key: the sender may send it again, mended, under the same id."""
    with pytest.raises(EventsRefused):
        office.join("E1", "Ada Lovelace", id="one", hireDate="soon")

    receipt = office.join("E1", "Ada Lovelace", id="one", hireDate="2026-03-01")
    office.drain()

    assert not receipt.duplicate
    assert set(office.mailboxes()) == {"ada.lovelace"}


@pytest.mark.parametrize(
    "story",
    [
        (
            ("joined", {"department": "Engineering"}),
            ("updated", {"department": "Support"}),
            ("suspended", {}),
            ("resumed", {}),
        ),
        (("joined", {"department": "Support"}), ("left", {"lastWorkingDay": "2026-05-01"}), ("leaving_cancelled", {})),
        (
            ("joined", {"department": "Support"}),
            ("left", {}),
            ("joined", {"title": "Countess"}),
            ("updated", {"title": "Lady"}),
        ),
    ],
    ids=["suspended", "rescinded", "rehired"],
)
def test_every_order_of_the_same_events_ends_in_the_same_mail_state(
    office: Office, story: tuple[tuple[str, dict[str, str]], ...]
) -> None:
    """However the events of a person overtake each other, and with work done after each, the host ends the same."""
    now = office.clock.now()
    office.move(HOUR)
    orders = list(permutations(enumerate(story)))
    office.activate(POLICY + "[brakes]\nblock = { floor = 100, share = 1.0, per = '24h' }\n")
    for step in range(len(story)):
        for number, order in enumerate(orders):
            minute, (type_, facts) = order[step]
            name = {"givenName": "Ada", "familyName": _letters(number), "personalEmail": "ada@home.example"}
            named = name if type_ == "joined" else {}
            office.tell(type_, f"E{number}", time=now + minute * HOUR / 10, **(named | facts))
        office.drain()
    office.work_on(HOUR, every=HOUR / 2)

    boxes = office.mail_state()["mailboxes"]
    ends = {
        repr({key: value for key, value in box.items() if key not in ("local_part", "address", "name")})
        for box in boxes.values()
    }
    everyone = {f"ada.{_letters(number).lower()}" for number in range(len(orders))}
    assert set(boxes) == everyone
    assert len(ends) == 1
    assert office.doors("ada.qa")["send"]
    assert office.aliases() == {"support": everyone}
    assert office.outstanding() == []


def _letters(number: int) -> str:
    return "Q" + chr(ord("a") + number)


def test_departure_that_overtakes_the_join_leaves_nothing_open(office: Office) -> None:
    """Who left before the join is heard of has no open mailbox in the end."""
    now = office.clock.now()
    office.move(DAY)
    office.tell("left", "E1", time=now + HOUR)
    office.drain()

    office.join("E1", "Ada Lovelace", time=now)
    office.drain()

    assert office.mailboxes() == {}
    assert office.outstanding() == []


def test_record_of_a_source_that_makes_nobody_waits_for_its_person(office: Office) -> None:
    """What IT states of a number nobody has waits with a reason, and counts once the person joins."""
    office.tell("updated", "ada-laptop", source="it", employeeNumber="N1", department="Support")
    office.drain()
    (event,) = office.events()
    assert event.person_id is None
    assert event.reason == "nobody has this employeeNumber, and the record's source may not make people"

    office.join("E1", "Ada Lovelace", employeeNumber="N1")
    office.drain()

    assert office.aliases() == {"support": {"ada.lovelace"}}
    assert [(each.person_id, each.reason) for each in office.events()] == [(1, None), (1, None)]


def test_person_without_identifiers_picks_up_no_waiting_record(office: Office) -> None:
    """Records that state neither number nor address stay unmatched whoever joins."""
    office.tell("updated", "lost", source="it", department="Support")
    office.join("E1", "Ada Lovelace")
    office.drain()

    with office.database.read() as session:
        ((record, why),) = waiting.unmatched(session)
    assert record.subject == "lost"
    assert "neither employeeNumber nor workEmail" in why
    assert office.aliases() == {}


def test_waiting_record_is_linked_by_the_work_address(office: Office) -> None:
    """A record that states the address somebody was given belongs to them."""
    office.employ("Ada Lovelace")

    office.tell("updated", "ada-laptop", source="it", workEmail="ada.lovelace@example.org", department="Support")
    office.drain()

    assert office.aliases() == {"support": {"ada.lovelace"}}


def test_ambiguous_record_is_left_to_a_person(office: Office) -> None:
    """A record whose address belongs to somebody with another number is held with a reason and changes nobody."""
    office.join("E1", "Ada Lovelace", employeeNumber="N1")
    office.drain()

    office.tell("left", "x", source="it", workEmail="ada.lovelace@example.org", employeeNumber="N2")
    office.drain()

    event = office.events()[-1]
    assert event.person_id is None
    assert event.reason == "the person with this workEmail has another employeeNumber"
    assert office.doors("ada.lovelace")["send"]


def test_event_that_cannot_be_applied_is_parked_and_stops_nobody(office: Office) -> None:
    """An event that fails is tried five times with growing pauses and parked; others are applied meanwhile."""
    office.employ("Ada Lovelace")
    office.execute("update records set document = '[1]' where subject = 'E1'")
    poisoned = office.tell("renamed", "E1", familyName="King")

    office.join("E2", "Grace Hopper")
    office.drain()
    assert "grace.hopper" in office.mailboxes()
    assert [event.failures for event in office.events() if event.id == poisoned.id] == [1]

    office.work_on(DAY / 12)

    (parked,) = [event for event in office.events() if event.id == poisoned.id]
    assert (parked.state, parked.failures) == (EventState.PARKED, 5)
    assert str(parked.reason).startswith("could not be applied: ")


def test_person_who_cannot_be_evaluated_stops_nobody(office: Office) -> None:
    """When another policy makes everybody due, one who cannot be evaluated is left for later and the others go on."""
    office.employ("Ada Lovelace", "Grace Hopper")
    office.execute("update records set document = '[1]' where subject = 'E1'")

    office.activate(POLICY + '[[groups]]\naddress = "everyone"\nmembers = {}\n')
    office.drain()

    assert office.aliases() == {"everyone": {"grace.hopper"}}


def test_doctor_names_a_record_that_belongs_to_nobody(office: Office, tmp_path: Path) -> None:
    """`doctor` tells of a record of a source that makes no people, until it states whose it is."""
    url = office.database.engine.url.render_as_string(hide_password=False)
    shell = Shell(tmp_path, {"MAILROSTER_DATABASE_URL": url})
    office.join("E1", "Ada Lovelace", employeeNumber="7")
    office.tell("updated", "X1", source="it", title="Countess")
    office.drain()
    before = shell.run("doctor").out
    office.tell("updated", "X1", source="it", employeeNumber="7")
    office.drain()

    after = shell.run("doctor").out
    assert "1 belongs to nobody yet: it X1" in before
    assert "every record belongs to a person" in after


@ON_POSTGRESQL
def test_busy_database_counts_as_nobodys_failure(office: Office) -> None:
    """An event whose person is locked for too long comes back a moment later, and no failure is counted."""
    office.employ("Ada Lovelace")
    office.tell("updated", "E1", title="Countess")
    event.listen(office.database.engine, "begin", _impatient)
    with office.database.write() as session:
        session.execute(text("select id from people for update"))
        apply_next(office.intake)

    (row,) = [row for row in office.events() if row.type == "person.updated"]
    assert (row.state, row.failures) == (EventState.ACCEPTED, 0)
    office.move(timedelta(seconds=2))
    office.drain()
    (row,) = [row for row in office.events() if row.type == "person.updated"]
    assert row.state == EventState.APPLIED


def _impatient(connection: Connection) -> None:
    connection.exec_driver_sql("set local lock_timeout = '100ms'")
