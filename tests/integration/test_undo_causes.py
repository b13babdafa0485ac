"""What nobody said and no date brought is not undone by taking back that somebody works here, or that they leave."""

import pytest

from tests.integration.office import DAY, POLICY, Office
from worker.execution.reconcile import reconcile
from worker.execution.undo import undo
from worker.execution.verbs import NotAllowedNow
from worker.store.undos import ways_back


def repair(office: Office) -> int:
    """Repair what differs at the mail host; return the job that did."""
    assert reconcile(office.execution, "example.org", repair_for="cli:ada").queued == 1
    office.drain()
    return office.job_of(1).id


def refused(office: Office, job_id: int) -> str:
    """Return why a job cannot be undone; its way back is not offered either."""
    with office.database.read() as session:
        assert not ways_back(session, [job for job in office.jobs() if job.id == job_id])[job_id].is_open
    events = len(office.events())
    with pytest.raises(NotAllowedNow) as refusal:
        undo(office.intake, job_id, "cli:ada")
    assert len(office.events()) == events
    return str(refusal.value)


def test_repair_of_a_lost_mailbox_is_not_undone_by_calling_off_a_joining(office: Office) -> None:
    """Who has worked here for long stays, whoever deleted their mailbox and whatever job made it anew."""
    office.employ("Ada Lovelace", "Grace Hopper")
    office.move(DAY)
    office.host("DELETE", "mailboxes/ada.lovelace")

    assert "came of the policy or the mail host" in refused(office, repair(office))


def test_repair_of_an_adopted_mailbox_is_not_undone_by_calling_off_a_joining(office: Office) -> None:
    """That the mailbox was adopted and not made at first makes no difference."""
    office.activate(POLICY + '[joining]\nexisting = "adopt"\n')
    office.seed(mailboxes=({"local_part": "ada", "name": "Ada"},))
    office.employ("Ada Lovelace", workEmail="ada@example.org", hireDate="2019-05-01")
    office.move(DAY)
    office.host("DELETE", "mailboxes/ada")
    job_id = repair(office)
    with pytest.raises(NotAllowedNow, match="came of the policy or the mail host"):
        undo(office.intake, job_id, "cli:ada")


def test_repair_of_a_block_is_not_undone_by_calling_off_the_departure(office: Office) -> None:
    """Doors that somebody opened are closed again; the way back is that of the block itself."""
    office.employ("Ada Lovelace", "Grace Hopper")
    office.tell("left", "E1")
    office.drain()
    block = office.job_of(1).id
    office.move(DAY)
    office.host("PUT", "mailboxes/ada.lovelace", may_access_imap=True)

    assert "came of the policy or the mail host" in refused(office, repair(office))
    assert [each.value for each in undo(office.intake, block, "cli:ada").types] == ["person.leaving_cancelled"]


def test_change_of_policy_is_not_undone_by_calling_off_a_departure_that_is_announced(office: Office) -> None:
    """Who has given notice gets another footer as all do: that says nothing of their leaving."""
    office.employ("Ada Lovelace", "Grace Hopper")
    office.tell("left", "E1", lastWorkingDay="2026-03-20")
    office.drain()
    office.activate(POLICY + "[mailbox]\nmay_access_pop3 = false\n")
    office.drain()

    assert "came of the policy or the mail host" in refused(office, office.job_of(1).id)


def test_block_by_the_date_of_a_second_departure_is_undone(office: Office) -> None:
    """A departure that was called off before does not hide that this one came of its date."""
    office.employ("Ada Lovelace", "Grace Hopper")
    for last_day in ("2026-03-05", "2026-03-15"):
        office.tell("left", "E1", lastWorkingDay=last_day)
        office.work_on(9 * DAY, every=DAY)
        block = office.job_of(1)
        assert block.event_id is None

        undone = undo(office.intake, block.id, "cli:ada")
        office.drain()

        assert [each.value for each in undone.types] == ["person.leaving_cancelled"]
