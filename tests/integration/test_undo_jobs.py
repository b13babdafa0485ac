"""Undo at work: for every reversible step, do and undo gives the state before, field by field, the password apart."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.office import DAY, POLICY, Office
from tests.integration.shell import beside
from tests.integration.test_managers_standing_in import manager
from worker.execution.undo import Undone, undo
from worker.store.audit import latest_acts
from worker.store.undos import ways_back


def _undo(office: Office, job_id: int | None = None) -> Undone:
    undone = undo(office.intake, job_id or office.job_of(1).id, "cli:ada")
    office.drain()
    return undone


def _tell(type_: str, **facts: Any) -> Callable[[Office], None]:
    def told(office: Office) -> None:
        office.tell(type_, "E1", **facts)
        office.drain()

    return told


def _leave_by_date(office: Office) -> None:
    office.tell("left", "E1", lastWorkingDay="2026-03-05")
    office.drain()
    office.work_on(5 * DAY, every=DAY)


def _resume(office: Office) -> None:
    _tell("resumed")(office)


def _suspend(office: Office) -> None:
    _tell("suspended")(office)


def _leave(office: Office) -> None:
    _tell("left")(office)


def _nothing(_: Office) -> None:
    """Begin with somebody who simply works here."""


STEPS = {
    "suspend": (_nothing, _suspend),
    "block": (_nothing, _leave),
    "block at once": (_nothing, _tell("left", immediate=True, lastWorkingDay="2026-12-31")),
    "block by a date": (_nothing, _leave_by_date),
    "resume": (_suspend, _resume),
    "rename": (_nothing, _tell("renamed", familyName="King")),
    "rename by a pinned address": (_nothing, _tell("renamed", workEmail="countess@example.org")),
    "display name": (_nothing, _tell("updated", nickName="Gusti")),
    "rename of somebody suspended": (_suspend, _tell("renamed", familyName="King")),
    "suspend and rename": (_nothing, _tell("suspended", givenName="Augusta")),
}


@pytest.mark.parametrize(("begin", "do"), STEPS.values(), ids=STEPS)
def test_do_and_undo_is_the_state_before(
    office: Office, begin: Callable[[Office], None], do: Callable[[Office], None]
) -> None:
    """Mailboxes, identities, aliases and every flag are as they were."""
    office.employ("Ada Lovelace", "Grace Hopper", department="Engineering")
    office.host("PUT", "mailboxes/ada.lovelace", may_access_pop3=False, footer_active=True, footer_plain_body="Ada")
    begin(office)
    office.move(DAY)
    before = office.mail_state()

    do(office)
    assert office.mail_state() != before
    assert office.job_of(1).id in _undoable(office)
    _undo(office)

    assert office.mail_state() == before
    assert office.outstanding() == []


ALIASES = POLICY + '[renaming]\nstrategy = "alias"\n'
STAGES = (
    POLICY
    + """
[leaving]
autoreply = { subject = "Gone", body = "{displayName} has left." }
[[leaving.stages]]
after = "0d"
do = ["block", "leave-groups", "autoreply", "forward-to-manager"]
[[leaving.stages]]
after = "30d"
do = ["delete-mailbox"]
"""
)


@pytest.mark.parametrize(
    ("policy", "do"),
    [
        (ALIASES, _tell("renamed", familyName="King")),
        (STAGES, _tell("left")),
        (STAGES, _leave_by_date),
    ],
    ids=["rename by an alias", "block with all stages", "the same by a date"],
)
def test_do_and_undo_under_other_policies(office: Office, policy: str, do: Callable[[Office], None]) -> None:
    """Own aliases and forwardings go, and an autoreply and logins of identities are as the person had them."""
    office.activate(policy)
    office.employ("Ada Lovelace", "Grace Hopper", department="Engineering", manager="E2")
    office.host("POST", "mailboxes/ada.lovelace/identities", local_part="countess", name="A", password="s3cret-s3cret")
    office.host(
        "PUT",
        "mailboxes/ada.lovelace",
        autorespond_active=True,
        autorespond_subject="Away",
        autorespond_body="Back on Monday",
    )
    office.move(DAY)
    before = office.mail_state()

    do(office)
    assert office.mail_state() != before
    assert office.job_of(1).id in _undoable(office)
    _undo(office)

    assert office.mail_state() == before
    assert office.outstanding() == []


def test_undoing_an_undo_does_it_again(office: Office) -> None:
    """The undo of a rename is a job like any other: undone, the new name and its address are back."""
    office.employ("Ada Byron")
    _tell("renamed", familyName="Lovelace")(office)
    renamed = office.mail_state()
    _undo(office)
    assert office.identities("ada.byron") == set()

    _undo(office)

    assert office.mail_state() == renamed


def test_end_of_a_departure_is_undone_by_the_departure(office: Office) -> None:
    """Where a departure was called off by mistake it holds again, with its date, and the block is made again."""
    office.employ("Ada Lovelace", department="Engineering")
    _leave(office)
    blocked = office.mail_state()
    office.move(DAY)
    _tell("leaving_cancelled")(office)

    undone = _undo(office)

    assert [kind.value for kind in undone.types] == ["person.left", "person.updated"]
    assert office.mail_state() == blocked
    assert office.people()[0].phase == "left"


def test_undone_rename_that_is_told_again_keeps_its_address(office: Office) -> None:
    """A name that comes back before the address was taken away keeps it, without a second one."""
    office.employ("Ada Byron")
    _tell("renamed", familyName="Lovelace")(office)
    undo(office.intake, office.job_of(1).id, "cli:ada")
    office.apply_all()
    office.move(DAY)

    _tell("renamed", familyName="Lovelace")(office)

    assert office.identities("ada.byron") == {"ada.lovelace"}
    assert office.outstanding() == []


def test_move_between_groups_is_undone_by_the_shared_job(office: Office, migrated_url: str, tmp_path: Path) -> None:
    """Who only moves between groups has no job of their own, so the job of the shared address takes the move back.

    Lists of jobs say which can be undone so, until it is, and so does the job itself: no instant ends that.
    """
    office.employ("Ada Lovelace", "Grace Hopper", department="Engineering")
    office.join("E3", "Alan Turing", department="Support")
    office.drain()
    before = office.mail_state()
    _tell("updated", department="Support")(office)
    assert office.aliases()["support"] == {"ada.lovelace", "alan.turing"}
    moved = office.job_on("support")
    shared = {job.id for job in office.jobs() if job.subject_kind == "shared"}
    assert shared & _undoable(office) == {moved.id, office.job_on("engineering").id}
    shell = beside(office, migrated_url, tmp_path)
    assert "  undoable without end\n" in shell.run("jobs", "show", str(moved.id)).out

    _undo(office, moved.id)

    assert office.mail_state() == before
    assert moved.id not in _undoable(office)
    assert "undoable" not in shell.run("jobs", "show", str(moved.id)).out


def _undoable(office: Office) -> set[int]:
    with office.database.read() as session:
        return {job_id for job_id, way in ways_back(session, office.jobs()).items() if way.is_open}


def test_change_of_manager_is_undone(office: Office) -> None:
    """The former manager stands in again, named by the source that had named them."""
    office.activate(STAGES)
    office.employ("Ada Lovelace", "Grace Hopper", "Alan Turing", manager="E2", department="Engineering")
    office.move(DAY)
    office.tell("updated", "E1", manager="E3", department="Support")
    office.drain()
    assert manager(office, "E1") == "alan.turing"

    _undo(office, office.job_on("support").id)

    assert manager(office, "E1") == "grace.hopper"


def test_joining_is_called_off(office: Office) -> None:
    """The undo of a joining blocks the mailbox it made and lets it go the way of a departure."""
    office.employ("Ada Lovelace", department="Engineering")
    office.move(DAY)

    undone = _undo(office)

    assert [kind.value for kind in undone.types] == ["person.joining_cancelled"]
    assert not any(office.doors("ada.lovelace").values())
    assert office.people()[0].phase == "cancelled"
    assert office.people()[0].next_step == "delete-mailbox"


def test_joining_by_a_date_is_called_off(office: Office) -> None:
    """A mailbox that was made when its date came goes by calling off the joining that was announced."""
    office.join("E1", "Ada Lovelace", hireDate="2026-03-20")
    office.work_on(20 * DAY, every=DAY)
    assert set(office.mailboxes()) == {"ada.lovelace"}
    made = office.job_of(1)
    assert made.id in _undoable(office)

    undone = _undo(office)

    assert [kind.value for kind in undone.types] == ["person.joining_cancelled"]
    assert made.id not in _undoable(office)
    assert not any(office.doors("ada.lovelace").values())


def _refused(office: Office, job_id: int) -> str:
    events = len(office.events())
    with pytest.raises(Exception) as refusal:  # noqa: PT011 - the sentence is what is asserted
        undo(office.intake, job_id, "cli:ada")
    assert len(office.events()) == events
    return str(refusal.value)


def test_refused_where_there_is_nothing_to_undo(office: Office) -> None:
    """Each refusal is a sentence that says why, and nothing is stated."""
    office.employ("Ada Lovelace", department="Engineering")
    domain = office.jobs()[0]
    shared, joined = office.job_on("engineering"), office.job_of(1)
    assert _refused(office, 999) == "there is no job 999"
    assert "only read the domain example.org" in _refused(office, domain.id)
    assert f"undo job {joined.id}, the person's own" in _refused(office, shared.id)
    assert _undoable(office) == {joined.id}

    _tell("renamed", familyName="King")(office)
    king = office.job_of(1)
    office.move(DAY)
    _tell("renamed", familyName="Byron")(office)
    newer = office.events()[-1].id
    assert f"event {newer} (person.renamed by hr) says something newer" in _refused(office, king.id)

    byron = office.job_of(1)
    _undo(office, byron.id)
    assert f"job {byron.id} is undone already, by event {newer + 1}" in _refused(office, byron.id)


def test_refused_once_something_was_taken_for_good(office: Office) -> None:
    """After the deletion neither it nor anything before it can be undone, and lists say so."""
    office.employ("Ada Lovelace")
    _leave(office)
    block = office.job_of(1)
    with office.database.read() as session:
        way = ways_back(session, [block])[block.id]
    assert (way.is_open, way.until) == (True, office.people()[0].irreversible_at)
    office.work_on(32 * DAY, every=DAY)
    deletion = office.job_of(1)
    assert office.mailboxes() == {}

    for job in (block, deletion):
        assert "what was in it cannot be given back" in _refused(office, job.id)
    with office.database.read() as session:
        assert not any(way.is_open for way in ways_back(session, office.jobs()).values())


def test_refused_where_a_policy_was_the_cause(office: Office) -> None:
    """What another policy brought is undone by the policy."""
    office.employ("Ada Lovelace")
    office.activate('[organisation]\ndomain = "example.org"\n[mailbox]\nmay_access_pop3 = false\n')
    office.drain()

    assert "came of the policy or the mail host" in _refused(office, office.job_of(1).id)
    assert office.job_of(1).id not in _undoable(office)


def test_word_of_an_operator_is_newer_than_a_clock_that_runs_ahead(office: Office) -> None:
    """A source whose clock runs some minutes ahead does not outlive the undo."""
    office.employ("Ada Lovelace")
    office.tell("suspended", "E1", time=office.clock.now() + DAY / 480)
    office.drain()

    _undo(office)

    assert office.doors("ada.lovelace")["send"]
    assert office.people()[0].phase == "active"


def test_undo_of_a_job_that_several_events_refreshed(office: Office) -> None:
    """A job that two events made, one after the other, is undone as the whole it was."""
    office.employ("Ada Lovelace", department="Engineering")
    before = office.mail_state()
    office.move(DAY)
    office.tell("updated", "E1", nickName="Gusti", department="Support")
    office.tell("suspended", "E1")
    office.drain()

    undone = _undo(office)

    assert len(undone.causes) == 2
    assert office.mail_state() == before


def test_later_word_of_the_source_counts(office: Office) -> None:
    """What was undone by mistake comes back as soon as the source says it again."""
    office.employ("Ada Lovelace")
    _tell("renamed", familyName="King")(office)
    _undo(office)
    office.move(DAY)

    _tell("renamed", familyName="King")(office)

    assert office.mailboxes()["ada.lovelace"]["name"] == "Ada King"


def test_undo_of_a_fact_that_nobody_had_stated_hides_no_other_source(office: Office) -> None:
    """What HR had never said before is as if it had not: the help desk's word of it counts, also what it says later."""
    office.employ("Ada Lovelace", employeeNumber="N1")
    office.tell("updated", "it-1", source="it", employeeNumber="N1", department="Engineering")
    office.drain()
    assert office.aliases() == {"engineering": {"ada.lovelace"}}
    office.move(DAY)
    office.tell("updated", "E1", department="Support", nickName="Countess")
    office.drain()
    assert office.aliases() == {"support": {"ada.lovelace"}}

    _undo(office)
    assert office.aliases() == {"engineering": {"ada.lovelace"}}
    office.move(DAY)
    office.tell("updated", "it-1", source="it", department="Support", nickName="Gusti")
    office.drain()

    assert office.aliases() == {"support": {"ada.lovelace"}}
    assert office.mailboxes()["ada.lovelace"]["name"] == "Gusti Lovelace"
    assert office.outstanding() == []


def test_command_undoes_and_says_what_it_said(office: Office, migrated_url: str, tmp_path: Path) -> None:
    """The command tells each statement, what the way back from a block needs, and writes the audit."""
    office.employ("Ada Lovelace")
    _leave(office)
    office.move(DAY)
    shell, job = beside(office, migrated_url, tmp_path), office.job_of(1)
    until = office.people()[0].irreversible_at
    assert until is not None

    shown = shell.run("jobs", "show", str(job.id), "--json").document
    assert (shown["undoable"], shown["undoableUntil"]) == (True, until.isoformat().replace("+00:00", "Z"))
    assert f"undoable until {until:%Y-%m-%d %H:%M} UTC" in shell.run("jobs", "show", str(job.id)).out
    ran = shell.run("jobs", "undo", str(job.id))
    assert (ran.code, ran.err) == (0, "")
    assert "(person.leaving_cancelled) about person 1 is accepted" in ran.out
    assert "mailroster people reset-password 1" in ran.out
    office.drain()

    assert office.doors("ada.lovelace")["send"]
    listed = shell.run("jobs", "list", "--json").document["jobs"]
    assert [each["undoneBy"] for each in listed if each["id"] == str(job.id)] == [str(office.events()[-1].id)]
    again = shell.run("jobs", "undo", str(job.id))
    assert (again.code, again.out) == (1, "")
    assert "is undone already" in again.err
    with office.database.read() as session:
        act = latest_acts(session, 1)[0]
    assert (act.act, act.target) == ("job.undo", f"job {job.id}")
