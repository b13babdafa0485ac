"""What is refused at the inbox whoever asks, what is kept of it, and the way back of what was parked."""

import json
from typing import Any

import pytest

from tests.integration.office import DAY, Office
from worker.events import EventType
from worker.intake import OPERATOR, EventsRefused, accept, refuse, retry_parked, state_of_person
from worker.intake.accept import accept_of_operator
from worker.store.states import EventState
from worker.store.tables import EventRow


def kept(office: Office) -> EventRow:
    """The one event that is in the inbox, and refused."""
    (row,) = office.events()
    assert row.state == EventState.REJECTED
    return row


def nested(depth: int) -> dict[str, Any]:
    """An object in an object, and so on."""
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize("where", ["data", "extension"])
@pytest.mark.parametrize(
    ("value", "shown"),
    [(float("nan"), "NaN"), (float("inf"), "Infinity"), ("a\0b", "\\u0000"), ("\ud800", "\\ud800")],
    ids=["nan", "infinity", "nul", "surrogate"],
)
def test_what_no_database_takes_is_refused_and_kept_as_text(
    office: Office, where: str, value: object, shown: str
) -> None:
    """Python's JSON lets it through, as from a Celery producer; the record says which attribute, and what it was."""
    event = office.event("joined", "E1", givenName="Ada")
    told = event | ({"score": value} if where == "extension" else {"data": {"givenName": "Ada", "score": value}})

    with pytest.raises(EventsRefused, match="score: ") as refused:
        accept(office.intake, "celery", [told])

    assert kept(office).id == refused.value.ids[0]
    assert "score: " in str(kept(office).reason)
    assert shown in kept(office).document["raw"]
    assert "\0" not in kept(office).document["raw"]


@pytest.mark.parametrize("body", ["not JSON: \0 and \ud800", ["\0", float("nan")], {"a": "x" * 9_000}, nested(50_000)])
def test_any_body_is_kept_as_text_that_a_database_holds(office: Office, body: object) -> None:
    """Also what could not even be read is kept, shortened, and once however often it comes."""
    ids = {refuse(office.intake, "hr", body, "it is no event").id for _ in range(2)}

    raw = kept(office).document["raw"]
    assert ids == {kept(office).id}
    assert len(raw) <= 8_000
    assert json.loads(json.dumps(raw, allow_nan=False)).isprintable()


def test_refused_object_is_kept_as_it_came(office: Office) -> None:
    """An event that is refused for anything else is kept as the object it was."""
    with pytest.raises(EventsRefused):
        accept(office.intake, "hr", [{"type": "person.joined", "data": {"givenName": "Ada"}}])

    assert kept(office).document == {"type": "person.joined", "data": {"givenName": "Ada"}}


@pytest.mark.parametrize("source", [OPERATOR, "", "x" * 65, "Hr", "hr\n", "h r", 7, None])
def test_source_that_no_source_may_be_is_refused_and_leaves_a_record(office: Office, source: Any) -> None:
    """Whoever chooses a name, as a Celery producer does, speaks neither as the operator nor as what no row holds."""
    told = [office.event("joined", "1", givenName="Ada"), office.event("left", "1")]

    with pytest.raises(EventsRefused, match=r"^The name of the source is refused: [^.]+\.$") as refused:
        accept(office.intake, source, told)

    assert [(row.id, row.source, row.state) for row in office.events()] == [
        (id_, "refused", EventState.REJECTED) for id_ in refused.value.ids
    ]
    assert len(refused.value.ids) == 2


def test_name_of_64_characters_is_a_source(office: Office) -> None:
    """The longest name that a sources file may give is one that the inbox takes."""
    (receipt,) = accept(office.intake, "x" * 64, [office.event("updated", "E1", title="Countess")])

    assert not receipt.duplicate


@pytest.mark.parametrize("subject", ["E1", "1.5", "-1", "\u0661", "9" * 19])
def test_operator_speaks_of_our_ids_alone(office: Office, subject: str) -> None:
    """An operator's statement about anything but an id of ours is refused before it is in the inbox."""
    with pytest.raises(EventsRefused, match="subject: our id of a person"):
        accept_of_operator(office.intake, office.event("suspended", subject))

    assert (kept(office).source, kept(office).subject) == (OPERATOR, subject)


def test_operators_statement_still_counts(office: Office) -> None:
    """The act of an operator reaches the person by the way that is left to it alone."""
    office.employ("Ada Lovelace")

    state_of_person(office.intake, 1, EventType.SUSPENDED, data={}, actor="test")
    office.drain()

    assert not office.doors("ada.lovelace")["send"]


def test_parked_events_are_applied_when_their_cause_is_gone(office: Office) -> None:
    """What was parked comes back with its failures forgotten, in one call however much it is; applied events stay."""
    office.employ("Ada Lovelace")
    with office.database.read() as session:
        sound = session.connection().exec_driver_sql("select document from records").scalar_one()
    document = sound if isinstance(sound, str) else json.dumps(sound)
    office.execute("update records set document = '[1]'")
    for number in range(3):
        office.tell("updated", "E1", title=f"Countess {number}")
    office.work_on(DAY / 12)
    assert [row.state for row in office.events()] == [EventState.APPLIED, *[EventState.PARKED] * 3]

    office.execute("update records set document = :document", document=document)
    retried = retry_parked(office.intake), retry_parked(office.intake)
    waiting = [(row.state, row.failures, row.retry_at) for row in office.events()[1:]]
    office.drain()

    assert retried == (3, 0)
    assert waiting == [(EventState.ACCEPTED, 0, None)] * 3
    assert [(row.state, row.reason) for row in office.events()] == [(EventState.APPLIED, None)] * 4


def test_parked_events_come_back_batch_by_batch(office: Office) -> None:
    """More of them than a batch holds come back too, and what still cannot be applied does not go round for ever."""
    office.join("E1", "Ada Lovelace")
    office.apply_all()
    office.execute("update events set state = 'parked'")
    for number in range(2, 452):
        office.execute(
            "insert into events (id, source, received_at, digest, document, state, failures)"
            " values (:id, 'hr', '2026-03-02 09:00:00', 'x', '{}', 'parked', 5)",
            id=number,
        )

    assert retry_parked(office.intake) == 451
    assert {(row.state, row.failures) for row in office.events()} == {(EventState.ACCEPTED, 0)}
