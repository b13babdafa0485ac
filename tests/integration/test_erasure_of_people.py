"""Erasing people: nothing personal is left in any table, what comes late is applied to nobody, and a return is new."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from tests.integration.office import DAY, POLICY, Office
from tests.integration.shell import Shell
from tests.unit.roster_texts import source
from worker.events import EventType
from worker.execution.preview import OfEverybody, OfPerson, preview
from worker.intake import UnknownPerson, accept, note_hints, state_of_person
from worker.intake.rosters import Order, import_roster
from worker.intake.sealing import Channel, Raw, Sealer
from worker.sources import Hint
from worker.store.states import EventState, JobState
from worker.store.tables import Base, DeliveryRow

STAGES = """
[[leaving.stages]]
after = "0d"
do = ["block", "leave-groups"]
[[leaving.stages]]
after = "10d"
do = ["delete-mailbox", "alias-to-manager"]
[[leaving.stages]]
after = "20d"
do = ["release-address"]
"""
NUMBER = "4711-umbelliferae"
PERSONAL = ("ada'", "lovelace", "kingsborough", "byron", "noel", NUMBER, "e-one", "x-one", "@private", "secret wing")


def leave_traces(office: Office) -> None:
    """Have Ada do whatever leaves personal data in a table, and let her go."""
    office.activate(POLICY + '[leaving]\nfallback = "postmaster"\n' + STAGES)
    office.join("Z1", "Grace Hopper", department="Engineering")
    office.join("e-one", "Ada Lovelace", personalEmail="ada@private.example", employeeNumber=NUMBER, site="Secret Wing")
    office.tell("updated", "x-one", source="it", employeeNumber=NUMBER, department="Engineering")
    office.drain()
    office.tell("renamed", "e-one", familyName="Kingsborough")
    office.drain()
    office.intake = replace(office.intake, sealer=Sealer([SecretStr("0" * 43 + "=")]))
    told = office.event("updated", "e-one", middleName="Byron", id="twice")
    (receipt,) = accept(office.intake, "hr", [told], raw=Raw(Channel.HOOK, {}, json.dumps(told).encode()))
    office.drain()
    office.tell("updated", "e-one", middleName="Byron Noel", id="twice")
    state_of_person(office.intake, 2, EventType.SUSPENDED, data={}, actor="cli:root")
    lacks_her = io.BytesIO(b"subject,givenName\nZ1,Grace\n")
    import_roster(office.intake, source(name="hr", floor=0.1), lacks_her, Order(office.clock.now(), full=True))
    office.drain()
    with office.database.write() as session:
        note_hints(session, "hr", [Hint("e-one", office.clock.now(), None, "about ada")], office.clock.now())
    assert receipt.id
    office.move(DAY)
    office.tell("left", "e-one")
    office.tell("purged", "e-one")
    office.drain()


def everything(office: Office) -> str:
    """Return all tables as text."""
    with office.database.read() as session:
        tables = {table.name: session.execute(select(table)).all() for table in Base.metadata.sorted_tables}
    return "\n".join(f"{name}: {row}" for name, rows in tables.items() for row in rows).lower()


def test_nothing_personal_is_left_in_any_table(office: Office) -> None:
    """After the last stage every name, address, number and key of the person is gone from the whole database."""
    leave_traces(office)
    assert all(value in everything(office) for value in PERSONAL)
    assert office.total(DeliveryRow) == 1
    assert "ada.lovelace" in office.aliases() or "ada.lovelace" in office.mailboxes()

    office.work_on(21 * DAY, every=DAY)

    left = everything(office)
    assert [value for value in PERSONAL if value in left] == []
    assert office.total(DeliveryRow) == 0
    assert "grace" in left
    assert set(office.mailboxes()) == {"grace.hopper"}
    assert office.aliases() == {"engineering": {"grace.hopper"}}
    assert office.outstanding() == []
    assert office.job_of(2).reason == "this person was erased"


def test_erasing_comes_after_the_stages(office: Office) -> None:
    """The wish alone blocks and deletes nothing: each stage has its day, and the person is erased with the last."""
    leave_traces(office)
    office.work_on(9 * DAY, every=DAY)
    assert "ada.lovelace" in office.mailboxes()
    office.work_on(2 * DAY, every=DAY)
    assert "ada.lovelace" not in office.mailboxes()
    assert office.people()[1].erased_at is None

    office.work_on(10 * DAY, every=DAY)
    assert office.people()[1].erased_at is not None


def test_the_stage_purge_erases_without_being_asked(office: Office) -> None:
    """With ``purge`` in the policy everybody who left is erased in their time."""
    office.activate(POLICY + STAGES + '[[leaving.stages]]\nafter = "30d"\ndo = ["purge"]\n')
    office.employ("Ada Lovelace")
    office.tell("left", "E1")
    office.drain()
    office.work_on(29 * DAY, every=DAY)
    assert (office.people()[0].erased_at, office.people()[0].next_step) == (None, "purge")

    office.work_on(2 * DAY, every=DAY)
    assert office.people()[0].phase == "erased"
    assert "lovelace" not in everything(office)


def test_what_comes_late_is_applied_to_nobody(office: Office) -> None:
    """A repetition, a nightly sync and old news of an erased person make nobody, and nothing of them is kept."""
    leave_traces(office)
    office.work_on(21 * DAY, every=DAY)
    people, before = len(office.people()), office.clock.now() - 22 * DAY

    repeated = office.tell("updated", "e-one", middleName="Byron", id="twice")
    office.tell("updated", "e-one", familyName="Kingsborough")
    office.join("e-one", "Ada Lovelace", time=before)
    office.tell("purged", "e-one")
    office.tell("updated", "x-two", source="it", employeeNumber=NUMBER)
    office.drain()

    assert repeated.duplicate
    assert len(office.people()) == people
    assert [value for value in PERSONAL if value in everything(office)] == []
    assert {event.reason for event in office.events()[-4:]} == {"this person was erased"}
    with pytest.raises(UnknownPerson, match="person 2 was erased"):
        state_of_person(office.intake, 2, EventType.LEFT, data={}, actor="cli:root")


def test_who_joins_later_is_a_new_person_and_gets_another_address(office: Office) -> None:
    """A return after the erasure knows nothing of the former time, and the address stays barred as for others."""
    leave_traces(office)
    office.work_on(21 * DAY, every=DAY)
    office.join("e-one", "Ada Lovelace", employeeNumber=NUMBER)
    office.tell("updated", "e-one", department="Support")
    office.join("e-two", "Ada Lovelace", time=office.clock.now() - 30 * DAY)
    office.drain()

    assert set(office.mailboxes()) == {"grace.hopper", "a.lovelace", "ada.lovelace2"}
    assert [row.phase for row in office.people()] == ["active", "erased", "active", "active"]
    office.move(366 * DAY)
    office.join("e-three", "Ada Lovelace")
    office.drain()
    assert "ada.lovelace" in office.mailboxes()


def test_somebody_who_works_here_must_leave_first(office: Office) -> None:
    """A wish to erase without a departure changes nothing at the host, and the job says what is missing."""
    office.employ("Ada Lovelace")
    office.move(DAY)
    office.tell("purged", "E1")
    office.drain()

    ((_, state, reason),) = office.outstanding()
    assert state == JobState.HELD
    assert reason is not None
    assert "must leave first" in reason
    assert office.doors("ada.lovelace")["imap"]


def test_a_mailbox_that_is_never_deleted_is_told(office: Office) -> None:
    """Where the policy has no stage that deletes, the job says that one is needed."""
    office.activate(POLICY + '[[leaving.stages]]\nafter = "0d"\ndo = ["block"]\n')
    office.employ("Ada Lovelace")
    office.move(DAY)
    office.tell("left", "E1")
    office.tell("purged", "E1")
    office.drain()

    assert "delete-mailbox" in str(office.outstanding())


def test_somebody_who_never_worked_here_is_erased_at_once(office: Office) -> None:
    """Who is only known by name, or whose hire was called off, has no stages to wait for."""
    office.tell("updated", "E1", givenName="Ada", familyName="Lovelace")
    office.join("E2", "Ada Lovelace", hireDate="2026-09-01")
    office.tell("joining_cancelled", "E2")
    office.drain()
    office.move(DAY)
    office.tell("purged", "E1")
    office.tell("purged", "E2")
    office.drain()

    assert {row.phase for row in office.people()} == {"erased"}
    assert "lovelace" not in everything(office)


def test_a_joining_that_nobody_has_applied_yet_stops_it(office: Office) -> None:
    """The stored events are asked last, those too that wait to be applied."""
    office.tell("updated", "E1", givenName="Ada")
    office.tell("purged", "E1")
    office.apply_all()
    office.move(DAY)
    office.join("E1", "Ada Lovelace")
    office.run_all()
    ((_, state, reason),) = office.outstanding()
    assert (state, reason) == (JobState.HELD, "the stored events do not agree that this person is to be erased")

    office.drain()
    assert "ada.lovelace" in office.mailboxes()
    assert len(office.people()) == 1


def test_a_dry_run_erases_nobody(office: Office) -> None:
    """Where nothing is to be changed, nothing is forgotten either."""
    office.tell("updated", "E1", givenName="Ada")
    office.drain()
    office.tell("purged", "E1")
    office.execution = replace(office.execution, dry_run=True)
    office.drain()

    assert office.people()[0].erased_at is None
    assert "ada" in everything(office)


def test_a_parked_event_is_emptied_too(office: Office) -> None:
    """An event that could never be applied holds personal data as any other."""
    leave_traces(office)
    parked = office.tell("updated", "e-one", site="Secret Wing")
    office.execute("update events set state = 'parked' where id = :id", id=parked.id)
    office.work_on(21 * DAY, every=DAY)

    row = next(event for event in office.events() if event.id == parked.id)
    assert (row.state, row.document, row.subject) == (EventState.APPLIED, {}, None)


def test_the_command_line_says_just_that(office: Office, tmp_path: Path) -> None:
    """``people show`` and ``why`` of an erased person say that they were erased, and when."""
    office.tell("updated", "E1", givenName="Ada")
    office.tell("purged", "E1")
    office.drain()
    url = office.database.engine.url.render_as_string(hide_password=False)
    shell = Shell(tmp_path, {"MAILROSTER_DATABASE_URL": url})

    shown: Any = shell.run("people", "show", "1")
    assert shown.out.strip() == "person 1 was erased at 2026-03-02 09:00 UTC"
    assert shell.run("why", "1").out == shown.out
    assert shell.run("why", "1", "--json").document["erasedAt"] == "2026-03-02T09:00:00Z"


def test_a_plan_for_everybody_is_silent_about_the_erased(office: Office) -> None:
    """Nothing can be done for who was erased, and nothing is said of them as if a source had forgotten them.

    Asked for by themselves, it is said that they were erased.
    """
    office.employ("Grace Hopper")
    office.join("E2", "Ada Lovelace", hireDate="2026-09-01")
    office.tell("joining_cancelled", "E2")
    office.drain()
    office.move(DAY)
    office.tell("purged", "E2")
    office.drain()

    found = preview(office.execution, office.intake, OfEverybody())

    assert [each.id for each in office.people() if each.erased_at is not None] == [2]
    assert [each.key for each in found.subjects] == ["1"]
    of_her = preview(office.execution, office.intake, OfPerson(2))
    assert (of_her.subjects, of_her.notes) == ((), ("person 2: this person was erased",))
