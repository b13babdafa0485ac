"""Merging and splitting people: what moves, what stays, what later events may not decide again, and the way back."""

from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from tests.integration.office import DAY, MONDAY, Office
from tests.integration.shell import beside
from tests.integration.test_managers_standing_in import evaluated, manager
from worker.cli.attention import CONCERNS
from worker.events import EventType
from worker.intake import state_of_person
from worker.intake.merging import Account, MergeRefused, merge, split
from worker.intake.statements import UnknownPerson
from worker.store.audit import latest_acts

_numbers = count(1)
_ROWS = {
    "records": "select source, subject, person_id, document, employee_number, work_email from records",
    "events": "select id, person_id, state from events",
    "addresses": "select id, address, role, provenance, person_id, job_id, exists_since from addresses"
    " where held_to is null and person_id is not null",
    "memberships": "select person_id, address from memberships",
    "people": "select id, name, phase, employee_number, work_email, next_step, wanted_hash from people",
}


@pytest.fixture
def office(office: Office) -> Office:
    """An office in which two sources make people."""
    office.intake = replace(office.intake, creators={"hr", "it"})
    return office


def _rows(office: Office) -> dict[str, list[str]]:
    with office.database.read() as session:
        return {table: sorted(map(repr, session.execute(text(asked)))) for table, asked in _ROWS.items()}


def _merge(office: Office, keep: int = 1, other: int = 2, **more: Any) -> Account:
    account = merge(office.intake, keep, other, actor="cli:ada", **more)
    office.drain()
    return account


def _split(office: Office, *keys: tuple[str, str], person: int = 1, **more: Any) -> Account:
    account = split(office.intake, person, keys, actor="cli:ada", **more)
    office.drain()
    return account


def _two(office: Office, first: dict[str, Any], second: dict[str, Any]) -> tuple[int, int, str, str]:
    """Make two people that are one, of two sources; returns their ids and the subjects of their records."""
    number = next(_numbers)
    of_hr, of_it = f"E{number}", f"laptop-{number}"
    office.join(of_hr, f"Ada {'ABCDEFGHIJ'[number % 10]}lace{number}", **first)
    facts = {"givenName": "Countess", "familyName": f"No{number}", "personalEmail": "c@home.example"}
    office.tell("joined", of_it, source="it", **(facts | second))
    office.drain()
    found = {row.subject: row.person_id for row in office.events()}
    return int(found[of_hr] or 0), int(found[of_it] or 0), of_hr, of_it


FACTS = st.fixed_dictionaries(
    {"hireDate": st.sampled_from(["2026-03-02", "2026-06-01"])},
    optional={
        "department": st.sampled_from(["Engineering", "Support", None]),
        "nickName": st.sampled_from(["Gusti", None]),
        "lastWorkingDay": st.just("2026-12-31"),
    },
)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(first=FACTS, second=FACTS, kept=st.sampled_from(["hr", "it"]))
def test_merge_then_split_gives_the_rows_as_before(
    office: Office, first: dict[str, Any], second: dict[str, Any], kept: str
) -> None:
    """Records, events, addresses, memberships and people are as they were, and a refused merge changes nothing."""
    one, other, of_hr, of_it = _two(office, first, second)
    keep, gone = (one, other) if kept == "hr" else (other, one)
    key = ("it", of_it) if kept == "hr" else ("hr", of_hr)
    before, host = _rows(office), office.mail_state()
    if first["hireDate"] == second["hireDate"] == "2026-03-02":
        with pytest.raises(MergeRefused, match="both have something at the mail host"):
            merge(office.intake, keep, gone, actor="cli:ada")
        assert _rows(office) == before
        return

    merge(office.intake, keep, gone, actor="cli:ada", dry_run=True)
    assert _rows(office) == before
    merge(office.intake, keep, gone, actor="cli:ada")
    assert _rows(office) != before
    office.drain()
    split(office.intake, keep, [key], actor="cli:ada")
    office.drain()

    assert _rows(office) == before
    assert office.mail_state() == host


def test_split_then_merge_gives_the_records_as_before(office: Office) -> None:
    """Who was split off by mistake is put back: records, events and pins are as if nothing had been."""
    office.join("E1", "Ada Lovelace", employeeNumber="N1", department="Engineering")
    office.tell("updated", "laptop", source="it", employeeNumber="N1", nickName="Gusti", department="Support")
    office.drain()
    before, host = _rows(office), office.mail_state()

    account = _split(office, ("it", "laptop"))
    assert account.other_id == 2
    assert office.mailboxes()["ada.lovelace"]["name"] == "Ada Lovelace"
    _merge(office)

    assert {name: rows for name, rows in _rows(office).items() if name != "people"} == {
        name: rows for name, rows in before.items() if name != "people"
    }
    assert _rows(office)["people"][0] == before["people"][0]
    assert office.mail_state() == host


def test_all_that_was_said_of_both_counts_for_the_one(office: Office) -> None:
    """Facts, groups and events of both are the kept person's; the other is nobody any more."""
    one, other, _, of_it = _two(office, {"employeeNumber": "N1"}, {"hireDate": "2026-06-01", "department": "Support"})
    local = next(iter(office.mailboxes()))

    account = _merge(office, one, other)

    assert office.aliases() == {"support": {local}}
    assert f"record it/{of_it} becomes one of person {one}" in account.said
    assert f"person {one} joins support@example.org" in account.said
    assert {row.person_id for row in office.events()} == {one}
    empty = office.people()[other - 1]
    assert (empty.name, empty.phase, empty.next_change_at) == ("", "", None)
    assert office.outstanding() == []


def test_mailbox_of_the_other_becomes_theirs(office: Office) -> None:
    """Where only the other has a mailbox it is the kept person's, and goes back with a split."""
    one, other, _, of_it = _two(office, {"hireDate": "2026-06-01"}, {"time": MONDAY + DAY / 1440})
    (local,) = office.mailboxes()

    _merge(office, one, other)
    assert set(office.mailboxes()) == {local}
    office.tell("suspended", of_it, source="it")
    office.drain()
    assert not any(office.doors(local).values())
    assert office.job_of(one).person_id == one

    _split(office, ("it", of_it), person=one)
    with office.database.read() as session:
        holder = session.execute(text("select person_id from addresses where exists_since is not null")).scalar_one()
    assert holder == other


def test_address_of_a_deleted_mailbox_receives_in_the_kept_one(office: Office) -> None:
    """Who had two mailboxes is merged when one is deleted, and mail for its address goes to the other."""
    one, other, _, _ = _two(office, {}, {})
    first, second = (box for box in office.mailboxes())
    office.move(DAY)
    state_of_person(office.intake, other, EventType.LEFT, data={}, actor="cli:ada")
    office.work_on(32 * DAY, every=DAY)
    assert set(office.mailboxes()) == {first}

    account = _merge(office, one, other)

    assert f"{second}@example.org becomes a further address of person {one}" in account.said
    assert office.identities(first) == {second}
    assert office.doors(first)["send"], "what an operator said of the one who should not be does not end this access"


def test_reports_follow_the_record_of_their_manager(office: Office) -> None:
    """Who reports to a record that moved has the kept person standing in, and after the split nobody again."""
    one, other, _, of_it = _two(office, {}, {"hireDate": "2026-06-01"})
    office.tell("joined", "x", source="it", givenName="Grace", personalEmail="g@home.example", manager=of_it)
    office.drain()
    (local,) = set(office.mailboxes()) - {"grace"}
    assert manager(office, "x") is None
    looked_at = evaluated(office, "x")
    office.move(DAY)

    _merge(office, one, other)
    assert manager(office, "x") == local
    assert evaluated(office, "x") > looked_at
    _split(office, ("it", of_it), person=one)

    assert manager(office, "x") is None


def test_later_events_do_not_decide_again(office: Office) -> None:
    """Neither a merge nor a split is undone by a number that a source states afterwards."""
    one, other, of_hr, of_it = _two(office, {"hireDate": "2026-06-01"}, {"hireDate": "2026-06-01"})
    _merge(office, one, other)
    office.tell("updated", of_it, source="it", employeeNumber="N7")
    office.tell("updated", of_hr, employeeNumber="N8")
    office.drain()
    assert {row.person_id for row in office.events()} == {one}

    _split(office, ("it", of_it), person=one)
    office.tell("updated", of_hr, employeeNumber="N9")
    office.tell("updated", of_it, source="it", employeeNumber="N9")
    office.drain()

    assert {row.person_id for row in office.events() if row.subject == of_it} == {other}
    assert {row.person_id for row in office.events() if row.subject == of_hr} == {one}


def test_split_of_one_record_is_remembered(office: Office) -> None:
    """The record that was split off stays apart although it states the number of the one it was split from."""
    office.join("E1", "Ada Lovelace", employeeNumber="N1", hireDate="2026-06-01")
    office.tell("updated", "laptop", source="it", employeeNumber="N1")
    office.drain()
    assert {row.person_id for row in office.events()} == {1}
    account = _split(office, ("it", "laptop"))

    office.tell("updated", "laptop", source="it", employeeNumber="N1", title="Countess")
    office.drain()

    assert {row.person_id for row in office.events() if row.subject == "laptop"} == {account.other_id}


def test_record_that_waited_between_two_finds_the_one(office: Office) -> None:
    """What could be either's belongs to the one that they became."""
    office.tell("joined", "E1", givenName="Ada", employeeNumber="N1", hireDate="2026-06-01")
    office.tell("updated", "x", source="it", employeeNumber="N1")
    office.drain()
    office.execute("update records set person_id = null where subject = 'x'")
    office.tell("joined", "E2", givenName="Bob", hireDate="2026-06-01")
    office.drain()
    office.execute("update people set employee_number = 'N1'")

    _merge(office)

    with office.database.read() as session:
        assert session.execute(text("select distinct person_id from records")).scalars().all() == [1]


@pytest.mark.parametrize(("keep", "other"), [(1, 99), (99, 1)])
def test_nobody_is_refused(office: Office, keep: int, other: int) -> None:
    """An id of nobody is told as that."""
    office.employ("Ada Lovelace")

    with pytest.raises(UnknownPerson, match="there is no person 99"):
        _merge(office, keep, other)


def test_refusals_say_why(office: Office) -> None:
    """Each refusal names what stands in the way, and nothing is changed."""
    one, other, of_hr, _ = _two(office, {}, {"hireDate": "2026-06-01"})
    with pytest.raises(MergeRefused, match="both are person"):
        _merge(office, one, one)
    with pytest.raises(MergeRefused, match="are all records"):
        _split(office, ("hr", of_hr), person=one)
    with pytest.raises(MergeRefused, match=f"has no record it/x; there are hr/{of_hr}"):
        _split(office, ("it", "x"), person=one)
    with pytest.raises(MergeRefused, match="say which records"):
        _split(office, person=one)
    state_of_person(office.intake, other, EventType.SUSPENDED, data={}, actor="cli:ada")
    office.drain()
    with pytest.raises(MergeRefused, match=f"an operator suspended person {other}"):
        _merge(office, one, other)
    office.move(DAY)
    state_of_person(office.intake, other, EventType.RESUMED, data={}, actor="cli:ada")
    office.drain()
    before = _rows(office)
    office.execute("update jobs set state = 'running', finished_at = null where person_id = :id", id=one)
    with pytest.raises(MergeRefused, match="is under way"):
        _merge(office, one, other)
    assert _rows(office) == before
    office.execute("update jobs set state = 'done', finished_at = created_at")

    _merge(office, one, other)
    with pytest.raises(MergeRefused, match=f"person {other} was merged into person {one}"):
        _merge(office, other, one)


def test_job_that_the_other_waits_with_is_dismissed(office: Office) -> None:
    """A job of somebody who is nobody any more is not left behind."""
    one, other, _, _ = _two(office, {}, {"personalEmail": None})
    assert office.outstanding() == [("person", "held", "personalEmail is needed to send the invitation")]

    account = _merge(office, one, other)

    assert office.outstanding() == []
    assert any("is dismissed" in sentence for sentence in account.said)


def test_doctor_names_people_of_one_number(office: Office) -> None:
    """The checkup names who states the same number and the command, and is content once an operator decided."""
    (concern,) = [each for each in CONCERNS if each.name == "people"]
    one, other, _, _ = _two(office, {"employeeNumber": "N1"}, {"hireDate": "2026-06-01"})
    office.execute("update people set employee_number = 'N1'")

    with office.database.read() as session:
        assert concern.look(session) == f"people {one} and {other} state the same employeeNumber"
    assert "mailroster people merge" in concern.mend
    _merge(office, one, other)
    with office.database.read() as session:
        assert concern.look(session) is None


def test_a_list_of_people_has_the_kept_one_alone(office: Office, migrated_url: str, tmp_path: Path) -> None:
    """Who was merged is no row of their own on any page, and is one again when that is taken back."""
    one, other, _, of_it = _two(office, {}, {"hireDate": "2026-06-01"})
    third = _two(office, {}, {})[0]
    shell = beside(office, migrated_url, tmp_path)
    _merge(office, one, other)

    first = shell.run("people", "list", "--limit", "1", "--json").document
    rest = shell.run("people", "list", "--limit", "2", "--after", str(first["next"]), "--json").document
    lines = shell.run("people", "list").out.splitlines()
    _split(office, ("it", of_it), person=one)
    again = shell.run("people", "list", "--json").document["people"]

    assert ([each["id"] for each in first["people"]], first["next"]) == ([str(one)], str(one))
    assert ([each["id"] for each in rest["people"]], rest["next"]) == ([str(third), str(third + 1)], None)
    assert [line.split()[0] for line in lines] == ["ID", str(one), str(third), str(third + 1)]
    assert [each["id"] for each in again] == [str(one), str(other), str(third), str(third + 1)]


def test_commands(office: Office, migrated_url: str, tmp_path: Path) -> None:
    """Both commands tell what they do, a dry run changes nothing, and the other's id means the kept person."""
    one, other, _, of_it = _two(office, {}, {"hireDate": "2026-06-01"})
    shell, before = beside(office, migrated_url, tmp_path), _rows(office)

    looked = shell.run("people", "merge", str(one), str(other), "--dry-run")
    assert (looked.code, looked.err) == (0, "")
    assert looked.out.endswith("Nothing was changed.\n")
    assert _rows(office) == before
    told = shell.run("people", "merge", str(one), str(other), "--json").document
    assert (told["person"], told["other"], told["dryRun"]) == (str(one), str(other), False)
    assert shell.run("people", "show", str(other), "--json").document["id"] == str(one)
    split_off = shell.run("people", "split", str(other), f"it/{of_it}")
    assert f"this takes back the merge of person {other}" in split_off.out
    assert _rows(office) == before
    wrong = shell.run("people", "split", str(one), "laptop")
    assert (wrong.code, wrong.out) == (1, "")
    with office.database.read() as session:
        acts = [(act.act, act.target) for act in latest_acts(session, 2)]
    assert acts == [("people.split", f"person {one}"), ("people.merge", f"person {one}")]
