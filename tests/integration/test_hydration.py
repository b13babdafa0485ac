"""Hydration from the hint to the inbox: against a vendor that is a real server, on both engines."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import select

from tests.integration.office import DAY, MONDAY, Office
from tests.vendor import KEY, Vendor, answering, send, vending
from worker.execution import sweep_once
from worker.intake import hydrate_next
from worker.intake.hints import take
from worker.intake.replay import Outcome, Wanted, replay
from worker.intake.sealing import Channel, Raw, Sealer
from worker.roster import profile
from worker.sources import Hint, HookSource, Parsed, load_sources
from worker.sources.hydration import Hydration
from worker.store import hint_pauses, hints, people
from worker.store.states import HintState
from worker.store.tables import DeliveryRow, EventRow, HintKeyRow, HintRow
from worker.wire import ThreadClients

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
SOURCES = """
[sources.hr]
kind = "hmac"
secret_env = "SECRET"
precedence = 10
creates = true
[sources.hr.signature]
header = "X-Signature"
[sources.hr.map]
subject = "employee"
time = "at"
type = "event"
[sources.hr.map.types]
"changed" = ""
"hired" = "person.joined"
"terminated" = "person.left"
"away" = "person.suspended"
[sources.hr.map.facts]
givenName = "first"
familyName = "last"
department = "team"
hireDate = "start"
lastWorkingDay = "end"
personalEmail = "mail"
[sources.hr.hydrate]
url = "URL"
record = "data"
headers = { Authorization = { prefix = "Bearer ", env = "KEY" } }
"""
ADA = {"first": "Ada", "last": "Lovelace", "team": "Engineering", "mail": "ada@private.example"}
STATED = {
    "givenName": "Ada",
    "familyName": "Lovelace",
    "department": "Engineering",
    "personalEmail": "ada@private.example",
}


class Hydrated:
    """An office whose source `hr` only tells who changed, and the vendor that has the records."""

    def __init__(self, office: Office, vendor: Vendor, *, deadline_s: float = 15.0) -> None:
        self.office, self.vendor = office, vendor
        environment = {"SECRET": "s", "KEY": KEY.removeprefix("Bearer ")}
        source = load_sources(SOURCES.replace("URL", vendor.url), environment).get("hr")
        assert isinstance(source, HookSource)
        self.waits: list[float] = []
        self.hydration = Hydration({"hr": source}, clients=ThreadClients(deadline_s=deadline_s), wait=self.waits.append)
        office.intake = replace(office.intake, hydration=self.hydration)
        self.number = 0

    def hint(self, word: str | None = None, subject: str = "E1", *, ago: timedelta = timedelta(0)) -> None:
        """Have the source say that somebody changed, some time ago."""
        self.number += 1
        word = f"person.{word}" if word else None
        self.note(Hint(subject, self.office.clock.now() - ago, word, f"key-{self.number}"))

    def note(self, *heard: Hint) -> None:
        """Take a delivery."""
        take(self.office.intake, "hr", Parsed(hints=heard))

    def hydrate(self) -> int:
        """Ask for all records that are due, and apply what they tell. Returns how many were asked for."""
        number = 0
        while hydrate_next(self.office.intake):
            number += 1
        self.office.drain()
        return number

    def hydrate_alone(self) -> None:
        """Ask for records as one of several workers does, who find nothing while all of a source are under way."""
        for _ in range(12):
            hydrate_next(self.office.intake)

    def hear(self, word: str | None = None, *, ago: timedelta = timedelta(0), **record: Any) -> None:
        """Have the vendor's record be so, the source hint at it, and everything done."""
        if record:
            self.vendor.records["E1"] = record
        self.hint(word, ago=ago)
        self.hydrate()
        self.office.move(MINUTE)

    def row(self) -> HintRow:
        """Return the newest hint."""
        with self.office.database.read() as session:
            return session.scalars(select(HintRow).order_by(HintRow.id.desc()).limit(1)).one()

    def told(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the events of the inbox: type without `person.`, and what they say."""
        with self.office.database.read() as session:
            rows = session.scalars(select(EventRow).order_by(EventRow.id))
            return [(str(row.type).removeprefix("person."), row.document["data"]) for row in rows]

    def person(self) -> Any:
        """Return what is known of the first person."""
        with self.office.database.read() as session:
            return profile(people.load(session, 1), {"hr": 10})


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A vendor with nobody in it."""
    with vending() as one:
        yield one


@pytest.fixture
def hydrated(office: Office, vendor: Vendor) -> Iterator[Hydrated]:
    """The office with its vendor."""
    one = Hydrated(office, vendor)
    with closing(one.hydration):
        yield one


def test_a_hint_becomes_a_mailbox(hydrated: Hydrated) -> None:
    """Who changed is asked for under the key with our credentials, and what the record says is one canonical event."""
    hydrated.hear(**ADA)

    assert hydrated.told() == [("joined", STATED)]
    assert set(hydrated.office.mailboxes()) == {"ada.lovelace"}
    assert hydrated.row().state is HintState.SETTLED
    assert hydrated.vendor.asked == ["/people/E1"]


def test_nothing_new_makes_no_event(hydrated: Hydrated) -> None:
    """A record as it was known is no news; one that differs tells what differs."""
    hydrated.hear(**ADA)
    hydrated.hear()
    hydrated.hear(**ADA | {"team": "Sales"})

    assert hydrated.told()[1:] == [("updated", {"department": "Sales"})]


def test_a_burst_costs_two_fetches(hydrated: Hydrated) -> None:
    """Fifty deliveries while the vendor works on the first ask twice, and the last state is what is known."""
    hydrated.vendor.records["E1"] = ADA

    def burst(_subject: str) -> None:
        hydrated.vendor.before_answer = lambda _: None
        for number in range(49):
            hydrated.vendor.records["E1"] = ADA | {"team": f"T{number}"}
            hydrated.hint()

    hydrated.vendor.before_answer = burst
    hydrated.hint()
    hydrated.hydrate()
    hydrated.office.move(5 * SECOND)
    hydrated.hydrate()

    assert len(hydrated.vendor.asked) == 2
    assert hydrated.person().facts["department"] == "T48"


def test_a_word_states_when_it_happened_and_the_record_its_dates(hydrated: Hydrated) -> None:
    """A departure is told by the delivery's word, with the day that the record states."""
    hydrated.hear(**ADA)
    day = (MONDAY + 10 * DAY).date().isoformat()
    hydrated.hear("left", **ADA | {"end": day})

    assert hydrated.told()[-1][0] == "left"
    assert hydrated.told()[-1][1]["lastWorkingDay"] == day
    employment = hydrated.person().employment
    assert (employment.kind, employment.last_working_day.isoformat()) == ("left", day)


def test_a_departure_without_any_date_stands(hydrated: Hydrated) -> None:
    """Later news of somebody who left, whom the vendor still lists without a day, bring nobody back."""
    hydrated.hear(**ADA | {"end": None, "start": "2026-01-01"})
    hydrated.hear("left", ago=HOUR, **ADA | {"end": None, "start": "2026-01-01"})
    hydrated.hear(**ADA | {"team": "Gone", "end": None, "start": "2026-01-01"})
    hydrated.hear("left", ago=MINUTE)

    person = hydrated.person()
    assert person.employment.kind == "left"
    assert person.facts["department"] == "Gone"
    assert not hydrated.office.doors("ada.lovelace")["imap"]


def test_an_old_word_that_comes_late_changes_nothing(hydrated: Hydrated) -> None:
    """Terminated, then hired again, in the wrong order: the person is employed, and one fetch was made, no more."""
    hydrated.hear("joined", ago=3 * DAY, **ADA)
    hydrated.hear("joined", **ADA)
    asked, told = len(hydrated.vendor.asked), len(hydrated.told())
    hydrated.hear("left", ago=DAY)

    assert hydrated.person().employment.kind == "joined"
    assert (len(hydrated.vendor.asked) - asked, len(hydrated.told()) - told) == (1, 0)


def test_a_record_that_is_fetched_late_is_never_stale(hydrated: Hydrated) -> None:
    """A delivery about last week brings the record of now, and wins over what was known before it."""
    hydrated.hear(**ADA)
    hydrated.hear(ago=7 * DAY, **ADA | {"team": "Sales"})

    assert hydrated.person().facts["department"] == "Sales"


def test_what_waits_to_be_applied_is_known_already(hydrated: Hydrated) -> None:
    """A record that is as it was before an event that nobody has applied yet still makes an event."""
    hydrated.hear(**ADA)
    for team in ("Sales", "Engineering"):
        hydrated.vendor.records["E1"] = ADA | {"team": team}
        hydrated.hint()
        assert hydrate_next(hydrated.office.intake)
        hydrated.office.move(MINUTE)
    hydrated.office.drain()

    assert hydrated.person().facts["department"] == "Engineering"


def test_absence_is_no_departure(hydrated: Hydrated) -> None:
    """A record that is not there is asked for again, then left to somebody to look; the person stays employed."""
    hydrated.hear(**ADA)
    del hydrated.vendor.records["E1"]
    hydrated.hear()
    assert hydrated.row().state is HintState.WAITING
    for _ in range(20):
        hydrated.office.move(MINUTE)
        hydrated.hydrate()

    row = hydrated.row()
    assert row.state is HintState.PARKED
    assert row.reason == (
        "it has no record of this key (it answered 404), which is not taken for a departure: look there"
    )
    assert hydrated.person().employment.kind == "joined"
    assert len(hydrated.vendor.asked) < 8


def test_a_departure_of_a_record_that_is_gone(hydrated: Hydrated) -> None:
    """Where the delivery itself says that the person left, that is so at its time, record or not."""
    hydrated.hear(**ADA)
    del hydrated.vendor.records["E1"]
    hydrated.hear("left", ago=SECOND)

    assert hydrated.told()[-1] == ("left", {})
    assert hydrated.person().employment.kind == "left"
    assert hydrated.row().state is HintState.SETTLED


def test_suspension_is_a_word_of_its_own(hydrated: Hydrated) -> None:
    """It changes no employment."""
    hydrated.hear(**ADA)
    hydrated.hear("suspended")
    assert hydrated.person().suspended
    hydrated.hear("resumed")

    assert not hydrated.person().suspended
    assert hydrated.person().employment.kind == "joined"


def _drip(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    for _ in range(200):
        request.wfile.write(b" ")
        time.sleep(0.05)


def _endless(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(b"x" * 65536)


def _hang_up(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True
    request.connection.close()


FAULTS = {
    "500": (answering(500), "it answered 500", 3),
    "503": (answering(503), "it answered 503", 3),
    "hang up": (_hang_up, "it gave no whole answer (", 3),
    "redirect": (answering(302, Location="http://127.0.0.1:1/"), "it answered 302, which leads elsewhere", 1),
    "endless": (_endless, "its answer is longer than 1,048,576 bytes", 1),
    "no JSON": (answering(200, b"<html>"), "its answer cannot be read: it is not valid JSON", 1),
    "deep": (answering(200, b"[" * 5000 + b"]" * 5000), "its answer cannot be read: it is nested deeper than 20", 1),
    "no object": (answering(200, {"data": [1]}), "its answer holds no object at hydrate.record", 1),
    "teapot": (answering(418), "it answered 418", 1),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_vendor_that_misbehaves_is_asked_again_later(hydrated: Hydrated, name: str) -> None:
    """A few times at once where that may help, then after growing pauses; then it is as it should be."""
    fault, reason, attempts = FAULTS[name]
    hydrated.vendor.always = fault
    hydrated.hear(**ADA)

    row = hydrated.row()
    assert (row.state, row.failures) == (HintState.WAITING, 1)
    assert (row.reason or "").startswith(reason)
    assert len(hydrated.vendor.asked) == attempts
    assert timedelta(seconds=45) <= row.run_at - MONDAY <= MINUTE
    hydrated.vendor.always = None
    assert hydrated.hydrate() == 1
    assert set(hydrated.office.mailboxes()) == {"ada.lovelace"}


def test_a_key_that_comes_again_about_somebody_else_is_another_hint(hydrated: Hydrated) -> None:
    """A sender that uses an id twice for two people has both of them asked for."""
    hydrated.vendor.records |= {"E1": ADA, "E2": ADA | {"first": "Grace"}}
    for subject in ("E1", "E2", "E2"):
        hydrated.note(Hint(subject, hydrated.office.clock.now(), None, "key"))

    assert hydrated.hydrate() == 2


def test_a_vendor_that_drips_holds_nobody(office: Office, vendor: Vendor) -> None:
    """The whole question has a deadline, however often a byte comes."""
    one = Hydrated(office, vendor, deadline_s=0.3)
    with closing(one.hydration):
        vendor.always = _drip
        began = time.monotonic()
        one.hear(**ADA)

        assert time.monotonic() - began < 5
        assert (one.row().reason or "").startswith("it gave no whole answer (")


def test_a_vendor_that_is_down_for_days(hydrated: Hydrated) -> None:
    """After two days of growing pauses a person must look; the next delivery tries again."""
    hydrated.vendor.always = answering(500)
    hydrated.hear(**ADA)
    for _ in range(60):
        hydrated.office.move(HOUR)
        hydrated.hydrate()

    row = hydrated.row()
    assert row.state is HintState.PARKED
    assert "it answered 500 (" in (row.reason or "")
    assert "times in 2 days)" in (row.reason or "")
    assert 12 < len(hydrated.vendor.asked) / 3 < 25
    hydrated.vendor.always = None
    hydrated.hint()
    assert hydrated.hydrate() == 1
    assert set(hydrated.office.mailboxes()) == {"ada.lovelace"}


def test_refused_credentials_pause_the_source(hydrated: Hydrated, caplog: pytest.LogCaptureFixture) -> None:
    """One alarm, one question in a while, and no hint is burnt; once mended all are asked for."""
    hydrated.vendor.always = answering(401)
    for number in range(5):
        hydrated.vendor.records[f"E{number}"] = ADA
        hydrated.hint(subject=f"E{number}")
    hydrated.hydrate()
    for _ in range(10):
        hydrated.office.move(MINUTE)
        hydrated.hydrate()

    assert len(hydrated.vendor.asked) == 1
    with hydrated.office.database.read() as session:
        (pause,) = hint_pauses.all_of(session)
        assert pause.is_refusal
        assert hints.outstanding(session) == {"hr": {HintState.WAITING: 5}}
    hydrated.vendor.always = None
    hydrated.office.move(HOUR)
    assert hydrated.hydrate() == 5
    with hydrated.office.database.read() as session:
        assert hint_pauses.all_of(session) == []
    assert KEY not in caplog.text


@pytest.mark.parametrize(("wait_s", "attempts"), [("7", 3), ("600", 1)])
def test_a_vendor_that_wants_to_be_left_alone(hydrated: Hydrated, wait_s: str, attempts: int) -> None:
    """A short wait is waited for in place, a long one by all hints of the source together."""
    hydrated.vendor.always = answering(429, Retry_After=wait_s)
    hydrated.hint(subject="E2")
    hydrated.hear(**ADA)

    assert len(hydrated.vendor.asked) == attempts
    assert all(wait >= 7 for wait in hydrated.waits)
    with hydrated.office.database.read() as session:
        (pause,) = hint_pauses.all_of(session)
        assert pause.until - MONDAY == max(MINUTE, timedelta(seconds=int(wait_s)))
        assert not pause.is_refusal
    assert hydrated.row().failures == 0


def test_a_record_that_makes_no_sense_is_parked(hydrated: Hydrated) -> None:
    """A date that is none is told by attribute; the value is not repeated."""
    hydrated.hear(**ADA | {"start": "soon, Ada"})

    row = hydrated.row()
    assert row.state is HintState.PARKED
    assert (row.reason or "").startswith("its record cannot be used: data.hireDate: ")
    assert "Ada" not in (row.reason or "")


@pytest.mark.parametrize("subject", ["a/b", "ä ö", "a?b#c", "..%2f..", "a%41", "x;y=z&q"])
def test_a_key_is_encoded_into_the_address(hydrated: Hydrated, subject: str) -> None:
    """Whatever is in it, the vendor is asked for this key and no other place."""
    hydrated.vendor.records[subject] = ADA
    hydrated.hint(subject=subject)
    hydrated.hydrate()

    assert hydrated.row().state is HintState.SETTLED
    assert hydrated.told()[0][0] == "joined"


@pytest.mark.parametrize("subject", [".", ".."])
def test_a_key_of_dots_is_not_asked_for(hydrated: Hydrated, subject: str) -> None:
    """It would be another place."""
    hydrated.hint(subject=subject)
    hydrated.hydrate()

    assert hydrated.row().state is HintState.PARKED
    assert hydrated.vendor.asked == []


def test_a_slow_vendor_has_two_threads_at_most(hydrated: Hydrated) -> None:
    """However many workers there are, the vendor is asked for two records at once."""
    for number in range(6):
        hydrated.vendor.records[f"E{number}"] = ADA
        hydrated.hint(subject=f"E{number}")
    hydrated.vendor.before_answer = lambda _: time.sleep(0.2)
    threads = [threading.Thread(target=hydrated.hydrate_alone) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert hydrated.vendor.most_at_once == 2


def test_who_takes_over_writes_and_who_is_late_does_not(hydrated: Hydrated) -> None:
    """A worker whose lease ran out while the vendor was slow changes nothing with what it fetched."""
    hydrated.vendor.records["E1"] = ADA | {"team": "Old"}

    def overtake(_subject: str) -> None:
        hydrated.vendor.before_answer = lambda _: None
        hydrated.office.execute("update hints set lease_until = '2020-01-01 00:00:00'")
        with hydrated.office.database.write() as session:
            assert hints.give_back_expired(session, hydrated.office.clock.now()) == 1
        hydrated.vendor.records["E1"] = ADA | {"team": "New"}
        assert hydrate_next(hydrated.office.intake)

    hydrated.vendor.before_answer = overtake
    hydrated.hint()
    hydrated.hydrate()

    assert len(hydrated.vendor.asked) == 2
    assert [data["department"] for _, data in hydrated.told()] == ["New"]


def test_somebody_erased_while_being_asked_for_stays_erased(hydrated: Hydrated) -> None:
    """A fetch under way and later hints of who was erased leave nothing of them, and bring nobody back."""
    _erase_ada(hydrated)
    hydrated.hear(**ADA)

    assert len(hydrated.office.people()) == 1
    with hydrated.office.database.read() as session:
        assert session.scalars(select(HintRow)).all() == []
    hydrated.hear("joined")
    assert len(hydrated.office.people()) == 2


def _erase_ada(hydrated: Hydrated) -> None:
    hydrated.hear(**ADA)
    hydrated.office.tell("left", "E1")
    hydrated.office.tell("purged", "E1")
    hydrated.office.drain()
    hydrated.office.work_on(200 * DAY, every=5 * DAY)
    assert hydrated.office.people()[0].erased_at is not None


def test_a_return_that_is_told_while_the_erased_are_asked_for_is_heard(hydrated: Hydrated) -> None:
    """A delivery that came during the fetch stands, though what the fetch was made for is forgotten."""
    _erase_ada(hydrated)
    hydrated.vendor.records["E1"] = ADA

    def come_back(_subject: str) -> None:
        hydrated.vendor.before_answer = lambda _: None
        hydrated.hint("joined")

    hydrated.vendor.before_answer = come_back
    hydrated.hint()
    hydrated.hydrate()
    hydrated.office.move(MINUTE)
    hydrated.hydrate()
    assert len(hydrated.office.people()) == 2


@pytest.mark.parametrize("is_listed", [True, False])
def test_nothing_is_kept_of_a_delivery_about_somebody_erased(hydrated: Hydrated, *, is_listed: bool) -> None:
    """Neither who it told of, nor the delivery itself, whether the source has a record of them still or not."""
    _erase_ada(hydrated)
    if is_listed:
        hydrated.vendor.records["E1"] = ADA
    else:
        hydrated.vendor.records.clear()
    hydrated.office.intake = replace(hydrated.office.intake, sealer=Sealer([SecretStr(Fernet.generate_key().decode())]))
    take(
        hydrated.office.intake,
        "hr",
        Parsed(hints=(Hint("E1", hydrated.office.clock.now(), None, "late"),)),
        raw=Raw(Channel.HOOK, {}, b"{}", frozenset({"E1"})),
    )
    for _ in range(12):
        hydrated.hydrate()
        hydrated.office.move(5 * MINUTE)
    with hydrated.office.database.read() as session:
        assert session.scalars(select(HintRow)).all() == []
        assert session.scalars(select(DeliveryRow)).all() == []


def test_reasons_and_logs_tell_nothing_personal(hydrated: Hydrated, caplog: pytest.LogCaptureFixture) -> None:
    """Neither keys of people, nor what the vendor said, nor our credentials."""
    caplog.set_level("DEBUG")
    hydrated.vendor.always = lambda request: send(request, 500, json.dumps(ADA).encode())
    hydrated.hint(subject="lovelace-1815")
    hydrated.hydrate()

    told = caplog.text + (hydrated.row().reason or "")
    assert [word for word in ("Lovelace", "lovelace", KEY.removeprefix("Bearer ")) if word in told] == []


def test_a_replay_asks_once_more(hydrated: Hydrated) -> None:
    """What was delivered is a hint again, after a map was mended; it is asked for, and nothing else happens."""
    hydrated.office.intake = replace(hydrated.office.intake, sealer=Sealer([SecretStr(Fernet.generate_key().decode())]))
    parsed = Parsed(hints=(Hint("E1", MONDAY, None, "k"),))
    raw = Raw(Channel.HOOK, {}, b"{}", frozenset({"E1"}))
    hydrated.vendor.records["E1"] = ADA
    take(hydrated.office.intake, "hr", parsed, raw=raw)
    take(hydrated.office.intake, "hr", parsed, raw=raw)
    hydrated.hydrate()
    hydrated.office.move(MINUTE)
    told = list(replay(hydrated.office.intake, Wanted("hr"), lambda _raw, _at: parsed))

    assert [each.outcome for each in told] == [Outcome.ASKED]
    assert hydrated.hydrate() == 1
    assert len(hydrated.told()) == 1


def test_a_settled_hint_is_forgotten_by_the_sweep(hydrated: Hydrated) -> None:
    """After 90 days, or as long as deliveries are kept where that is longer; what the person is known for stays."""
    hydrated.hear(**ADA)
    hydrated.office.move(90 * DAY)
    sweep_once(replace(hydrated.office.execution, raw_kept=91 * DAY), threads=1)
    assert hydrated.row().state is HintState.SETTLED
    sweep_once(hydrated.office.execution, threads=1)

    assert (hydrated.office.total(HintRow), hydrated.office.total(HintKeyRow)) == (0, 0)
    assert hydrated.person().facts["givenName"] == "Ada"
    hydrated.hear(**ADA)
    assert len(hydrated.told()) == 1
