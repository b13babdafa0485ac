"""Deliveries kept and replayed: what is kept with what, how long, for whom not any more, and what a replay changes."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import Connection, event, select, text

from tests.integration.office import DAY, MONDAY, ON_POSTGRESQL, Office
from tests.integration.test_erasure_of_people import everything
from worker.execution.sweep import sweep_once
from worker.intake import EventsRefused, Receipt, accept, note_hints, refuse
from worker.intake.reapply import Outcome as Reapplied
from worker.intake.reapply import Wanted as Applied
from worker.intake.reapply import reapply
from worker.intake.replay import NothingToReplay, Outcome, Told, Wanted, replay
from worker.intake.sealing import CannotOpen, Channel, Raw, Sealer
from worker.sources import BodyInvalid, Hint, Parsed
from worker.store import deliveries
from worker.store.database import Database, Session
from worker.store.refolding import folded, told_of
from worker.store.states import EventState
from worker.store.tables import DeliveryRow, DeliverySubjectRow, EventRow, HintRow

KEY, OTHER_KEY = (SecretStr(Fernet.generate_key().decode()) for _ in range(2))
Mapping = Callable[[dict[str, Any]], dict[str, Any] | None]


def with_key(office: Office, *keys: SecretStr) -> Office:
    """Have an office keep what it is told."""
    office.intake = replace(office.intake, sealer=Sealer(keys or (KEY,)))
    return office


@pytest.fixture
def keeping(office: Office) -> Office:
    """An office that keeps what it is told."""
    return with_key(office)


def change(number: int, who: str, **more: Any) -> dict[str, Any]:
    """Return an item as some vendor writes it."""
    return {"uuid": f"v-{number}", "who": who, "at": MONDAY.isoformat(), "kind": "changed"} | more


def reading(**words: str) -> Mapping:
    """Return a mapping: our attribute = their key, and ``type`` = our type for whatever they say."""

    def read(item: dict[str, Any]) -> dict[str, Any] | None:
        return {
            "specversion": "1.0",
            "id": item["uuid"],
            "source": "urn:vendor",
            "type": words.get("type", "person.updated"),
            "subject": item[words.get("subject", "who")],
            "time": item["at"],
            "data": {ours: item[theirs] for ours, theirs in words.items() if theirs in item and ours != "subject"},
        }

    return read


def documents(raw: Raw, mapping: Mapping) -> list[object]:
    """Read a body of items by a mapping."""
    if not raw.body.startswith(b"["):
        raise BodyInvalid("the body is no list")
    return [told for item in json.loads(raw.body) if (told := mapping(item)) is not None]


def deliver(office: Office, mapping: Mapping, *items: dict[str, Any], source: str = "hr") -> tuple[Receipt, ...]:
    """Have a source deliver items, as read by a mapping."""
    raw = Raw(Channel.HOOK, {"content-type": "application/json"}, json.dumps(items).encode())
    return accept(office.intake, source, documents(raw, mapping), raw=raw)


def again(office: Office, mapping: Mapping, *, dry_run: bool = False, source: str = "hr", **wanted: Any) -> list[Told]:
    """Replay what a source delivered, as read by a mapping."""

    def read(raw: Raw, _: datetime) -> Parsed:
        return Parsed(tuple(documents(raw, mapping)))

    return list(replay(office.intake, Wanted(source, **wanted), read, dry_run=dry_run))


def outcomes(told: list[Told]) -> list[Outcome]:
    """Return what came of each thing."""
    return [each.outcome for each in told]


def facts(office: Office, subject: str, source: str = "hr") -> dict[str, Any]:
    """Return what a record states now, and check that the stored events say the same."""
    with office.database.read() as session:
        person_id = session.scalars(
            select(EventRow.person_id).where(EventRow.subject == subject, EventRow.person_id.is_not(None))
        ).first()
        assert person_id is not None
        anew = folded(person_id, told_of(session, person_id))
        row = session.execute(
            text("select document from records where source = :source and subject = :subject"),
            {"source": source, "subject": subject},
        ).scalar_one()
    document = json.loads(row) if isinstance(row, str) else row
    told = {name: each["value"] for name, each in document["facts"].items()}
    (record,) = [each for each in anew.records if (each.source, each.subject) == (source, subject)]
    assert {name: stated.value for name, stated in record.facts.items()} == told
    return told


def employ(office: Office, subject: str = "E1") -> None:
    """Have somebody work here."""
    office.join(subject, "Ada Lovelace", time=MONDAY - DAY, personalEmail="ada@private.example")
    office.drain()


def test_a_delivery_is_kept_with_its_events_and_tells_nothing_without_the_key(keeping: Office) -> None:
    """The row names events and subjects; what came is in no table, and opens with the key alone."""
    (receipt,) = deliver(keeping, reading(department="team"), change(1, "E1", team="Marsupials", secret="Kangaroo"))
    with keeping.database.read() as session:
        (row,) = session.scalars(select(DeliveryRow)).all()

    assert (row.source, row.channel, row.events, row.received_at) == ("hr", "hook", [receipt.id], MONDAY)
    assert "kangaroo" not in everything(keeping)
    opened = Sealer([OTHER_KEY, KEY]).open(Channel(row.channel), row.sealed)
    assert b"Kangaroo" in opened.body
    assert opened.headers == {"content-type": "application/json"}
    with pytest.raises(CannotOpen):
        Sealer([OTHER_KEY]).open(Channel(row.channel), row.sealed)


def test_without_a_key_nothing_is_kept_or_replayed(office: Office) -> None:
    """Events are accepted as ever; who asks for a replay is told why there is none."""
    deliver(office, reading(), change(1, "E1"))

    assert office.total(DeliveryRow) == 0
    with pytest.raises(NothingToReplay, match="MAILROSTER_RAW_KEY"):
        again(office, reading())


def test_a_repetition_is_not_kept_twice(keeping: Office) -> None:
    """A retry brings nothing new; a list that brings one new event is kept, and so is another body under a known id."""
    deliver(keeping, reading(title="job"), change(1, "E1", job="Clerk"))
    deliver(keeping, reading(title="job"), change(1, "E1", job="Clerk"))
    assert keeping.total(DeliveryRow) == 1

    deliver(keeping, reading(title="job"), change(1, "E1", job="Clerk"), change(2, "E1"))
    deliver(keeping, reading(title="job"), change(1, "E1", job="Smith"))
    assert keeping.total(DeliveryRow) == 3


def test_the_delivery_is_committed_with_its_events_or_not_at_all(keeping: Office) -> None:
    """Where the delivery cannot be written, the event is not there either, so that the sender sends it again."""

    def fail(_conn: Connection, _cursor: Any, statement: str, *_more: Any) -> None:
        if statement.startswith("INSERT INTO deliver"):
            raise RuntimeError("the disk is full")

    event.listen(keeping.database.engine, "before_cursor_execute", fail)
    with pytest.raises(RuntimeError):
        deliver(keeping, reading(), change(1, "E1"))
    event.remove(keeping.database.engine, "before_cursor_execute", fail)

    assert keeping.total(EventRow) == 0


def test_what_reads_as_before_changes_nothing(keeping: Office) -> None:
    """However often it is replayed: no event, no job, nothing to apply."""
    employ(keeping)
    deliver(keeping, reading(title="job"), change(1, "E1", job="Clerk"))
    keeping.drain()
    before = everything(keeping)

    for _ in range(2):
        assert outcomes(again(keeping, reading(title="job"))) == [Outcome.SAME]
    assert everything(keeping) == before


def test_what_was_refused_before_and_reads_well_now_is_accepted(keeping: Office) -> None:
    """An invalid event, and a body that could not be read at all, once the mapping is mended."""
    employ(keeping)
    with pytest.raises(EventsRefused):
        deliver(keeping, reading(type="person.promoted", title="job"), change(1, "E1", job="Clerk"))
    body = json.dumps([change(2, "E1", room="7")]).encode()
    refuse(keeping.intake, "hr", body.decode(), "the body holds no items", raw=Raw(Channel.HOOK, {}, body))
    assert keeping.total(DeliveryRow) == 2

    mended = reading(title="job", location="room")
    assert outcomes(again(keeping, mended, dry_run=True)) == [Outcome.ACCEPTED, Outcome.ACCEPTED]
    assert keeping.total(EventRow) == 3
    assert outcomes(again(keeping, mended)) == [Outcome.ACCEPTED, Outcome.ACCEPTED]
    keeping.drain()
    assert facts(keeping, "E1") | {"title": "Clerk", "location": "7"} == facts(keeping, "E1")
    assert outcomes(again(keeping, mended)) == [Outcome.SAME, Outcome.SAME]


def test_what_was_passed_over_is_kept_and_can_be_read_later(keeping: Office) -> None:
    """A delivery that held nothing for us then may hold something now."""
    assert deliver(keeping, lambda _: None, change(1, "E1", job="Clerk")) == ()

    assert outcomes(again(keeping, reading(title="job"))) == [Outcome.ACCEPTED]


def test_who_only_changed_is_asked_for_again(keeping: Office) -> None:
    """A hint that is known is a wish to ask once more, without its word; one that was passed over is noted as it is."""
    hint = Hint("E1", MONDAY, "person.left", "evt-1")
    raw = Raw(Channel.HOOK, {}, b"[]", frozenset({"E1"}))

    def note(session: Session) -> bool:
        return not note_hints(session, "hr", [hint], MONDAY)[0].duplicate

    accept(keeping.intake, "hr", [], raw=raw, also=note)
    keeping.execute("update hints set state = 'settled', settled_at = heard_at")
    keeping.move(DAY)

    def read(*hints: Hint) -> list[Outcome]:
        wanted = Wanted("hr")
        return outcomes(list(replay(keeping.intake, wanted, lambda *_: Parsed(hints=hints))))

    assert read(hint, replace(hint, subject="E2", key="evt-2")) == [Outcome.ASKED, Outcome.ACCEPTED]
    with keeping.database.read() as session:
        found = session.execute(select(HintRow.subject, HintRow.words).where(HintRow.state == "waiting")).all()
        assert sorted((subject, [word[0] for word in words]) for subject, words in found) == [
            ("E1", []),
            ("E2", ["person.left"]),
        ]
        assert set(session.scalars(select(DeliverySubjectRow.subject))) == {"E1", "E2"}


def test_what_is_still_refused_is_told_with_the_reason(keeping: Office) -> None:
    """And kept once, as when it came."""
    with pytest.raises(EventsRefused):
        deliver(keeping, reading(type="person.promoted"), change(1, "E1"))
    (told,) = again(keeping, reading(type="person.promoted"))

    assert told.outcome is Outcome.REFUSED
    assert "type" in (told.said or "")
    assert keeping.total(EventRow) == 1


def test_a_mended_reading_takes_the_place_of_all_that_the_former_one_said(keeping: Office) -> None:
    """It has the same time and an id behind the former's; what it does not say any more is not said any more."""
    employ(keeping)
    deliver(keeping, reading(title="job", department="room"), change(1, "E1", job="Clerk", room="7", team="Support"))
    keeping.drain()
    assert facts(keeping, "E1")["department"] == "7"
    keeping.move(DAY)

    mended = reading(title="job", location="room")
    assert outcomes(again(keeping, mended, dry_run=True)) == [Outcome.CHANGED]
    assert facts(keeping, "E1")["department"] == "7"
    (told,) = again(keeping, mended)
    assert told.outcome is Outcome.CHANGED
    keeping.drain()

    known = facts(keeping, "E1")
    assert (known["title"], known["location"], known.get("department")) == ("Clerk", "7", None)
    former, anew = keeping.events()[-2:]
    assert (anew.ce_id, anew.time, anew.reads_anew, anew.id) == ("v-1~01", former.time, former.id, told.event)
    assert outcomes(again(keeping, mended)) == [Outcome.SAME]


def test_a_departure_that_was_read_wrongly_is_taken_back(keeping: Office) -> None:
    """A word that was mapped to ``person.left`` and means something else: who was let go works here again."""
    employ(keeping)
    deliver(keeping, reading(type="person.left"), change(1, "E1"))
    keeping.drain()
    assert keeping.people()[0].phase == "left"

    again(keeping, reading(type="person.updated"))
    keeping.drain()
    assert keeping.people()[0].phase == "active"


def test_the_latest_of_several_mends_holds_and_the_first_reading_can_come_back(keeping: Office) -> None:
    """Each mend is behind the one before, also one that says again what the first one said."""
    employ(keeping)
    first, second = reading(title="job"), reading(title="room")
    deliver(keeping, first, change(1, "E1", job="Clerk", room="7"))
    keeping.drain()
    for mapping, title in ((second, "7"), (first, "Clerk"), (second, "7")):
        assert outcomes(again(keeping, mapping)) == [Outcome.CHANGED]
        keeping.drain()

        assert facts(keeping, "E1")["title"] == title
        assert outcomes(again(keeping, mapping)) == [Outcome.SAME]
    assert [row.ce_id for row in keeping.events()[1:]] == ["v-1", "v-1~01", "v-1~02", "v-1~03"]


def test_a_reading_that_was_not_applied_yet_never_is(keeping: Office) -> None:
    """Whether it waits or is parked: the mended one alone is folded."""
    employ(keeping)
    wrong, mended = reading(department="room"), reading(location="room")
    deliver(keeping, wrong, change(1, "E1", room="7"), change(2, "E1", room="8"))
    keeping.execute("update events set state = 'parked' where ce_id = 'v-2'")
    again(keeping, mended)
    keeping.drain()

    assert [row.state for row in keeping.events()] == [EventState.APPLIED] * 5
    assert facts(keeping, "E1").get("department") is None
    assert facts(keeping, "E1")["location"] == "8"


def test_of_another_subject_the_former_reading_stays(keeping: Office) -> None:
    """Nobody said that what was read of the one is not so: only the other is told something."""
    employ(keeping)
    employ(keeping, "E2")
    deliver(keeping, reading(title="job"), change(1, "E1", boss="E2", job="Clerk"))
    keeping.drain()
    mended = reading(title="job", subject="boss")
    again(keeping, mended)
    keeping.drain()

    assert (facts(keeping, "E1")["title"], facts(keeping, "E2")["title"]) == ("Clerk", "Clerk")
    assert outcomes(again(keeping, mended)) == [Outcome.SAME]


def test_another_body_under_a_known_id_is_never_applied_by_a_replay(keeping: Office) -> None:
    """As when it came: recorded and shown."""
    employ(keeping)
    deliver(keeping, reading(title="job"), change(1, "E1", job="Clerk"))
    (conflict,) = deliver(keeping, reading(title="job"), change(1, "E1", job="Thief"))
    assert conflict.conflict
    told = again(keeping, reading(title="job", location="job"))
    keeping.drain()

    assert outcomes(told) == [Outcome.CHANGED, Outcome.CONFLICT]
    assert facts(keeping, "E1")["title"] == "Clerk"


def test_a_delivery_that_repeats_one_event_and_brings_another_is_replayed_as_well(keeping: Office) -> None:
    """What two deliveries brought is read anew once."""
    employ(keeping)
    deliver(keeping, reading(title="job"), change(1, "E1", job="Clerk", room="7"))
    deliver(keeping, reading(title="job"), change(1, "E1", job="Clerk", room="7"), change(2, "E1", job="Smith"))
    told = again(keeping, reading(title="job", location="room"))

    assert outcomes(told) == [Outcome.CHANGED, Outcome.SAME, Outcome.SAME]


def test_a_time_that_ran_ahead_stays_where_it_was_put(keeping: Office) -> None:
    """A sender whose clock is an hour ahead was taken to mean the time of receipt, and is so by a replay, too."""
    employ(keeping)
    ahead = change(1, "E1", job="Clerk", room="7", at=(MONDAY + timedelta(hours=1)).isoformat())
    deliver(keeping, reading(title="job"), ahead)
    keeping.drain()
    keeping.move(DAY)
    assert outcomes(again(keeping, reading(title="job"))) == [Outcome.SAME]
    mended = reading(title="job", location="room")
    again(keeping, mended)

    assert [row.time for row in keeping.events()[-2:]] == [MONDAY, MONDAY]
    assert outcomes(again(keeping, mended)) == [Outcome.SAME]


def test_deliveries_are_chosen_by_time_and_by_id(keeping: Office) -> None:
    """From ``since`` on and before ``until``; an id of another source's delivery is none."""
    for number in range(3):
        deliver(keeping, reading(), change(number, f"E{number}"))
        keeping.move(DAY)
    deliver(keeping, reading(), change(9, "E9"), source="it")
    with keeping.database.read() as session:
        ids = list(session.scalars(select(DeliveryRow.id).order_by(DeliveryRow.id)))

    assert [each.delivery for each in again(keeping, reading())] == ids[:3]
    chosen = again(keeping, reading(), since=MONDAY + DAY, until=MONDAY + 2 * DAY)
    assert [each.delivery for each in chosen] == ids[1:2]
    assert [each.delivery for each in again(keeping, reading(), delivery=ids[2])] == ids[2:3]
    with pytest.raises(NothingToReplay, match=f"no delivery {ids[3]} of hr"):
        again(keeping, reading(), delivery=ids[3])


def test_keys_are_rotated(keeping: Office) -> None:
    """What an old key sealed opens as long as it is among the keys; without it that delivery alone is told."""
    deliver(keeping, reading(), change(1, "E1"))
    with_key(keeping, OTHER_KEY, KEY)
    deliver(keeping, reading(), change(2, "E2"))
    assert outcomes(again(keeping, reading())) == [Outcome.SAME, Outcome.SAME]

    with_key(keeping, OTHER_KEY)
    assert outcomes(again(keeping, reading())) == [Outcome.UNOPENED, Outcome.SAME]


def test_deliveries_are_deleted_when_their_time_is_over(keeping: Office) -> None:
    """A worker's sweep deletes them in batches, with the subjects they name; events stay."""
    for number in range(3):
        deliver(keeping, reading(), change(number, f"E{number}"))
        keeping.move(10 * DAY)
    keeping.move(timedelta(minutes=1))
    sweep_once(keeping.execution, threads=1)
    assert (keeping.total(DeliveryRow), keeping.total(DeliverySubjectRow)) == (2, 2)

    with keeping.database.write() as session:
        assert deliveries.forget_older(session, keeping.clock.now(), limit=1) == 1
    assert (keeping.total(DeliveryRow), keeping.total(EventRow)) == (1, 3)


@ON_POSTGRESQL
def test_two_replays_at_once_do_nothing_twice(keeping: Office) -> None:
    """Each delivery is replayed by one at a time, and the other finds that it reads as before."""
    for number in range(20):
        deliver(keeping, reading(title="job"), change(number, f"E{number}", job="Clerk", room="7"))
    mended = reading(title="job", location="room")
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda _: outcomes(again(keeping, mended)), range(4)))

    assert sum(each.count(Outcome.CHANGED) for each in told) == 20
    assert sum(each.count(Outcome.SAME) for each in told) == 60
    assert keeping.total(EventRow) == 40


def test_a_replay_that_is_killed_in_the_middle_is_gone_on_with(keeping: Office) -> None:
    """What was committed stays, what was not is done by the next one."""
    for number in range(4):
        deliver(keeping, reading(), change(number, f"E{number}", room="7"))
    mended, seen = reading(location="room"), []

    def breaking(item: dict[str, Any]) -> dict[str, Any] | None:
        seen.append(item)
        if len(seen) > 2:
            raise KeyboardInterrupt
        return mended(item)

    with pytest.raises(KeyboardInterrupt):
        again(keeping, breaking)

    assert outcomes(again(keeping, mended)) == [Outcome.SAME] * 2 + [Outcome.CHANGED] * 2


def test_an_erased_person_takes_their_deliveries_along(keeping: Office) -> None:
    """Whole deliveries, also refused ones and those of others in them; what comes late is kept of nobody."""
    employ(keeping)
    employ(keeping, "E2")
    deliver(keeping, reading(), change(1, "E1"))
    deliver(keeping, reading(), change(2, "E1"), change(3, "E2"))
    deliver(keeping, reading(), change(4, "E2"))
    with pytest.raises(EventsRefused):
        deliver(
            keeping,
            lambda item: reading(type=item["kind"])(item),
            change(5, "E2", kind="x"),
            change(6, "E1", kind="person.updated"),
        )
    keeping.drain()
    keeping.tell("left", "E1")
    keeping.tell("purged", "E1")
    keeping.drain()
    assert keeping.total(DeliveryRow) == 4
    keeping.work_on(200 * DAY, every=20 * DAY)
    assert keeping.people()[0].erased_at is not None

    with keeping.database.read() as session:
        assert session.scalars(select(DeliverySubjectRow.subject)).all() == ["E2"]
    assert keeping.total(DeliveryRow) == 1
    deliver(keeping, reading(), change(7, "E1"))
    keeping.drain()
    with keeping.database.read() as session:
        assert "E1" not in session.scalars(select(DeliverySubjectRow.subject)).all()


def test_an_erased_persons_event_is_not_read_anew(keeping: Office) -> None:
    """Of a delivery that another one's erasure left, nothing is taken up again that is known to be forgotten."""
    deliver(keeping, reading(title="job"), change(1, "E1", job="Clerk"))
    keeping.execute("update events set digest = '', subject = null, document = '{}'")

    assert outcomes(again(keeping, reading(location="job"))) == [Outcome.SAME]


def test_the_key_of_an_event_outlives_every_retry(database: Database, office: Office) -> None:
    """Months later the same event is a repetition, and another body under its id is shown and never applied."""
    first = office.tell("updated", "E1", title="Clerk", id="evt", time=MONDAY)
    office.drain()
    for _ in range(4):
        office.move(30 * DAY)
        sweep_once(office.execution, threads=1)

        assert office.tell("updated", "E1", title="Clerk", id="evt", time=MONDAY) == replace(first, duplicate=True)
        assert office.tell("updated", "E1", title="Thief", id="evt", time=MONDAY).conflict
    assert [row.state for row in office.events()] == [EventState.APPLIED, EventState.REJECTED]


def test_what_a_new_reading_replaces_counts_until_that_is_applied(keeping: Office) -> None:
    """While the new reading waits, its former one is folded where all is applied again."""
    employ(keeping)
    deliver(keeping, reading(title="job", department="room"), change(1, "E1", job="Clerk", room="7"))
    keeping.drain()
    again(keeping, reading(title="job"))

    assert {each.outcome for each in reapply(keeping.intake, Applied())} == {Reapplied.SAME}
    keeping.drain()
    assert (facts(keeping, "E1")["title"], facts(keeping, "E1").get("department")) == ("Clerk", None)
