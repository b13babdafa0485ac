"""Previews of what an event brings to others, or brings by others: what is shown is what is then done."""

from typing import Any

import pytest

from tests.integration.office import DAY, POLICY, Office
from worker.execution.preview import OfEvents, OfEverybody, Preview, preview
from worker.intake import accept, apply_next

HANDED_OVER = (
    POLICY
    + """
[leaving]
[[leaving.stages]]
after = "0d"
do = ["block", "leave-groups", "forward-to-manager"]
"""
)
WAITS = {"workEmail": "ada.lovelace@example.org", "department": "Engineering"}


@pytest.fixture
def handed_over(office: Office) -> Office:
    """Ada left, and her mail goes to Grace, who reports to Alan as others do who report to Grace."""
    office.activate(HANDED_OVER)
    for key, name, manager in (("E4", "Alan Turing", None), ("E3", "Grace Hopper", "E4"), ("E1", "Ada Lovelace", "E3")):
        office.join(key, name, manager=manager)
    for number in range(5, 9):
        office.join(f"E{number}", f"Bob B{number}", manager="E3")
    office.drain()
    office.move(DAY)
    office.tell("left", "E1")
    office.drain()
    assert _forwardings(office) == ["grace.hopper@example.org"]
    return office


def _forwardings(office: Office) -> list[str]:
    return [each["address"] for each in office.mailboxes()["ada.lovelace"]["forwardings"]]


def _preview(office: Office, *documents: dict[str, Any]) -> Preview:
    return preview(office.execution, office.intake, OfEvents("hr", documents))


def _shown(found: Preview) -> list[tuple[str, str]]:
    return sorted((step.operation.value, step.target) for each in found.subjects for step in each.plan.steps)


def _done(office: Office, *documents: dict[str, Any]) -> list[tuple[str, str]]:
    """Have it happen, and return the steps that were taken."""
    since = len(office.steps())
    for document in documents:
        accept(office.intake, "hr", [document])
    office.drain()
    return sorted((step.operation, step.target) for step in office.steps()[since:])


def test_a_joiner_is_shown_with_what_a_record_adds_that_waits_for_their_address(office: Office) -> None:
    """The list that only the waiting record asks for is in the plan."""
    office.tell("updated", "ada", source="it", **WAITS)
    office.apply_all()
    joins = office.event("joined", "E1", givenName="Ada", familyName="Lovelace", personalEmail="a@home.example")

    found = _preview(office, joins)

    assert ("create-alias", "engineering@example.org") in _shown(found)
    assert _shown(found) == _done(office, joins)
    assert [person.name for person in office.people()] == ["Ada Lovelace"]


def test_a_plan_for_everybody_links_what_waits_too(office: Office) -> None:
    """An event that was accepted, and whose joiner a record waits for, is shown as it is then done."""
    office.tell("updated", "ada", source="it", **WAITS)
    office.apply_all()
    office.join("E1", "Ada Lovelace")

    found = preview(office.execution, office.intake, OfEverybody())

    assert ("create-alias", "engineering@example.org") in _shown(found)
    assert _shown(found) == _done(office)


def test_a_manager_who_leaves_is_shown_with_whose_mail_went_to_them(handed_over: Office) -> None:
    """Ada's mail goes on to Alan when Grace leaves, and nobody else who reports to Grace is in the plan."""
    leaves = handed_over.event("left", "E3")

    found = _preview(handed_over, leaves)

    assert {each.name for each in found.subjects} == {"Grace Hopper", "Ada Lovelace"}
    assert ("create-forwarding", "alan.turing@example.org") in _shown(found)
    assert _shown(found) == _done(handed_over, leaves)
    assert _forwardings(handed_over) == ["alan.turing@example.org"]


def test_whom_others_are_yet_to_be_told_of_is_nobody_elses_plan(handed_over: Office) -> None:
    """What Grace's departure brings about, applied but not told of, is not shown as brought about by a joiner."""
    handed_over.tell("left", "E3")
    assert apply_next(handed_over.intake)  # applied, and those below are yet to hear of it
    joins = handed_over.event("joined", "E9", givenName="Zoe", familyName="Z", personalEmail="z@home.example")

    found = _preview(handed_over, joins)

    assert [each.name for each in found.subjects] == ["Zoe Z"]
