"""Reconcile: whose doing a difference is, what is reported and what is repaired, against a host changed by hand."""

from datetime import timedelta

import pytest

from tests.integration.office import POLICY, Office
from worker.execution.reconcile import NothingToReconcileBy, Reconciled, reconcile
from worker.planning.drift import Drift
from worker.planning.urgency import Urgency
from worker.sandbox import RunningSandbox
from worker.store import drift
from worker.store.database import Database
from worker.store.drift import DriftFilter
from worker.store.states import JobState
from worker.store.tables import DriftRow

NO_POP = POLICY + "\n[mailbox]\nmay_access_pop3 = false\n"


def look(office: Office, *, repair: bool = False) -> Reconciled:
    """Reconcile a while after the last job ended."""
    office.move(timedelta(hours=1))
    return reconcile(office.execution, "example.org", repair_for="cli:test" if repair else None)


def rows(office: Office) -> list[DriftRow]:
    """Return what the latest reconcile found."""
    with office.database.read() as session:
        return [row for row, _ in drift.page(session, DriftFilter(), after=0, limit=1000)]


def found(office: Office) -> list[tuple[str, str, str | None]]:
    """Return what the latest reconcile found as (kind, local part, field)."""
    return [(row.kind, row.address.partition("@")[0], row.field) for row in rows(office)]


def staff(office: Office, policy: str = NO_POP) -> None:
    """Have two people in a group, and everything as it should be."""
    office.activate(policy)
    office.employ("Ada Lovelace", "Bob Builder", department="Engineering")


def reading_calls(office: Office) -> list[tuple[str, str]]:
    """Return the calls that a reconcile makes."""
    before = len(office.calls())
    look(office)
    return office.calls()[before:]


def test_rewrites_are_compared_like_lists(office: Office) -> None:
    """What another hand changed of ours is told and repaired; what is not ours is shown and never touched."""
    rewrite = '[[rewrites]]\nname = "support"\nlocal_part_rule = "support-*"\nmembers = { department = "Support" }\n'
    office.activate(POLICY + rewrite)
    office.employ("Ada Lovelace", department="Support")
    reading_calls(office)
    assert found(office) == []

    office.host("POST", "rewrites", name="theirs", local_part_rule="x-*", destinations="boss@example.org")
    office.host("PUT", "rewrites/support", local_part_rule="y-*")
    look(office, repair=True)
    assert [(row.noun, *told) for row, told in zip(rows(office), found(office), strict=True)] == [
        ("rewrite", "foreign-hand", "support", "local_part_rule"),
        ("rewrite", "unmanaged", "theirs", None),
    ]

    office.drain()
    assert office.rewrites() == {"support": ("support-*", {"ada.lovelace"}), "theirs": ("x-*", {"boss"})}


def test_nothing_has_drifted_and_only_lists_are_read(office: Office) -> None:
    """Where the host is as it should be nothing is found, by the lists alone, and a second look writes nothing new."""
    staff(office)

    assert reading_calls(office) == [("GET", "mailboxes"), ("GET", "aliases"), ("GET", "rewrites")]
    assert found(office) == []
    assert office.outstanding() == []


def test_a_foreign_hand_is_told_from_a_policy_that_moved_on(office: Office) -> None:
    """A name changed at the host is somebody else's doing; a field that the policy newly wants is ours and stale."""
    staff(office, POLICY)
    office.host("PUT", "mailboxes/ada.lovelace", name="Countess")
    office.activate(NO_POP)
    look(office)

    assert sorted(found(office)) == [
        ("foreign-hand", "ada.lovelace", "name"),
        ("stale", "ada.lovelace", "may_access_pop3"),
        ("stale", "bob.builder", "may_access_pop3"),
    ]
    (name,) = [row for row in rows(office) if row.field == "name"]
    assert (name.wanted, name.found, name.written) == ("Ada Lovelace", "Countess", "Ada Lovelace")
    assert (name.action, name.job_id) == ("repair", None)


def test_it_reports_first_and_repairs_when_asked(office: Office) -> None:
    """Nothing is queued by looking; repairs are jobs of the least urgency, of exactly the subjects that drifted."""
    staff(office)
    office.host("PUT", "mailboxes/ada.lovelace", name="Countess")
    office.host("PUT", "aliases/engineering", destinations=["ada.lovelace@example.org"])
    assert look(office).queued == 0
    assert office.outstanding() == []
    repaired = look(office, repair=True)

    queued = office.jobs(JobState.QUEUED)
    assert repaired.queued == 2
    assert {job.urgency for job in queued} == {Urgency.DRIFT}
    assert {row.job_id for row in rows(office)} == {job.id for job in queued}
    office.drain()
    assert office.mailboxes()["ada.lovelace"]["name"] == "Ada Lovelace"
    assert office.aliases() == {"engineering": {"ada.lovelace", "bob.builder"}}
    look(office)
    assert found(office) == []


def test_what_is_gone_is_made_again(office: Office) -> None:
    """A mailbox and an alias that somebody deleted are missing, and are made again."""
    staff(office)
    office.host("DELETE", "mailboxes/bob.builder")
    office.host("DELETE", "aliases/engineering")
    look(office, repair=True)

    assert found(office) == [("missing", "bob.builder", None), ("missing", "engineering", None)]
    office.drain()
    office.work_on(timedelta(minutes=20))
    assert set(office.mailboxes()) == {"ada.lovelace", "bob.builder"}
    assert office.aliases() == {"engineering": {"ada.lovelace", "bob.builder"}}


def test_what_is_nobodys_is_listed_and_never_touched(office: Office) -> None:
    """Mailboxes, aliases and identities that we did not make are counted as unmanaged, and no repair changes them."""
    staff(office)
    office.host("POST", "mailboxes", local_part="carl", name="Carl", password="S3cr3T")
    office.host("POST", "aliases", local_part="info", destinations=["ada.lovelace@example.org"])
    office.host("POST", "mailboxes/ada.lovelace/identities", local_part="countess", name="Ada")
    office.host("POST", "aliases", local_part="postmaster", destinations=["ada.lovelace@example.org"])
    before = office.mail_state()
    look(office, repair=True)
    office.drain()

    assert sorted(found(office)) == [("unmanaged", each, None) for each in ("carl", "countess", "info", "postmaster")]
    assert {(row.noun, row.mailbox) for row in rows(office)} >= {("identity", "ada.lovelace@example.org")}
    assert office.mail_state() == before
    with office.database.read() as session:
        assert drift.count(session) == {Drift.UNMANAGED: 4}
        assert drift.count_undecided(session) == {}


def test_a_field_that_is_only_reported_stays_whatever_job_runs(office: Office) -> None:
    """Under `report` the field is shown, no repair is queued for it, and a job for another reason leaves it alone."""
    staff(office, NO_POP + '[reconcile]\nfields = { may_access_pop3 = "report" }\n')
    office.host("PUT", "mailboxes/ada.lovelace", may_access_pop3=True)
    assert look(office, repair=True).queued == 0
    assert [(row.field, row.action) for row in rows(office)] == [("may_access_pop3", "report")]
    office.tell("renamed", "E1", familyName="King")
    office.drain()

    ada = office.mailboxes()["ada.lovelace"]
    assert (ada["name"], ada["may_access_pop3"]) == ("Ada King", True)
    assert office.job_of(1).reason == "left as somebody else made it: may_access_pop3 of ada.lovelace@example.org"


def test_a_field_that_is_accepted_stays_until_something_new_is_wanted(office: Office) -> None:
    """Under `accept` the other's name is no drift; a rename by the roster is something new, and counts."""
    staff(office, NO_POP + '[reconcile]\nfields = { name = "accept" }\n')
    office.host("PUT", "mailboxes/ada.lovelace", name="Countess")
    look(office, repair=True)
    office.drain()
    accepted = (found(office), office.mailboxes()["ada.lovelace"]["name"])
    office.tell("renamed", "E1", familyName="King")
    office.drain()

    assert accepted == ([], "Countess")
    assert office.mailboxes()["ada.lovelace"]["name"] == "Ada King"


@pytest.mark.parametrize("action", ["report", "accept"])
@pytest.mark.parametrize("how", ["left", "suspended"])
def test_an_opened_door_of_somebody_who_is_kept_out_is_closed_whatever_the_policy_says(
    office: Office, how: str, action: str
) -> None:
    """A foreign hand that opens a door of somebody blocked or suspended is never accepted: the repair closes it."""
    staff(office, NO_POP + f'[reconcile]\ndefault = "{action}"\n')
    office.tell(how, "E1", **({"lastWorkingDay": "2026-02-27"} if how == "left" else {}))
    office.drain()
    office.host("PUT", "mailboxes/ada.lovelace", may_access_imap=True, name="Countess")
    look(office, repair=True)

    opened = [row for row in rows(office) if row.field == "may_access_imap"]
    assert [(row.kind, row.action, row.job_id is not None) for row in opened] == [("foreign-hand", "repair", True)]
    office.drain()
    assert not any(office.doors("ada.lovelace").values())
    assert office.mailboxes()["ada.lovelace"]["name"] == "Countess"


def test_half_done_work_is_not_taken_for_a_foreign_hand(office: Office) -> None:
    """While a job of theirs is outstanding whatever differs is stale, and that job is named; nothing more is queued."""
    staff(office)
    office.tell("renamed", "E1", familyName="King")
    office.apply_all()
    office.host("PUT", "mailboxes/ada.lovelace", may_access_pop3=True)
    (job,) = [job for job in office.jobs() if job.finished_at is None]
    reconciled = look(office, repair=True)

    assert {row.kind for row in rows(office)} == {"stale"}
    assert {row.job_id for row in rows(office)} == {job.id}
    assert reconciled.queued == 0


def test_a_job_that_ended_while_the_host_was_read_is_ours(office: Office) -> None:
    """What a job wrote after the lists were read is not taken for somebody else's doing, or for an object of nobody."""
    staff(office)
    office.move(timedelta(hours=1))

    office.tell("renamed", "E1", familyName="King")
    office.drain()
    office.host("PUT", "mailboxes/ada.lovelace", name="Ada Lovelace")  # as the list would still show it
    reconcile(office.execution, "example.org")

    assert found(office)[0] == ("stale", "ada.lovelace", "name")


def test_an_interrupted_reading_leaves_the_one_before_it(office: Office) -> None:
    """Findings count when the whole domain was compared: a reading that fails half-way replaces nothing."""
    staff(office)
    office.host("PUT", "mailboxes/ada.lovelace", name="Countess")
    look(office)
    with office.database.write() as session:
        drift.begin(session, "example.org", office.clock.now())

    assert found(office) == [("foreign-hand", "ada.lovelace", "name")]
    look(office)
    assert len(rows(office)) == office.total(DriftRow) == 1


def test_another_domain_than_the_policys_is_refused(office: Office) -> None:
    """Only a domain that the policy speaks of can be compared with it."""
    with pytest.raises(NothingToReconcileBy, match=r"elsewhere\.example is not a domain of the active policy"):
        reconcile(office.execution, "elsewhere.example")


def test_without_a_policy_there_is_nothing_to_compare_with(database: Database, sandbox: RunningSandbox) -> None:
    """Before the first policy the sentence says what to do."""
    office = Office(database, sandbox, policy=None)
    with pytest.raises(NothingToReconcileBy, match="start a worker once"):
        reconcile(office.execution, "example.org")
    office.close()


def test_a_leavers_mailbox_that_is_gone_is_told_and_not_made_again(office: Office) -> None:
    """Somebody deleted the blocked mailbox of a leaver: it is missing, the ledger takes note, and nobody makes it."""
    staff(office)
    office.tell("left", "E1", lastWorkingDay="2026-02-27")
    office.drain()
    office.host("DELETE", "mailboxes/ada.lovelace")
    look(office, repair=True)
    told = [(row.kind, row.note) for row in rows(office)]
    office.drain()
    look(office)

    assert told == [("missing", "it is not made again: this person does not work here any more")]
    assert set(office.mailboxes()) == {"bob.builder"}
    assert found(office) == []


def test_a_repair_goes_through_the_brakes(office: Office) -> None:
    """A repair that closes a door again is a block like any other: past the brake's window it waits for approval."""
    brakes = '[brakes]\nblock = {{ floor = {}, share = 0.0, per = "24h" }}\n'
    staff(office, NO_POP + brakes.format(2))
    for subject in ("E1", "E2"):
        office.tell("left", subject, lastWorkingDay="2026-02-27")
    office.drain()
    office.move(timedelta(hours=25))
    office.activate(NO_POP + brakes.format(1))
    for local_part in ("ada.lovelace", "bob.builder"):
        office.host("PUT", f"mailboxes/{local_part}", may_send=True)
    look(office, repair=True)
    office.drain()

    done, held = sorted((office.job_of(1), office.job_of(2)), key=lambda job: job.state)
    assert (done.state, held.state) == (JobState.DONE, JobState.HELD)
    assert [office.doors(local_part)["send"] for local_part in ("ada.lovelace", "bob.builder")].count(True) == 1
    look(office)
    assert [(row.kind, row.job_id) for row in rows(office)] == [("stale", held.id)]


def test_a_dry_run_shows_the_repairs_and_makes_none(office: Office) -> None:
    """In a deployment that only rehearses, a repair is a held job with its plan."""
    staff(office)
    office.host("PUT", "mailboxes/ada.lovelace", name="Countess")
    look(office, repair=True)
    office.run_all(office.colleague(dry_run=True))

    assert office.job_of(1).reason == "dry run: the plan is shown and not carried out"
    assert office.mailboxes()["ada.lovelace"]["name"] == "Countess"


def test_what_an_administrator_set_right_is_known_as_such(office: Office) -> None:
    """What the host shows as it is wanted counts as written, so that the next change of it is somebody else's doing."""
    staff(office, POLICY)
    office.host("PUT", "mailboxes/ada.lovelace", may_access_pop3=False)
    office.host("PUT", "mailboxes/bob.builder", may_access_pop3=False)
    office.activate(NO_POP)
    look(office)
    office.host("PUT", "mailboxes/ada.lovelace", may_access_pop3=True)
    look(office)

    assert found(office) == [("foreign-hand", "ada.lovelace", "may_access_pop3")]


def test_findings_are_kept_in_pages(office: Office) -> None:
    """A list of what drifted goes on behind the last one that was shown, and can be narrowed to a kind."""
    staff(office)
    for local in ("ada.lovelace", "bob.builder"):
        office.host("PUT", f"mailboxes/{local}", name="Nobody")
    office.host("POST", "aliases", local_part="info", destinations=["ada.lovelace@example.org"])
    look(office)
    with office.database.read() as session:
        first = drift.page(session, DriftFilter(), after=0, limit=2)
        rest = drift.page(session, DriftFilter("example.org"), after=first[-1][0].id, limit=2)
        only = drift.page(session, DriftFilter(kinds=(Drift.UNMANAGED,)), after=0, limit=9)

        assert [row.address for row, _ in first] == ["ada.lovelace@example.org", "bob.builder@example.org"]
        assert [row.address for row, _ in rest] == [row.address for row, _ in only] == ["info@example.org"]
        assert drift.page(session, DriftFilter("elsewhere.example"), after=0, limit=9) == []
