"""An object that the mail host always answers with 500: the rest of its job goes on, and it is tried now and then."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from tests.integration.office import DAY, KEY, POLICY, USER, Office
from worker.execution import sweep_once
from worker.execution.context import Patience
from worker.execution.verbs import dismiss, retry
from worker.mail import Address
from worker.migadu import MigaduClient
from worker.planning.step import Operation, Step
from worker.store import forgetting, people, quarantines
from worker.store.states import JobState
from worker.store.tables import QuarantineRow

SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
"""For what is no matter of the engine: the first tests here run on both."""
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
OWN_PASSWORD = {"password_use": "custom", "password": "s3cret-s3cret", "may_access_imap": True}


def poison(path: str, **match: str) -> Mapping[str, Any]:
    """Return the fault by which an object below the domain answers every call with 500."""
    return {"match": {"path": f"/v1/domains/example.org/{path}", **match}, "fault": "poison"}


def work_on(office: Office, for_: timedelta, every: timedelta = 5 * MINUTE) -> None:
    """Move the clock on in steps, and sweep and work at each."""
    until = office.clock.now() + for_
    while office.clock.now() < until:
        office.move(every)
        sweep_once(office.execution, 1)
        office.drain()


def open_logins(office: Office, local_part: str) -> set[str]:
    """Return the identities of a mailbox by which somebody gets in."""
    return {each["local_part"] for each in office.mailboxes()[local_part]["identities"] if each["may_access_imap"]}


@pytest.fixture
def leaver(office: Office) -> Office:
    """An office with somebody whose mailbox has three logins beside its own."""
    office.employ("Ada Lovelace")
    for each in ("ada", "countess", "king"):
        office.host("POST", "mailboxes/ada.lovelace/identities", local_part=each, name="Ada", **OWN_PASSWORD)
    return office


def test_one_poisoned_login_leaves_no_other_door_open(leaver: Office) -> None:
    """In its first run a departure closes the mailbox and every login but the one that answers 500."""
    leaver.fail(poison("mailboxes/ada.lovelace/identities/ada"))
    leaver.tell("left", "E1")
    leaver.drain()

    assert not any(leaver.doors("ada.lovelace").values())
    assert open_logins(leaver, "ada.lovelace") == {"ada"}


def test_a_poisoned_mailbox_leaves_none_of_its_logins_open(leaver: Office) -> None:
    """A mailbox that answers even reads with 500 is found in the list, and its logins are closed without it."""
    leaver.fail(poison("mailboxes/ada.lovelace"))
    leaver.tell("left", "E1")
    leaver.drain()

    assert open_logins(leaver, "ada.lovelace") == set()
    assert leaver.doors("ada.lovelace")["imap"]

    work_on(leaver, HOUR)
    leaver.fail()
    work_on(leaver, HOUR)
    assert not any(leaver.doors("ada.lovelace").values())
    assert leaver.outstanding() == []


def test_what_keeps_failing_is_left_alone_ever_longer_and_done_by_itself_once_it_can_be(leaver: Office) -> None:
    """The job says which object and until when, costs a few calls a day, and ends with the first success."""
    leaver.fail(poison("mailboxes/ada.lovelace/identities/ada"))
    leaver.tell("left", "E1")
    leaver.drain()
    work_on(leaver, HOUR)

    job = leaver.job_of(1)
    assert job.state is JobState.HELD
    assert str(job.reason).startswith(
        "identity ada@example.org of ada.lovelace@example.org is left alone until 2026-03-02 10:"
    )
    assert "the mail host answered 500 to suspend-identity 6 times since 2026-03-02 09:00 UTC" in str(job.reason)

    before = len(leaver.calls("PUT"))
    work_on(leaver, 4 * DAY, every=HOUR)
    assert 4 * 3 <= len(leaver.calls("PUT")) - before <= 4 * 4 + 4  # it ends in six hours between two
    assert leaver.job_of(1).state is JobState.HELD

    leaver.fail()
    work_on(leaver, 7 * HOUR, every=HOUR)
    assert open_logins(leaver, "ada.lovelace") == set()
    assert leaver.outstanding() == []
    assert leaver.total(QuarantineRow) == 0


@SQLITE
def test_a_mailbox_that_only_takes_no_password_has_its_doors_closed(leaver: Office) -> None:
    """There are mailboxes that answer 500 to a new password for weeks: their doors are closed without one meanwhile."""
    wire = _NoPasswords()
    with httpx.Client(transport=wire) as client:
        leaver.execution = replace(
            leaver.execution, connect=lambda hooks: MigaduClient(leaver.url, USER, KEY, http=client, hooks=hooks)
        )
        leaver.tell("left", "E1")
        leaver.drain()
        work_on(leaver, 10 * MINUTE, every=MINUTE)
        assert not any(leaver.doors("ada.lovelace").values())
        assert open_logins(leaver, "ada.lovelace") == set()
        assert "mailbox ada.lovelace@example.org is left alone until" in str(leaver.job_of(1).reason)

        wire.takes_passwords = True
        work_on(leaver, HOUR)
        assert leaver.outstanding() == []
        assert leaver.ledger().count(("block-mailbox", "confirmed")) == 1

        leaver.tell("leaving_cancelled", "E1")
        leaver.drain()
        assert leaver.doors("ada.lovelace")["imap"]
        assert not leaver.doors("ada.lovelace")["managesieve"]  # as before: nothing of the way back was forgotten


class _NoPasswords(httpx.HTTPTransport):
    """A wire to the real sandbox on which writes with a password are answered 500 and do not arrive."""

    takes_passwords = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request, or fail."""
        if request.method == "PUT" and b'"password"' in request.read() and not self.takes_passwords:
            return httpx.Response(500)
        return super().handle_request(request)


@SQLITE
def test_an_operator_has_it_tried_at_once(leaver: Office) -> None:
    """Whoever has mended it at the host need not wait for the pause to end."""
    leaver.fail(poison("mailboxes/ada.lovelace/identities/ada"))
    leaver.tell("left", "E1")
    leaver.drain()
    work_on(leaver, HOUR)
    leaver.fail()
    retry(leaver.database, leaver.clock, leaver.execution.bell, leaver.job_of(1).id, "operator")
    leaver.drain()

    assert open_logins(leaver, "ada.lovelace") == set()
    assert leaver.outstanding() == []


@SQLITE
def test_a_block_does_not_wait_for_what_failed_before_for_another_reason(office: Office) -> None:
    """A mailbox whose name cannot be written is blocked at once when its holder leaves."""
    office.employ("Ada Lovelace")
    office.fail(poison("mailboxes/ada.lovelace", method="PUT"))
    office.tell("renamed", "E1", givenName="Augusta")
    office.drain()
    work_on(office, DAY, every=HOUR)
    assert "update-mailbox" in str(office.job_of(1).reason)
    assert office.identities("ada.lovelace") == {"augusta.lovelace"}  # which did not wait

    office.fail()
    office.tell("left", "E1")
    office.drain()

    assert not any(office.doors("ada.lovelace").values())


@SQLITE
def test_nothing_is_taken_away_or_made_behind_a_deletion_that_failed(office: Office) -> None:
    """A mailbox that cannot be deleted keeps its address: no alias is put there, and nothing is released."""
    office.activate(
        f'{POLICY}[[leaving.stages]]\nafter = "0d"\ndo = ["block"]\n[[leaving.stages]]\nafter = "30d"\n'
        'do = ["delete-mailbox", "alias-to-manager"]\n[[leaving.stages]]\nafter = "60d"\ndo = ["release-address"]\n'
    )
    office.employ("Grace Hopper", "Ada Lovelace")
    office.tell("updated", "E2", manager="E1")
    office.tell("left", "E2")
    office.drain()
    office.fail(poison("mailboxes/ada.lovelace", method="DELETE"))
    for days in (30, 1, 30, 1):
        office.move(days * DAY)
        work_on(office, HOUR)

    assert {"ada.lovelace"} < set(office.mailboxes())
    assert office.aliases() == {}
    assert ("release-address", "confirmed") not in office.ledger()
    assert str(office.job_of(2).reason).startswith("mailbox ada.lovelace@example.org is left alone until ")

    office.fail()
    work_on(office, DAY, every=HOUR)
    assert set(office.mailboxes()) == {"grace.hopper"}
    assert office.outstanding() == []


@SQLITE
def test_a_deletion_that_worked_and_was_answered_500_is_no_failure(office: Office) -> None:
    """The host may answer 500 to a deletion that it did: reading back shows it, and nothing is counted."""
    office.employ("Ada Lovelace")
    office.tell("left", "E1")
    office.drain()
    office.fail({"match": {"method": "DELETE"}, "fault": "500-after-apply"})
    office.move(30 * DAY)
    work_on(office, HOUR)

    assert office.mailboxes() == {}
    assert office.outstanding() == []
    assert office.calls("DELETE").count(("DELETE", "mailboxes/ada.lovelace")) == 1
    assert office.total(QuarantineRow) == 0


def test_a_poisoned_list_stops_no_other_lane(office: Office) -> None:
    """A shared address that answers every call with 500 is held by itself; joiners get their mailboxes and lists."""
    office.employ("Ada Lovelace", department="Engineering")
    office.fail(poison("aliases/engineering"))
    office.join("E2", "Grace Hopper", department="Engineering")
    office.join("E3", "Alan Turing", department="Support")
    office.drain()
    work_on(office, HOUR)

    assert {"grace.hopper", "alan.turing"} < set(office.mailboxes())
    assert office.aliases() == {"engineering": {"ada.lovelace"}, "support": {"alan.turing"}}
    ((kind, state, reason),) = office.outstanding()
    assert (kind, state) == ("shared", "held")
    assert str(reason).startswith("alias engineering@example.org is left alone until ")

    office.fail()
    work_on(office, 2 * HOUR)
    assert office.aliases()["engineering"] == {"ada.lovelace", "grace.hopper"}
    assert office.outstanding() == []


@SQLITE
def test_what_reading_back_shows_as_done_does_not_count(office: Office) -> None:
    """Three writes of a mailbox that worked, and were answered 500, are no reason to leave it alone."""
    office.activate(
        f'{POLICY}[[leaving.stages]]\nafter = "0d"\ndo = ["block", "autoreply"]\n'
        '[leaving.autoreply]\nsubject = "Gone"\nbody = "I have left."\n'
    )
    office.employ("Ada Lovelace")
    office.fail({"match": {"method": "PUT"}, "fault": "500-after-apply"})
    office.tell("updated", "E1", nickName="Countess")
    office.tell("left", "E1")
    office.drain()
    reasons = []
    while office.outstanding():
        reasons += [str(reason) for _, _, reason in office.outstanding()]
        work_on(office, MINUTE, every=MINUTE)

    assert len(office.calls("PUT")) == 3
    assert not [reason for reason in reasons if "left alone" in reason]


@SQLITE
def test_it_is_forgotten_when_nothing_is_wanted_of_the_object_any_more(office: Office) -> None:
    """A name that cannot be written is no trouble once the former name is wanted again."""
    office.employ("Ada Lovelace")
    office.fail(poison("mailboxes/ada.lovelace", method="PUT"))
    office.tell("updated", "E1", nickName="Countess")
    office.drain()
    work_on(office, HOUR)
    assert office.total(QuarantineRow) == 1

    office.tell("updated", "E1", nickName=None)
    office.drain()

    assert office.outstanding() == []
    assert office.total(QuarantineRow) == 0


@SQLITE
def test_a_dismissed_job_leaves_nothing_behind(leaver: Office) -> None:
    """Who gives a job up is not told of its objects any more."""
    leaver.fail(poison("mailboxes/ada.lovelace/identities/ada"))
    leaver.tell("left", "E1")
    leaver.drain()
    work_on(leaver, HOUR)
    dismiss(leaver.database, leaver.clock, leaver.execution.bell, leaver.job_of(1).id, "operator", reason="enough")

    assert leaver.total(QuarantineRow) == 0


@SQLITE
def test_who_is_erased_is_in_no_quarantine_either(office: Office) -> None:
    """What fails at an address of theirs is forgotten with them, in jobs of others too; the rest is not."""
    office.employ("Ada Lovelace", "Grace Hopper")
    ada, grace = (Address(f"{each}@example.org") for each in ("ada.lovelace", "grace.hopper"))
    inside = Step(Operation.CREATE_FORWARDING, ada, before={}, after={}, mailbox=grace)
    own = Step(Operation.UPDATE_MAILBOX, grace, before={}, after={})
    hers = Step(Operation.UPDATE_MAILBOX, ada, before={}, after={})
    with office.database.write() as session:
        for job, step in ((office.job_of(2), inside), (office.job_of(2), own), (office.job_of(1), hers)):
            quarantines.count_failure(session, job.id, step, Patience().pause, office.clock.now())
    with office.database.write() as session:
        forgetting.forget_person(session, people.lock(session, 1), office.clock.now(), office.clock.now())

    with office.database.read() as session:
        assert [row.target for row in session.scalars(select(QuarantineRow))] == [grace]


@SQLITE
def test_a_host_that_fails_at_everything_for_hours_leaves_nothing_behind(office: Office) -> None:
    """Where not one object but the host fails, all is done by itself soon after, and nothing is done twice."""
    office.employ("Ada Lovelace", "Grace Hopper", "Alan Turing", department="Engineering")
    office.fail({"match": {}, "fault": "500-before-apply"})
    office.tell("left", "E1")
    office.tell("updated", "E2", department="Support")
    office.join("E4", "Edsger Dijkstra", department="Support")
    office.drain()
    before = len(office.calls())
    work_on(office, 3 * HOUR)
    failed = len(office.calls()) - before
    office.fail()
    work_on(office, 5 * HOUR)

    assert office.outstanding() == []
    assert not any(office.doors("ada.lovelace").values())
    assert office.aliases()["support"] == {"grace.hopper", "edsger.dijkstra"}
    assert set(office.mailboxes()) == {"ada.lovelace", "grace.hopper", "alan.turing", "edsger.dijkstra"}
    assert failed < 100
