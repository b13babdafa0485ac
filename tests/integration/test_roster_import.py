"""Rosters as snapshots: differences become events, absence counts and is never a departure by itself."""

import io
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.office import DAY, Office
from tests.unit.roster_texts import source
from worker.intake import accept
from worker.intake.rosters import Imported, Interrupted, Order, RosterRefused, Truncated, import_roster
from worker.sources.roster_files import FileSource
from worker.store.states import JobState
from worker.store.tables import AbsenceRow, EventRow, SnapshotRow

HR = source(name="hr")
MINUTE = timedelta(minutes=1)


def staff(number: int) -> dict[str, dict[str, str]]:
    """Return so many people."""
    named = {f"E{each}": f"N{each}" for each in range(1, number + 1)}
    return {
        subject: {"givenName": name, "familyName": "Lovelace", "personalEmail": f"{name}@home.example"}
        for subject, name in named.items()
    }


STAFF = staff(10)


def csv(people: Mapping[str, Mapping[str, str]]) -> str:
    """Return a roster of people, each with all the columns that anybody has."""
    columns = sorted({name for facts in people.values() for name in facts})
    rows = [",".join([subject, *(facts.get(name, "") for name in columns)]) for subject, facts in people.items()]
    return "\n".join([",".join(["subject", *columns]), *rows]) + "\n"


def without(*subjects: str) -> dict[str, dict[str, str]]:
    """Return the staff but for some."""
    return {subject: facts for subject, facts in STAFF.items() if subject not in subjects}


def bring(office: Office, content: Any, form: FileSource = HR, **order: Any) -> Imported:
    """Import a roster, of the clock's time."""
    text = content if isinstance(content, str) else csv(content)
    at = order.pop("taken_at", office.clock.now())
    return import_roster(office.intake, form, io.BytesIO(text.encode()), Order(at, **order))


def types(office: Office) -> list[str]:
    """Return the types of all events but the joinings, oldest first."""
    return [str(row.type).removeprefix("person.") for row in office.events() if row.type != "person.joined"]


def test_a_roster_makes_people_and_their_mailboxes(office: Office) -> None:
    """From a file to the mail host; the same file again is nothing new, applied or not."""
    first, again = bring(office, staff(3)), bring(office, staff(3))
    office.drain()
    later = bring(office, staff(3))

    assert (first.accepted, again.accepted, later.accepted) == (3, 0, 0)
    assert dict(first.differences.by_type) == {"person.joined": 3}
    assert len(office.mailboxes()) == 3


def test_whoever_is_listed_with_a_last_day_ahead_works_here_until_then(office: Office) -> None:
    """Joining and leaving are told at one instant and without a hire date: there is a mailbox until the last day."""
    bring(office, {"E1": STAFF["E1"] | {"lastWorkingDay": "2026-03-20"}})
    office.drain()

    assert (len(office.mailboxes()), office.people()[0].phase) == (1, "leaving")
    office.work_on(DAY * 20, every=DAY)
    assert [any(office.doors(local).values()) for local in office.mailboxes()] == [False]


def test_there_and_back_before_anything_is_applied(office: Office) -> None:
    """Each file is compared with what will be known once those before it are applied, though the clock stands still."""
    for department in ("Support", "Engineering", "Support"):
        bring(office, {"E1": STAFF["E1"] | {"department": department}})
    office.drain()

    assert types(office) == ["updated", "updated"]
    assert office.aliases().keys() == {"support"}


def test_departments_become_groups_and_departures_close_doors(office: Office) -> None:
    """What a file states takes the way of every event."""
    bring(office, {"E1": STAFF["E1"] | {"department": "Support"}})
    office.drain()
    bring(office, {"E1": STAFF["E1"] | {"department": "Support", "lastWorkingDay": "2026-03-10"}})
    office.work_on(20 * DAY, every=DAY)

    assert types(office) == ["left"]
    assert office.doors("n1.lovelace")["imap"] is False


def test_one_fault_refuses_the_whole_file(office: Office) -> None:
    """Nothing of it is accepted, whether the fault is in the file or in what it would lead to."""
    for content in ("subject,givenName,hireDate\nE1,Ada,\nE2,Bo,soon\n", "subject,givenName\nE1,Ada\nE2,\n"):
        with pytest.raises(RosterRefused, match="line 3") as refused:
            bring(office, content)
        assert refused.value.rows == 2

    assert (office.total(EventRow), office.total(SnapshotRow)) == (0, 0)


def test_a_dry_run_writes_nothing(office: Office) -> None:
    """It tells the differences, and who is absent, and that is all."""
    bring(office, STAFF)
    office.apply_all()
    before = office.total(EventRow)
    shown = bring(office, without("E1") | {"E2": {"givenName": "X"}}, full=True, dry_run=True)

    assert dict(shown.differences.by_type) == {"person.renamed": 1}
    assert [(one.line, one.subject, one.attributes) for one in shown.differences.first] == [(2, "E2", ("givenName",))]
    assert shown.absences is not None
    assert shown.absences.absent == ("E1",)
    assert (office.total(EventRow), office.total(AbsenceRow), office.total(SnapshotRow)) == (before, 0, 1)


def test_what_was_interrupted_goes_on(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some batches are in the inbox; the same file brings the rest, and nothing twice."""
    monkeypatch.setattr("worker.intake.rosters.importing._ACCEPTED_AT_ONCE", 3)
    stages: list[str] = []
    with pytest.raises(Interrupted):
        bring(
            office,
            STAFF,
            watch=lambda stage, done, of: stages.append(stage),
            is_stopping=lambda: stages[-2:] == ["accepting"] * 2,
        )
    held = office.total(EventRow)
    rest = bring(office, STAFF, taken_at=office.clock.now() + MINUTE)

    assert (held, rest.accepted, office.total(EventRow)) == (6, 4, 10)
    assert office.total(SnapshotRow) == 1


def test_without_full_nobody_is_absent(office: Office) -> None:
    """A part of a roster is compared as far as it goes."""
    bring(office, STAFF)
    office.apply_all()
    for _ in range(5):
        office.clock.instant += DAY
        assert bring(office, {"E1": STAFF["E1"]}).absences is None
    office.apply_all()

    assert (types(office), office.total(AbsenceRow)) == ([], 0)


def test_absence_is_a_departure_when_three_rosters_agree(office: Office) -> None:
    """Three complete rosters, some time apart; who is listed in between is counted anew, and who returns is back."""
    bring(office, STAFF)
    office.drain()
    counts = []
    for absent in (["E1", "E2"], ["E1", "E2"], ["E2"], ["E1", "E2"], ["E1", "E2"], ["E1", "E2"]):
        office.clock.instant += DAY
        absences = bring(office, without(*absent), full=True).absences
        assert absences is not None
        assert absences.counted
        counts.append(absences.leaving)
    office.drain()

    assert counts == [(), (), ("E2",), (), (), ("E1",)]
    assert types(office) == ["left", "left"]
    assert office.doors("n1.lovelace")["imap"] is False
    office.clock.instant += DAY
    back = bring(office, STAFF, full=True)
    office.drain()
    assert dict(back.differences.by_type) == {"person.joined": 2}
    assert office.doors("n1.lovelace")["imap"] is True
    assert office.total(AbsenceRow) == 0


def test_the_same_roster_in_a_minute_is_one_opinion(office: Office) -> None:
    """Neither three times the same file, nor two that take turns, are three opinions; an hour later they are."""
    bring(office, STAFF)
    office.apply_all()
    counted = []
    for absent in ("E1", "E1", "E2", "E1"):
        office.clock.instant += MINUTE
        absences = bring(office, without(absent), full=True).absences
        assert absences is not None
        counted.append(absences.counted)
    office.clock.instant += timedelta(hours=1)
    later = bring(office, without("E1"), full=True).absences

    assert counted == [True, False, True, False]
    assert later is not None
    assert later.counted
    assert types(office) == []


def test_the_same_rows_in_another_order_are_no_second_opinion(office: Office) -> None:
    """An export that is sorted otherwise each time says the same: the tenth stays, within an hour."""
    bring(office, STAFF, full=True)
    nine = list(without("E10").items())
    counted = []
    for shift in range(4):
        office.move(MINUTE)
        absences = bring(office, dict(nine[shift:] + nine[:shift]), full=True).absences
        assert absences is not None
        counted.append(absences.counted)
    office.drain()

    assert counted == [True, False, False, False]
    assert types(office) == []


def test_a_part_of_a_roster_that_lists_somebody_begins_anew(office: Office) -> None:
    """Seen is seen, whatever else the file holds."""
    bring(office, STAFF)
    office.apply_all()
    for _ in range(2):
        office.clock.instant += DAY
        bring(office, without("E1"), full=True)
    bring(office, {"E1": STAFF["E1"]})
    office.clock.instant += DAY
    last = bring(office, without("E1"), full=True).absences

    assert last is not None
    assert last.leaving == ()


def test_whom_a_date_speaks_of_does_not_leave_by_absence(office: Office) -> None:
    """A last day that is stated counts, and so does a first day to come; a source that makes nobody ends nothing."""
    dated = {"E1": STAFF["E1"] | {"lastWorkingDay": "2026-06-30"}, "E2": STAFF["E2"] | {"hireDate": "2026-06-01"}}
    bring(office, STAFF | dated)
    office.apply_all()
    phones = source(name="it", creates=False)
    bring(office, STAFF, phones)
    office.apply_all()
    for _ in range(4):
        office.clock.instant += DAY
        absences = bring(office, without("E1", "E2"), full=True).absences
        of_phones = bring(office, without("E3"), phones, full=True).absences

    assert absences is not None
    assert absences.absent == ()
    assert of_phones is not None
    assert (of_phones.employed, of_phones.leaving) == (0, ())


def _everybody_stays(office: Office, boxes: set[str]) -> None:
    office.work_on(DAY, every=timedelta(hours=6))
    assert office.mailboxes().keys() == boxes
    assert all(office.doors(box)["imap"] for box in boxes)
    assert ("DELETE" not in {method for method, _ in office.writes()}, types(office).count("left")) == (True, 0)


@pytest.mark.parametrize("listed", [7, 1, 0])
def test_a_truncated_roster_is_refused_and_nothing_is_deleted(office: Office, listed: int) -> None:
    """However often it comes; the message tells the figures. One that is empty is refused as such."""
    bring(office, STAFF)
    office.drain()
    boxes = {*office.mailboxes()}
    part = dict(list(STAFF.items())[:listed])
    for _ in range(5):
        office.clock.instant += DAY
        with pytest.raises(RosterRefused) as refused:
            bring(office, part or "subject,givenName\n", full=True)

    if listed:
        assert isinstance(refused.value, Truncated)
        assert f"of the 10 people whom this source has employed it lists {listed} ({listed}0%)" in str(refused.value)
    else:
        assert str(refused.value) == "the file is refused: the file holds nobody"
    assert office.total(AbsenceRow) == 0
    _everybody_stays(office, boxes)


def test_a_roster_of_another_house_is_refused(office: Office) -> None:
    """It lists as many people, and none of ours."""
    bring(office, STAFF)
    office.apply_all()

    with pytest.raises(Truncated, match=r"it lists 0 \(0%\)"):
        bring(office, {f"X{subject}": facts for subject, facts in STAFF.items()}, full=True)


def test_all_departments_renamed_deletes_nothing(office: Office) -> None:
    """Everybody changes, and the message says how; mailboxes stay, and what becomes of lists is up to the brakes."""
    bring(office, {subject: facts | {"department": "Support"} for subject, facts in STAFF.items()})
    office.drain()
    boxes = {*office.mailboxes()}
    renamed = {subject: facts | {"department": "Customer Care"} for subject, facts in STAFF.items()}
    imported = bring(office, renamed, full=True)
    office.drain()

    assert dict(imported.differences.by_type) == {"person.updated": 10}
    assert dict(imported.differences.by_attribute) == {"department": 10}
    assert imported.absences is not None
    assert imported.absences.absent == ()
    office.work_on(DAY, every=timedelta(hours=6))
    assert office.mailboxes().keys() == boxes
    assert all(office.doors(box)["imap"] for box in boxes)


def test_departures_by_absence_are_braked(office: Office) -> None:
    """Within the floor still more may be gone than the brakes let through at once."""
    many = staff(30)
    bring(office, many)
    office.drain()
    rest = dict(list(many.items())[:24])
    for _ in range(3):
        office.clock.instant += DAY
        bring(office, rest, full=True)
    office.drain()

    assert types(office).count("left") == 6
    assert [job.state for job in office.jobs(JobState.HELD)] != []
    assert office.hold() is not None


def test_somebody_erased_comes_back_by_a_word_and_not_by_being_listed(office: Office) -> None:
    """Lists keep leavers for years, and some lag behind: a later first day is needed, or the status."""
    left = {"E1": STAFF["E1"] | {"lastWorkingDay": "2026-02-01"}}
    bring(office, left)
    office.drain()
    accept(office.intake, "hr", [office.event("purged", "E1")])
    office.drain()
    office.clock.instant += DAY
    one = {"E1": STAFF["E1"]}

    assert [person.erased_at is None for person in office.people()] == [False]
    assert [bring(office, told, dry_run=True).differences.total for told in (left, one)] == [0, 0]
    assert bring(office, {"E1": STAFF["E1"] | {"hireDate": "2026-02-01"}}, dry_run=True).differences.total == 0
    assert bring(office, {"E1": STAFF["E1"] | {"status": "active"}}, dry_run=True).differences.total == 1
    assert bring(office, {"E1": STAFF["E1"] | {"hireDate": "2026-04-01"}}).accepted == 1
    office.drain()
    assert [person.erased_at is None for person in office.people()] == [False, True]
