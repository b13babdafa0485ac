"""While a leaver's mailbox is still there: its autoreply, and the forwarding to whoever stands in."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.integration.office import DAY, POLICY, Office
from worker.execution.sweep import sweep_once

STAGES = (
    POLICY
    + """
[leaving]
autoreply = { subject = "{displayName} has left", body = "Please write to {manager.address}." }

[[leaving.stages]]
after = "0d"
do = ["block", "leave-groups", "autoreply", "forward-to-manager"]

[[leaving.stages]]
after = "30d"
do = ["delete-mailbox"]
"""
)
OWN = {"autorespond_active": True, "autorespond_subject": "Away", "autorespond_body": "Back on Monday."}


def staffed(office: Office) -> None:
    """Have Ada work for Grace, and Grace for Alan."""
    office.activate(STAGES)
    office.join("E3", "Alan Turing")
    office.join("E2", "Grace Hopper", manager="E3")
    office.drain()
    office.join("E1", "Ada Lovelace", manager="E2")
    office.drain()


def ada(office: Office) -> dict[str, Any]:
    """Return Ada's mailbox without the time of its last change."""
    return {name: value for name, value in office.mailboxes()["ada.lovelace"].items() if name != "changed_at"}


def forwards_to(office: Office) -> list[str]:
    """Return where Ada's mailbox forwards to."""
    return sorted(each["address"] for each in ada(office)["forwardings"])


def test_leaver_answers_and_forwards_and_a_return_takes_both_back(office: Office) -> None:
    """Correspondents are told and the manager gets the mail; who comes back finds everything as it was."""
    staffed(office)
    office.host("PUT", "mailboxes/ada.lovelace", **OWN)
    before = ada(office)

    office.tell("left", "E1")
    office.drain()
    assert ada(office)["autorespond_active"] is True
    assert ada(office)["autorespond_subject"] == "Ada Lovelace has left"
    assert ada(office)["autorespond_body"] == "Please write to grace.hopper@example.org."
    assert forwards_to(office) == ["grace.hopper@example.org"]
    assert office.outstanding() == []

    office.move(5 * DAY)
    office.tell("leaving_cancelled", "E1")
    office.drain()

    assert ada(office) == before
    assert office.outstanding() == []


def test_autoreply_without_one_before_is_given_back_as_nothing(office: Office) -> None:
    """The host's own template and its null come back as they were."""
    staffed(office)
    before = ada(office)

    office.tell("left", "E1")
    office.drain()
    office.move(DAY)
    office.tell("leaving_cancelled", "E1")
    office.drain()

    assert ada(office) == before


def test_autoreply_that_ended_meanwhile_is_not_begun_again(office: Office) -> None:
    """An answer that the person had until a date that has passed is off afterwards; the host takes no past date."""
    staffed(office)
    ends = datetime.now(UTC) + 300 * DAY  # the host goes by the time that it really is
    office.host("PUT", "mailboxes/ada.lovelace", **OWN, autorespond_expires_on=ends.date().isoformat())
    office.move(ends - 5 * DAY - office.clock.now())

    office.tell("left", "E1")
    office.drain()
    assert ada(office)["autorespond_expires_on"] is None
    office.move(5 * DAY)
    office.tell("leaving_cancelled", "E1")
    office.drain()

    assert (ada(office)["autorespond_active"], ada(office)["autorespond_body"]) == (False, "Back on Monday.")
    assert office.outstanding() == []


def test_host_that_ignores_autoreplies_is_told_of_and_stops_nothing(office: Office) -> None:
    """The job says which fields were ignored, and everything else is done; the way back is none the worse."""
    staffed(office)
    before = ada(office)
    fields = ["autorespond_active", "autorespond_subject", "autorespond_body"]
    match = {"method": "PUT", "path": "/v1/domains/*/mailboxes/*"}
    office.fail({"match": match, "fault": "ignore-fields", "fields": fields})

    office.tell("left", "E1")
    office.drain()
    assert office.job_of(3).state.value == "done"
    assert office.job_of(3).reason == "the host ignored autorespond_active, autorespond_body, autorespond_subject"
    assert forwards_to(office) == ["grace.hopper@example.org"]

    office.move(DAY)
    office.tell("leaving_cancelled", "E1")
    office.drain()

    assert ada(office) == before
    assert office.outstanding() == []


def test_changed_text_is_written_and_the_persons_own_still_comes_back(office: Office) -> None:
    """A new policy text replaces ours; what is kept for the way back is what the person had."""
    staffed(office)
    office.host("PUT", "mailboxes/ada.lovelace", **OWN)
    before = ada(office)
    office.tell("left", "E1")
    office.drain()

    office.activate(STAGES.replace("has left", "is gone"))
    office.drain()
    assert ada(office)["autorespond_subject"] == "Ada Lovelace is gone"
    office.move(DAY)
    office.tell("leaving_cancelled", "E1")
    office.drain()

    assert ada(office) == before


def test_forwarding_follows_a_changed_manager_and_leaves_the_persons_own(office: Office) -> None:
    """Ours is replaced when somebody else stands in; what the person set up stays, before and after."""
    staffed(office)
    office.host("POST", "mailboxes/ada.lovelace/forwardings", address="ada@home.example")
    office.tell("left", "E1")
    office.drain()
    assert forwards_to(office) == ["ada@home.example", "grace.hopper@example.org"]

    office.move(DAY)
    office.tell("updated", "E1", manager="E3")
    office.drain()
    assert forwards_to(office) == ["ada@home.example", "alan.turing@example.org"]

    office.tell("leaving_cancelled", "E1")
    office.drain()

    assert forwards_to(office) == ["ada@home.example"]


def test_forwarding_that_the_person_made_to_the_manager_is_not_ours(office: Office) -> None:
    """What leads to the manager already is enough, and is not taken away by a return."""
    staffed(office)
    office.host("POST", "mailboxes/ada.lovelace/forwardings", address="grace.hopper@example.org")
    before = ada(office)

    office.tell("left", "E1")
    office.drain()
    office.move(DAY)
    office.tell("leaving_cancelled", "E1")
    office.drain()

    assert ada(office) == before


def test_forwarding_to_a_domain_outside_waits_for_its_confirmation(office: Office) -> None:
    """Held with the confirmation that is needed, the rest done; it goes on by itself once somebody has opened it."""
    staffed(office)
    office.deactivate()

    office.tell("left", "E1")
    office.drain()
    ((_, state, reason),) = office.outstanding()
    assert state == "held"
    assert "the confirmation is opened that the mail host has sent there" in str(reason)
    assert ada(office)["autorespond_active"] is True
    assert forwards_to(office) == ["grace.hopper@example.org"]

    office.move(timedelta(hours=2))
    sweep_once(office.execution, threads=1)
    office.drain()
    assert [state for _, state, _ in office.outstanding()] == ["held"]

    office.confirm("ada.lovelace@example.org", "grace.hopper@example.org")
    office.move(timedelta(hours=2))
    sweep_once(office.execution, threads=1)
    office.drain()
    assert office.outstanding() == []

    office.move(30 * DAY)
    office.drain()

    assert "ada.lovelace" not in office.mailboxes()


def test_deletion_comes_although_the_confirmation_never_did(office: Office) -> None:
    """A job that is held for a confirmation does not keep the stages that follow from their time."""
    staffed(office)
    office.deactivate()
    office.tell("left", "E1")
    office.drain()

    office.move(30 * DAY)
    office.drain()

    assert "ada.lovelace" not in office.mailboxes()
    assert office.outstanding() == []


def test_forwarding_whose_answer_was_lost_is_not_made_twice(office: Office) -> None:
    """Reading back shows the forwarding: it counts as ours, and a return takes it back."""
    staffed(office)
    match = {"method": "POST", "path": "/v1/domains/*/mailboxes/*/forwardings"}
    office.fail({"match": match, "times": 1, "fault": "drop-after-apply"})

    office.tell("left", "E1")
    office.work_on(for_=timedelta(hours=1))
    assert forwards_to(office) == ["grace.hopper@example.org"]
    assert office.outstanding() == []

    office.tell("leaving_cancelled", "E1")
    office.drain()

    assert forwards_to(office) == []


def test_nobody_to_take_over_holds_what_is_left_and_a_manager_ends_it(office: Office) -> None:
    """Block and autoreply are done; the job says whom it needs, and goes on when somebody is named."""
    staffed(office)
    office.tell("updated", "E1", manager=None)
    office.tell("left", "E1")
    office.drain()
    ((_, state, reason),) = office.outstanding()
    assert (state, "nobody can take over" in str(reason)) == ("held", True)
    assert ada(office)["may_send"] is False

    office.tell("updated", "E1", manager="E3")
    office.drain()

    assert forwards_to(office) == ["alan.turing@example.org"]
    assert office.outstanding() == []
