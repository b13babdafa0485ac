"""How sources fare: what is told of each, which alarm rises and ends when, and what it costs to ask and to count."""

import io
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, select, text

from tests.integration.office import DAY, MONDAY, ON_POSTGRESQL, Office
from tests.integration.shell import Shell, beside
from tests.integration.test_hydration import ADA, Hydrated
from tests.integration.test_replay import again, change, deliver, outcomes, reading, with_key
from tests.integration.test_web_server import FOREIGN_SECRET, joined, on_sqlite, served
from tests.integration.test_web_server import Office as Served
from tests.vendor import vending
from worker.bus.message import Message
from worker.bus.taking import set_aside, take, take_together
from worker.intake import EventsRefused, accept
from worker.intake.replay import Outcome
from worker.intake.rosters import Order, import_roster
from worker.intake.source_health import AlarmKind, Health, Watched, health_of, span, watched
from worker.intake.tallying import Tallies
from worker.sources.roster_files import form_of
from worker.store import source_health, tallies
from worker.store.database import Database
from worker.store.source_health import Counts, Heard
from worker.store.tables import SourceTallyRow
from worker.store.tallies import Tally, TallyKind
from worker.store.tokens import Role

HOUR, MINUTE, MILLISECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(milliseconds=1)

PLAIN, ROSTER = form_of("hr", None, creates=True), b"subject,givenName\nE1,Ada\n"
"""How a roster is read that somebody imports under the name of a source with a hook."""


def heard(office: Office, source: str = "hr") -> Heard:
    """Look at a source."""
    with office.database.read() as session:
        return source_health.look(session, source, office.clock.now())


def health(office: Office, source: str = "hr", silent_after: timedelta | None = None) -> Health:
    """Look at a source with a hook."""
    with office.database.read() as session:
        return health_of(session, Watched(source, "standard-webhooks", silent_after), office.clock.now())


def alarms(office: Office, source: str = "hr", silent_after: timedelta | None = None) -> dict[AlarmKind, str]:
    """Return the alarms of a source with what they say."""
    return {each.kind: each.said for each in health(office, source, silent_after).alarms}


@pytest.fixture
def counts(office: Office) -> Iterator[Tallies]:
    """Where this office counts what leaves no row; it writes when told."""
    with closing(Tallies(office.database, office.clock, every_s=3600)) as counting:
        yield counting


def refuse(office: Office, number: int = 1, source: str = "hr") -> None:
    """Have a source send invalid events."""
    for each in range(number):
        with pytest.raises(EventsRefused):
            office.tell("left", f"E{each}", source=source, lastWorkingDay=f"{office.clock.now()} {each}")


def test_what_came_is_counted_by_day_and_week(office: Office, counts: Tallies) -> None:
    """Events accepted, repeated, refused and parked, and unsigned deliveries, each by its own source."""
    office.tell("updated", "E1", title="Clerk")
    office.move(2 * DAY)
    office.tell("updated", "E2", title="Clerk", id="twice")
    office.tell("updated", "E3", title="Clerk", source="it")
    office.tell("updated", "E4", title="Clerk")
    office.execute("update events set state = 'parked' where subject = 'E4'")
    refuse(office)
    counts.count("hr", TallyKind.REPEATED, number=2)
    counts.count("hr", TallyKind.REFUSED, said="no signature matches")
    counts.flush()

    found = heard(office)
    assert found.day == Counts(accepted=2, repeated=2, rejected=1, parked=1, refused=1)
    assert found.week == Counts(accepted=3, repeated=2, rejected=1, parked=1, refused=1)
    assert heard(office, "it").day == Counts(accepted=1)
    assert heard(office, "nobody") == Heard(
        None, Counts(), Counts(), {}, 0, dict.fromkeys(TallyKind, 0), 0, 0, None, None
    )


def test_repetitions_are_counted_where_they_are_recognised(office: Office) -> None:
    """An event that came before, and a refused one that came before, leave no row and are counted."""
    with closing(Tallies(office.database, office.clock)) as counting:
        office.intake = replace(office.intake, tallies=counting)
        for _ in range(3):
            office.tell("updated", "E1", title="Clerk", id="same")
        for _ in range(2):
            with pytest.raises(EventsRefused):
                office.tell("updated", "", id="bad")

    assert heard(office).day == Counts(accepted=1, repeated=3, rejected=1)


def test_lag_and_waiting_are_told(office: Office) -> None:
    """The newest events tell how late they come; the oldest that nobody applied tells how far behind we are."""
    office.tell("updated", "E1", title="Clerk", time=MONDAY - HOUR)
    office.move(10 * MINUTE)

    found = heard(office)
    assert (found.lag, found.waiting_since) == (HOUR, MONDAY)
    office.drain()
    assert heard(office).waiting_since is None


def test_the_latest_failure_is_told_with_its_reason_and_nothing_that_was_sent(office: Office, counts: Tallies) -> None:
    """The newest of what was refused, parked or unsigned; it names attributes and quotes no value."""
    refuse(office)
    failure = heard(office).failure
    assert failure is not None
    assert (failure.at, failure.kind) == (MONDAY, "rejected")
    assert "data.lastWorkingDay" in (failure.said or "")
    assert str(MONDAY) not in (failure.said or "")

    office.move(MINUTE)
    counts.count("hr", TallyKind.REFUSED, said="no signature matches")
    counts.flush()
    failure = heard(office).failure
    assert failure is not None
    assert (failure.kind, failure.said) == ("refused", "no signature matches")


def test_a_source_is_silent_after_its_rhythm_and_no_longer_once_it_is_heard(office: Office) -> None:
    """Without a rhythm no silence alarms anybody; with one, what was never heard does too."""
    assert alarms(office, silent_after=3 * DAY) == {
        AlarmKind.SILENT: "nothing was ever heard, and its rhythm is 3 days"
    }
    office.tell("updated", "E1", title="Clerk")
    assert alarms(office, silent_after=3 * DAY) == {}

    office.move(3 * DAY + MINUTE)
    assert set(alarms(office, silent_after=3 * DAY)) == {AlarmKind.SILENT}
    assert alarms(office) == {}
    office.tell("updated", "E1", title="Clerk")
    assert alarms(office, silent_after=3 * DAY) == {}


def test_a_repetition_is_a_sign_of_life(office: Office, counts: Tallies) -> None:
    """A sender that only repeats what it sent is not silent."""
    office.tell("updated", "E1", title="Clerk")
    office.move(4 * DAY)
    counts.count("hr", TallyKind.REPEATED)
    counts.heard("hr")
    counts.flush()

    assert heard(office).last_at == office.clock.now()
    assert alarms(office, silent_after=3 * DAY) == {}


def test_a_delivery_without_an_event_is_a_sign_of_life(office: Office) -> None:
    """What only tells who changed, and what a map passes over, leaves no row in the inbox and is counted."""
    with closing(Tallies(office.database, office.clock)) as counting:
        office.intake = replace(office.intake, tallies=counting)
        accept(office.intake, "hr", [])

    assert heard(office).day == Counts(without_event=1)
    assert heard(office).last_at == MONDAY


def test_five_unsigned_deliveries_in_a_row_alarm_and_a_good_one_ends_it(office: Office, counts: Tallies) -> None:
    """Four do not; other sources are not concerned, and what came before a good delivery does not count."""
    office.tell("updated", "E1", title="Clerk")
    office.move(2 * MINUTE)
    counts.count("hr", TallyKind.REFUSED, number=4, said="no signature matches")
    counts.flush()
    assert alarms(office) == {}

    counts.count("hr", TallyKind.REFUSED, said="no signature matches")
    counts.flush()
    assert alarms(office) == {AlarmKind.SIGNATURES: "5 deliveries in a row were not signed by it: no signature matches"}
    assert alarms(office, "it") == {}

    office.move(2 * HOUR)
    assert set(alarms(office)) == {AlarmKind.SIGNATURES}
    office.tell("updated", "E1", title="Head clerk")
    assert alarms(office) == {}


def test_five_unsigned_deliveries_of_an_hour_alarm_whatever_comes_between(office: Office, counts: Tallies) -> None:
    """As where one of two servers that send has another secret; it ends an hour after the last of them."""
    for number in range(5):
        assert alarms(office) == {}, number
        counts.count("hr", TallyKind.REFUSED, said="no signature matches")
        office.move(MINUTE)
        counts.heard("hr")
        office.move(MINUTE)
        counts.flush()
    assert alarms(office) == {
        AlarmKind.SIGNATURES: ("5 deliveries of the last hour were not signed by it, and 5 were: no signature matches")
    }
    assert health(office).heard.refused_in_a_row == 0
    counts.count("hr", TallyKind.TURNED_AWAY, said="the content type must be JSON")
    counts.flush()
    assert alarms(office)[AlarmKind.SIGNATURES].endswith("and 5 were: no signature matches")
    office.move(HOUR)
    assert alarms(office) == {}


def test_what_is_turned_away_unread_is_counted_and_alarms(office: Office, counts: Tallies) -> None:
    """Five in an hour; it is the latest failure, with the reason."""
    for number in range(5):
        assert alarms(office) == {}, number
        counts.count("hr", TallyKind.TURNED_AWAY, said="the content type must be JSON")
        counts.flush()
    assert alarms(office) == {
        AlarmKind.REJECTED: "5 deliveries of the last hour were turned away unread: the content type must be JSON"
    }
    assert heard(office).day == Counts(turned_away=5)
    failure = heard(office).failure
    assert failure is not None
    assert failure.kind == "turned-away"
    office.move(2 * HOUR)
    assert alarms(office) == {}


def test_a_kind_that_a_newer_process_counts_harms_no_older_one(office: Office) -> None:
    """As while one server after the other is updated."""
    with office.database.write() as session:
        now = office.clock.now()
        session.add(SourceTallyRow(source="hr", kind="sung", minute=now, count=9, first_at=now, last_at=now))
    assert heard(office).day == Counts()
    assert alarms(office) == {}


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize(("before", "behind"), [(1, 200), (200, 4), (200, 0), (0, 5)])
def test_what_is_refused_behind_a_good_delivery_of_the_minute_counts(
    office: Office, counts: Tallies, before: int, behind: int, *, written: bool
) -> None:
    """And nothing before it, whether it was written down in between or not."""
    for number in (7, before, behind):
        for _ in range(number):
            counts.count("hr", TallyKind.REFUSED, said="no signature matches")
            office.move(MILLISECOND)
        if written:
            counts.flush()
        if number != behind:
            counts.heard("hr")
            office.move(MILLISECOND)
    counts.flush()

    assert health(office).heard.refused_in_a_row == behind
    assert ("in a row" in alarms(office)[AlarmKind.SIGNATURES]) == (behind >= 5)
    assert heard(office).day.refused == 7 + before + behind


def test_alternating_deliveries_write_no_row_each(office: Office, counts: Tallies) -> None:
    """Forged deliveries between good ones are a row until they are written down, and one more behind the last."""
    for _ in range(100):
        counts.count("hr", TallyKind.REFUSED)
        office.move(MILLISECOND)
        counts.heard("hr")
        office.move(MILLISECOND)
    counts.count("hr", TallyKind.REFUSED)
    counts.flush()

    assert heard(office).day.refused == 101
    assert health(office).heard.refused_in_a_row == 1
    assert office.total(SourceTallyRow) == 3


@pytest.fixture
def hydrated(office: Office) -> Iterator[Hydrated]:
    """The office, which keeps deliveries, with a vendor whose records it asks for."""
    with vending() as vendor:
        one = Hydrated(with_key(office), vendor)
        with closing(one.hydration):
            yield one


def test_only_a_delivery_by_the_source_ends_its_alarms(office: Office, counts: Tallies, hydrated: Hydrated) -> None:
    """None does that we bring ourselves: a roster, a record it was asked for, what is replayed, what is submitted."""
    office.intake = replace(office.intake, tallies=counts)
    hydrated.vendor.records["E2"] = ADA
    hydrated.hint("joined", "E2")
    deliver(office, reading(), change(1, "E3"))
    counts.heard("hr")
    office.move(4 * DAY)
    counts.count("hr", TallyKind.REFUSED, number=5)
    counts.flush()
    both = {AlarmKind.SILENT, AlarmKind.SIGNATURES}
    assert set(alarms(office, silent_after=3 * DAY)) == both

    office.move(MINUTE)
    import_roster(office.intake, PLAIN, io.BytesIO(ROSTER), Order(office.clock.now()))
    assert hydrated.hydrate() == 1
    assert outcomes(again(office, reading(title="kind"))) == [Outcome.CHANGED]
    office.tell("updated", "E1", title="Clerk")
    counts.flush()
    assert heard(office).day.accepted == 4
    assert set(alarms(office, silent_after=3 * DAY)) == both

    office.move(2 * HOUR)
    counts.heard("hr")
    counts.flush()
    assert alarms(office, silent_after=3 * DAY) == {}


@pytest.mark.parametrize("together", ["one by one", "together", "unread"])
def test_a_message_of_a_bus_is_a_delivery(office: Office, counts: Tallies, together: str) -> None:
    """Whatever is in it, and also where several are committed at once."""
    office.intake = replace(office.intake, tallies=counts)
    body = json.dumps(office.event("updated", "E1", title="Clerk")).encode()
    message = Message(tag=1, body=body, size=len(body), content_type="application/cloudevents+json")
    counts.heard("hr")
    office.move(4 * DAY)
    if together == "together":
        assert take_together(office.intake, "hr", [message]) == 1
    elif together == "unread":
        set_aside(office.intake, "hr", message, "it came back 10 times")
    else:
        take(office.intake, "hr", replace(message, body=b"none", size=4))
    counts.flush()

    assert health(office).heard.last_at == office.clock.now()


def test_a_roster_is_no_first_word_of_a_source(office: Office) -> None:
    """Also where nothing was ever delivered, so that no delivery was ever counted."""
    import_roster(office.intake, PLAIN, io.BytesIO(ROSTER), Order(office.clock.now()))

    assert set(alarms(office, silent_after=3 * DAY)) == {AlarmKind.SILENT}
    assert heard(office).last_at == office.clock.now()


def test_when_a_source_was_heard_last_outlives_the_counts(office: Office, counts: Tallies) -> None:
    """A rhythm may be longer than counts are kept; only the newest instant is."""
    for _ in range(2):
        counts.heard("hr")
        counts.flush()
        office.move(DAY)
    at = office.clock.now() - DAY
    office.move(30 * DAY)
    counts.count("it", TallyKind.REFUSED)
    counts.flush()

    assert health(office).heard.last_at == at
    assert office.total(SourceTallyRow) == 2


def test_refused_events_alarm_until_good_ones_follow(office: Office) -> None:
    """Five of the newest twenty are too many; what comes after the mend ends the alarm."""
    refuse(office, 4)
    assert alarms(office) == {}
    office.move(MINUTE)
    refuse(office)
    assert set(alarms(office)) == {AlarmKind.REJECTED}

    office.move(MINUTE)
    for number in range(20):
        office.tell("updated", f"E{number}", title="Clerk")
    assert alarms(office) == {}


@pytest.mark.parametrize(
    ("kind", "mend"),
    [
        ("github", "mend the sender or its mapping, then `mailroster sources replay hr`"),
        ("amqp", "mend the sender, then publish again what became a dead letter"),
        ("folder", "mend the files or the source's table, then have them imported again"),
        (None, "mend the sender, then have it send them again"),
    ],
)
def test_what_was_refused_comes_again_by_the_way_it_came(office: Office, kind: str | None, mend: str) -> None:
    """Only where it was kept it is said to be replayed."""
    refuse(office, 5)
    with office.database.read() as session:
        found = health_of(session, Watched("hr", kind), office.clock.now()).alarms

    assert [each.mend for each in found if each.kind is AlarmKind.REJECTED] == [mend]


def test_sources_of_the_file_and_others_that_were_heard_are_watched(office: Office) -> None:
    """A reserved way in is shown once it was heard; the operator is no source."""
    with office.database.read() as session:
        assert watched(session, {}) == []
    office.tell("updated", "E1", title="Clerk", source="celery")

    with office.database.read() as session:
        assert watched(session, {}) == [Watched("celery")]


def test_a_flood_writes_a_row_a_minute(office: Office, counts: Tallies) -> None:
    """Ten thousand forged deliveries are one statement and one row, whatever their number."""
    statements: list[str] = []

    def collect(_conn: Connection, _cursor: Any, statement: str, *_more: Any) -> None:
        statements.append(statement)

    event.listen(office.database.engine, "before_cursor_execute", collect)
    for _ in range(10_000):
        counts.count("hr", TallyKind.REFUSED, said="no signature matches")
    assert statements == []
    counts.flush()
    event.remove(office.database.engine, "before_cursor_execute", collect)

    assert sum("INSERT" in each for each in statements) == 1
    with office.database.read() as session:
        assert session.scalars(select(SourceTallyRow.count)).all() == [10_000]


def test_counts_are_kept_while_the_database_does_not_answer(office: Office, tmp_path: Path) -> None:
    """A failed write loses no count: the next one brings it."""
    nowhere = Database(f"sqlite:///{tmp_path / 'no' / 'such' / 'place.db'}")
    with closing(nowhere):
        counting = Tallies(nowhere, office.clock, every_s=3600)
        counting.count("hr", TallyKind.REFUSED, number=3)
        counting.flush()
        counting._database = office.database
        counting.close()

    assert heard(office).day.refused == 3


def test_counts_are_written_by_themselves(office: Office) -> None:
    """Nobody has to ask: a few moments after the first count it is in the database."""
    with closing(Tallies(office.database, office.clock, every_s=0.01)) as counting:
        counting.count("hr", TallyKind.REFUSED)
        timer = counting._timer
        assert timer is not None
        timer.join(20)

        assert heard(office).day.refused == 1


def test_processes_add_to_the_same_minute_and_old_minutes_are_forgotten(office: Office) -> None:
    """Two processes that count the same are added up; after eight days nothing of it is left."""
    for _ in range(2):
        with closing(Tallies(office.database, office.clock)) as counting:
            counting.count("hr", TallyKind.REFUSED, number=2)
    assert heard(office).day.refused == 4

    office.move(9 * DAY)
    with closing(Tallies(office.database, office.clock)) as counting:
        counting.count("it", TallyKind.REFUSED)
    assert office.total(SourceTallyRow) == 1


def test_forged_deliveries_reach_the_status(migrated_url: str, tmp_path: Path) -> None:
    """What is refused over HTTP is counted for its source, and `/api/v1/status` tells the alarm."""
    with served(migrated_url, tmp_path) as office:
        for number in range(6):
            assert office.deliver(joined(number), secret=FOREIGN_SECRET).status_code == 401
        assert office.http.post("/hooks/unknown", json={}).status_code == 404
        office.deployment.tallies.flush()
        (source,) = status(office)

        assert (source["name"], source["kind"], source["lastHeardAt"]) == ("hr", "standard-webhooks", None)
        assert (source["day"]["refused"], source["refusedInARow"]) == (6, 6)
        assert [alarm["kind"] for alarm in source["alarms"]] == ["signatures"]
        assert office.count("source_tallies") == 1

        assert office.deliver(joined()).status_code == 202
        assert office.deliver(joined()).json()["events"][0]["duplicate"]
        office.deployment.tallies.flush()
        (source,) = status(office)
        assert source["refusedInARow"] == 0
        assert [alarm["said"] for alarm in source["alarms"]] == [
            "6 deliveries of the last hour were not signed by it, and 2 were: no signature matches"
        ]
        assert (source["day"]["accepted"], source["day"]["repeated"]) == (1, 1)
        assert source["lastHeardAt"] is not None

        for number in range(200):
            office.deliver(joined(number), secret=FOREIGN_SECRET)
        office.deployment.tallies.flush()
        (source,) = status(office)
        assert source["refusedInARow"] == 200


def test_what_is_turned_away_over_http_reaches_the_status(migrated_url: str, tmp_path: Path) -> None:
    """By a hook whoever sends it, by the API with a token alone; what is wrong with it is told, and nothing of it."""
    with served(migrated_url, tmp_path) as office:
        form, large = {"content-type": "application/x-www-form-urlencoded"}, b"x" * (1024 * 1024 + 1)
        assert office.http.post("/hooks/hr", content=b"a=secret", headers=form).status_code == 415
        json_type = {"content-type": "application/json"}
        assert office.http.post("/hooks/hr", content=large, headers=json_type).status_code == 413
        token = office.token(Role.SOURCE, source="hr")
        assert office.http.post("/api/v1/events", content=large, headers=token | json_type).status_code == 413
        assert office.http.post("/api/v1/events", content=b"a", headers=form | token).status_code == 415
        assert office.http.post("/api/v1/events", content=b"a", headers=form).status_code == 401
        office.deployment.tallies.flush()
        (source,) = status(office)
        assert source["day"]["turnedAway"] == 4
        assert source["lastFailure"]["kind"] == "turned-away"
        assert source["lastFailure"]["said"].startswith("the content type must be application/json")
        assert source["lastHeardAt"] is None


def status(office: Served) -> list[dict[str, Any]]:
    """Return the sources as `/api/v1/status` tells them."""
    found: list[dict[str, Any]] = office.http.get("/api/v1/status", headers=office.token(Role.VIEWER)).json()["sources"]
    return found


SOURCES = """
[sources.hr]
kind = "standard-webhooks"
secret_env = "HR"
silent_after = "12h"
"""


@pytest.fixture
def shell(office: Office, migrated_url: str, tmp_path: Path) -> Shell:
    """A shell beside the office, with a source that should be heard twice a day."""
    shell = beside(office, migrated_url, tmp_path)
    shell.write("sources.toml", SOURCES)
    shell.variables["HR"] = "whsec_" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    return shell


def test_sources_are_listed_and_an_alarm_needs_a_person(office: Office, shell: Shell) -> None:
    """`sources list` and `show` exit with 3 while an alarm stands, with 0 otherwise; `doctor` has a line for each."""
    silent = shell.run("sources", "list")
    assert silent.code == 3
    assert "hr: nothing was ever heard, and its rhythm is 12 h" in silent.out
    assert "nothing was ever heard" in shell.run("doctor").out

    office.tell("updated", "E1", title="Clerk")
    listed = shell.run("sources", "list", "--json")
    assert listed.code == 0
    assert listed.document["next"] is None
    (source,) = listed.document["sources"]
    assert (source["name"], source["day"]["accepted"], source["alarms"]) == ("hr", 1, [])
    shown = shell.run("sources", "show", "hr", "--json").document
    assert shown | {"oldestWaitingS": None} == source | {
        "oldestWaitingS": None,
        "deliveriesKept": 0,
        "oldestDeliveryAt": None,
        "hints": {},
    }
    assert "no source is silent, refused or not understood" in shell.run("doctor").out


@on_sqlite
def test_an_unknown_source_is_named(shell: Shell) -> None:
    """Who asks for a source that is not there is told which are."""
    ran = shell.run("sources", "show", "rh")

    assert (ran.code, ran.err.strip()) == (
        1,
        "mailroster: there is no source 'rh' in sources.toml; known are hr",
    )


@pytest.mark.parametrize(
    ("length", "words"),
    [(timedelta(hours=26), "26 h"), (2 * DAY, "2 days"), (timedelta(seconds=90), "90 s"), (5 * MINUTE, "5 min")],
)
def test_lengths_of_time_are_told_in_few_words(length: timedelta, words: str) -> None:
    """The unit is the one that people would take."""
    assert span(length) == words


@ON_POSTGRESQL
def test_a_look_at_a_source_reads_an_index_among_100_000_events(database: Database) -> None:
    """The week is counted from the index, no event is read for it, and no table is gone through."""
    with database.write() as session:
        session.execute(text(_FILLING), {"now": MONDAY})
        tallies.add(
            session,
            [Tally("hr", TallyKind.REFUSED, 1, MONDAY - n * MINUTE, MONDAY - n * MINUTE) for n in range(5_000)],
        )
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("vacuum analyze")
    plans: list[str] = []

    def explain(_conn: Connection, cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        if statement.startswith(("SELECT", "WITH")):
            shown = cursor.connection.execute("EXPLAIN " + statement, parameters).fetchall()
            plans.append("\n".join(line for (line,) in shown))

    event.listen(database.engine, "before_cursor_execute", explain)
    with database.read() as session:
        found = source_health.look(session, "hr", MONDAY)
    event.remove(database.engine, "before_cursor_execute", explain)

    assert found.week.accepted + found.week.rejected == 50_000
    told = "\n".join(plans)
    assert "Index Only Scan Backward using ix_events_heard" in plans[0], told
    assert not [line for plan in plans for line in plan.splitlines() if "Seq Scan on events" in line], told
    with database.read() as session:
        assert session.scalars(select(func.count()).select_from(SourceTallyRow)).one() == 5_000


_FILLING = """
insert into events (source, ce_source, ce_id, time, received_at, digest, document, state, failures)
select case mod(n, 2) when 0 then 'hr' else 'it' end, 'urn', n::text, cast(:now as timestamptz),
       cast(:now as timestamptz) - make_interval(secs => n * 6 - 0.5), '', '{}',
       case when mod(n, 500) = 0 then 'rejected' else 'applied' end, 0
from generate_series(1, 100000) n
"""
