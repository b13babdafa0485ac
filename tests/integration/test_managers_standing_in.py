"""Managers: who stands in for whom follows the line upwards, whatever happens there, and in any order it is told."""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.office import DAY, POLICY, Office
from worker.store.lines import manager_of
from worker.store.views import person_view

CALM = POLICY + '[brakes]\nblock = { floor = 99, share = 1.0, per = "24h" }\n'
PRECEDENCE = {"hr": 10, "it": 5}


def manager(office: Office, subject: str) -> str | None:
    """Return the local part of who stands in for a person now."""
    with office.database.read() as session:
        found = person_view(session, _id_of(office, subject), PRECEDENCE).manager
    return found.address.partition("@")[0] if found else None


def _id_of(office: Office, subject: str) -> int:
    return next(event.person_id for event in office.events() if event.subject == subject and event.person_id)


def evaluated(office: Office, subject: str) -> Any:
    """Return when a person was last evaluated."""
    return next(row.evaluated_at for row in office.people() if row.id == _id_of(office, subject))


def test_the_stated_manager_stands_in_once_the_mailbox_is_there(office: Office) -> None:
    """A manager who is announced stands in from when the mailbox exists, under the address and the display name."""
    office.join("E1", "Ada Lovelace", manager="E2")
    office.apply_all()
    office.join("E2", "Grace Hopper", nickName="Amazing", hireDate="2026-03-09")
    office.drain()
    assert manager(office, "E1") is None

    office.work_on(6 * DAY, every=DAY)
    with office.database.read() as session:
        found = manager_of(session, ("hr", "E2"), but=_id_of(office, "E1"))
    assert found is not None
    assert (found.address, found.display_name) == ("grace.hopper@example.org", "Amazing Hopper")


def test_a_departure_hands_over_to_the_next_in_line_and_a_rehire_takes_back(office: Office) -> None:
    """Who leaves or is suspended stands in no more; the next in line does, until they are back."""
    office.activate(CALM)
    office.join("E1", "Ada Lovelace", manager="E2")
    office.join("E2", "Grace Hopper", manager="E3")
    office.join("E3", "Joan Clarke")
    office.drain()
    assert manager(office, "E1") == "grace.hopper"

    office.move(DAY)
    office.tell("left", "E2", lastWorkingDay="2026-03-05")
    office.drain()
    assert manager(office, "E1") == "grace.hopper"

    office.work_on(4 * DAY, every=DAY)
    assert manager(office, "E1") == "joan.clarke"
    office.tell("suspended", "E3")
    office.drain()
    assert manager(office, "E1") is None
    office.tell("resumed", "E3")
    office.tell("joined", "E2", givenName="Grace")
    office.drain()
    assert manager(office, "E1") == "grace.hopper"


def test_those_below_are_evaluated_when_the_line_changes_and_nobody_else(office: Office) -> None:
    """A departure touches the reports, and through somebody who does not stand, theirs; others are left alone."""
    office.activate(CALM)
    for subject, name, above in (
        ("E1", "Top Person", None),
        ("E2", "Middle Person", "E1"),
        ("E3", "Low Person", "E2"),
        ("E4", "Other Low", "E2"),
        ("E5", "Beside Them", None),
    ):
        office.join(subject, name, manager=above)
    office.drain()
    office.tell("left", "E2")
    office.drain()
    office.move(DAY)
    at = office.clock.now()
    office.tell("left", "E1")
    office.drain()

    touched = {subject for subject in ("E2", "E3", "E4", "E5") if evaluated(office, subject) == at}
    assert touched == {"E2", "E3", "E4"}


def test_a_new_display_name_reaches_those_below(office: Office) -> None:
    """Texts may name the manager, so a report is evaluated when the manager is called otherwise."""
    office.employ("Ada Lovelace", "Grace Hopper")
    office.tell("updated", "E1", manager="E2")
    office.drain()
    office.move(DAY)
    office.tell("updated", "E2", nickName="Amazing")
    office.drain()

    assert evaluated(office, "E1") == office.clock.now()


def test_a_record_that_is_linked_later_brings_its_reports_along(office: Office) -> None:
    """A manager is looked up in the source that states it, whose record of them may become known last."""
    office.join("E1", "Ada Lovelace", employeeNumber="1")
    office.join("E2", "Grace Hopper", employeeNumber="2")
    office.tell("updated", "X1", source="it", employeeNumber="1", manager="X2")
    office.drain()
    assert manager(office, "E1") is None

    office.move(DAY)
    office.tell("updated", "X2", source="it", employeeNumber="2")
    office.drain()
    assert manager(office, "E1") == "grace.hopper"
    assert evaluated(office, "E1") == office.clock.now()


@pytest.mark.parametrize("line", [("E1",), ("E2", "E1"), ("E9",), ("E2", "E3", "E2")])
def test_a_line_that_leads_nowhere_ends(office: Office, line: Sequence[str]) -> None:
    """Somebody who reports to themselves, in a circle, or to nobody that is known, has nobody who stands in."""
    office.activate(CALM)
    office.employ("Ada Lovelace", "Grace Hopper", "Joan Clarke")
    for subject in ("E2", "E3"):
        office.tell("left", subject)
    for subject, above in zip(("E1", "E2", "E3"), line, strict=False):
        office.tell("updated", subject, manager=above)
    office.drain()

    assert manager(office, "E1") is None


@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_events_ends_with_the_same_who_stand_in(office: Office, seed: int) -> None:
    """Managers, departures, suspensions and rehires, shuffled and applied one by one, equal a plain model."""
    office.activate(CALM)
    chance = random.Random(seed)
    told, model = _organisation(office, chance)
    chance.shuffle(told)
    for type_, subject, more in told:
        office.tell(type_, subject, **more)
        if chance.random() < 0.7:
            office.drain()
    office.move(timedelta(minutes=30))
    office.drain()

    assert {subject: manager(office, subject) for subject in model} == {
        subject: _who_stands_in(subject, model) for subject in model
    }


_Told = list[tuple[str, str, dict[str, Any]]]
_Model = dict[str, tuple[str | None, bool, str]]


def _organisation(office: Office, chance: random.Random) -> tuple[_Told, _Model]:
    """Return events of eight people, and of each the manager, whether they can take over, and the address."""
    told: _Told = []
    model: _Model = {}
    at = office.clock.now() - timedelta(hours=5)
    subjects = [f"E{number}" for number in range(8)]
    for number, subject in enumerate(subjects):
        above = chance.choice([*subjects, "E99", None])
        name = f"Given{chr(97 + number)} Family{chr(97 + number)}"
        given, family = name.split()
        facts = {"givenName": given, "familyName": family, "personalEmail": f"{subject}@home.example"}
        told.append(("joined", subject, {"time": at, **facts}))
        told.append(("updated", subject, {"time": at + timedelta(hours=1), "manager": above}))
        turns = [chance.choice(("left", "joined", "suspended", "resumed")) for _ in range(chance.randrange(3))]
        for turn, type_ in enumerate(turns):
            more = facts if type_ == "joined" else {}
            told.append((type_, subject, {"time": at + timedelta(hours=2, minutes=turn), **more}))
        left = [turn for turn in turns if turn in ("left", "joined")][-1:] == ["left"]
        suspended = [turn for turn in turns if turn in ("suspended", "resumed")][-1:] == ["suspended"]
        model[subject] = (above, not left and not suspended, name.lower().replace(" ", "."))
    return told, model


def _who_stands_in(subject: str, model: _Model) -> str | None:
    met, at = {subject}, model[subject][0]
    while at is not None and at in model and at not in met:
        above, stands, address = model[at]
        if stands:
            return address
        met.add(at)
        at = above
    return None
