"""Before what cannot be undone a source that can be asked is asked anew: against a real vendor, on both engines."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from tests.integration.office import DAY, MONDAY, POLICY, Office
from tests.integration.test_hydration import ADA, Hydrated
from tests.vendor import Vendor, answering, vending
from worker.events import EventType
from worker.execution import run_next, sweep_once, verbs
from worker.execution.preview import OfPerson, preview
from worker.intake import apply_next, hydrate_next
from worker.intake.statements import state_of_person
from worker.store import hints, leases
from worker.store.holds import HoldState, find_hold
from worker.store.states import HintState, JobState
from worker.store.tables import HintRow, JobRow

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
STAGES = (
    POLICY
    + """
[brakes]
delete = { floor = 1, share = 0.0, per = "24h" }

[[leaving.stages]]
after = "0d"
do = ["block", "leave-groups"]

[[leaving.stages]]
after = "30d"
do = ["delete-mailbox"]

[[leaving.stages]]
after = "120d"
do = ["release-address"]

[[leaving.stages]]
after = "150d"
do = ["purge"]
"""
)
LAST_DAY = (MONDAY - DAY).date().isoformat()
RECORD = "/people/E1"


class Leaver(Hydrated):
    """The office and its vendor, and Ada, whose mailbox is there and who has left."""

    def __init__(self, office: Office, vendor: Vendor) -> None:
        super().__init__(office, vendor)
        office.execution = replace(office.execution, askable=frozenset(self.hydration.at_once))
        office.activate(STAGES)
        self.hear(**ADA)
        self.hear("left", **ADA | {"end": LAST_DAY})
        assert not office.doors("ada.lovelace")["send"]
        vendor.asked.clear()

    def work(self) -> None:
        """Do what all threads of a worker do, with its sweeps, until nothing is left for now."""
        for _ in range(4):
            sweep_once(self.office.execution, 1)
            while any(
                [apply_next(self.office.intake), run_next(self.office.execution), hydrate_next(self.office.intake)]
            ):
                pass
            self.office.move(3 * SECOND)

    def _work_once(self) -> bool:
        intake = self.office.intake
        return any([apply_next(intake), run_next(self.office.execution), hydrate_next(intake)])

    def let(self, by: timedelta) -> None:
        """Let time pass, and have everything done that is due."""
        self.office.move(by)
        self.work()

    def deleted(self) -> list[str]:
        """Return the mailboxes that the host was told to delete."""
        return [path for _, path in self.office.calls("DELETE") if path.startswith("mailboxes/")]

    def job(self) -> JobRow:
        """Return Ada's newest job."""
        return self.office.job_of(1)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A vendor with nobody in it."""
    with vending() as one:
        yield one


@pytest.fixture
def leaver(office: Office, vendor: Vendor) -> Iterator[Leaver]:
    """The office with its vendor, and Ada on her way out."""
    one = Leaver(office, vendor)
    with closing(one.hydration):
        yield one


def test_a_source_that_agrees_is_asked_once(leaver: Leaver) -> None:
    """The record is fetched once, in no transaction and no lane; nothing is read in vain, and the mailbox goes."""
    reads, states = len(leaver.office.calls("GET")), []

    def look(_subject: str) -> None:
        leaver.office.execute("update people set name = name")  # on SQLite no other transaction may be writing
        states.append(leaver.job().state)

    leaver.vendor.before_answer = look
    leaver.let(30 * DAY)

    assert states == [JobState.WAITING]
    assert leaver.vendor.asked == [RECORD]
    assert leaver.office.mailboxes() == {}
    assert leaver.job().state is JobState.DONE
    assert len(leaver.office.calls("GET")) == reads + 1
    assert leaver.row().state is HintState.SETTLED


def test_each_stage_that_cannot_be_undone_asks(leaver: Leaver) -> None:
    """Deletion, release and erasure each need an agreement of their own."""
    for days, number in ((30, 1), (90, 2), (30, 3)):
        leaver.let(days * DAY)
        assert len(leaver.vendor.asked) == number

    assert leaver.office.people()[0].erased_at is not None


def test_nothing_is_deleted_before_the_answer(leaver: Leaver) -> None:
    """While the source is asked the job waits, says for whom, and calls nobody however often it is looked at."""
    leaver.office.move(30 * DAY)
    before = len(leaver.office.call_log())
    for _ in range(5):
        leaver.office.drain()
        leaver.office.move(MINUTE)

    assert set(leaver.office.mailboxes()) == {"ada.lovelace"}
    assert len(leaver.office.call_log()) == before
    assert leaver.job().state is JobState.WAITING
    assert leaver.job().reason == ("before what cannot be undone, the person's record is asked for once more: of hr")
    assert leaver.job().failures == 0
    leaver.work()
    assert leaver.office.mailboxes() == {}
    assert leaver.vendor.asked == [RECORD]


def test_a_return_that_was_never_told_is_heard(leaver: Leaver) -> None:
    """The delivery about it was lost: nothing is deleted, and the person gets in again."""
    leaver.vendor.records["E1"] = ADA | {"end": None}
    leaver.let(30 * DAY)

    assert leaver.vendor.asked == [RECORD]
    assert leaver.deleted() == []
    assert leaver.office.doors("ada.lovelace")["send"]
    assert leaver.told()[-1][0] == "joined"
    assert leaver.office.outstanding() == []


def test_a_later_last_day_puts_the_stage_off(leaver: Leaver) -> None:
    """What the source says now counts from then on."""
    later = (MONDAY + 20 * DAY).date().isoformat()
    leaver.vendor.records["E1"] = ADA | {"end": later}
    leaver.let(30 * DAY)
    assert set(leaver.office.mailboxes()) == {"ada.lovelace"}
    assert leaver.office.outstanding() == []

    leaver.let(21 * DAY)
    assert leaver.office.mailboxes() == {}


def test_news_that_change_nothing_about_it_hold_nothing_up(leaver: Leaver) -> None:
    """The record tells another department: that is applied, and the stage goes on."""
    leaver.vendor.records["E1"] = ADA | {"end": LAST_DAY, "team": "Sales"}
    leaver.let(30 * DAY)

    assert leaver.told()[-1] == ("updated", {"department": "Sales"})
    assert leaver.office.mailboxes() == {}


def test_a_source_without_the_record_any_more_agrees(leaver: Leaver) -> None:
    """It said itself that the person left, and does not say otherwise."""
    del leaver.vendor.records["E1"]
    leaver.let(30 * DAY)

    assert leaver.vendor.asked == [RECORD]
    assert leaver.office.mailboxes() == {}
    assert leaver.row().reason == "it has no record of this key (it answered 404)"


def test_a_source_that_is_down_holds_the_stage_until_it_answers(leaver: Leaver) -> None:
    """It is told which source, and what to do; once it answers, it goes on by itself."""
    leaver.vendor.always = answering(500)
    leaver.let(30 * DAY)
    assert leaver.job().state is JobState.WAITING
    for _ in range(20):
        leaver.let(MINUTE)

    job = leaver.job()
    assert (job.state, job.failures) == (JobState.HELD, 0)
    assert job.reason == (
        "before what cannot be undone, hr must say again that it is so, and does not answer: it answered 500. "
        "It goes on with the answer (`mailroster sources retry hr` asks at once), "
        f"or without it when hold {job.hold_id} is approved"
    )
    hold = leaver.office.hold()
    assert (hold.kind, hold.brake, hold.source, hold.job_ids) == ("agreement", None, "hr", (job.id,))
    reads, asked = len(leaver.office.calls("GET")), len(leaver.vendor.asked)
    for _ in range(6):
        leaver.let(HOUR)
    assert len(leaver.office.calls("GET")) == reads
    assert len(leaver.vendor.asked) < asked + 3 * 9  # three questions each time, ever more rarely
    assert set(leaver.office.mailboxes()) == {"ada.lovelace"}

    leaver.vendor.always = None
    leaver.let(7 * HOUR)

    assert leaver.office.mailboxes() == {}
    assert leaver.job().state is JobState.DONE
    sweep_once(leaver.office.execution, 1)
    with leaver.office.database.read() as session:
        closed = find_hold(session, hold.id)
    assert closed is not None
    assert closed.state is HoldState.LAPSED


def test_news_that_have_come_are_waited_for(leaver: Leaver) -> None:
    """The source answered a moment ago; since then it has said that something changed, and does not answer."""
    leaver.office.move(30 * DAY - 10 * MINUTE)
    leaver.hint()
    leaver.work()
    leaver.vendor.always = answering(500)
    leaver.hint()
    leaver.let(10 * MINUTE)
    assert set(leaver.office.mailboxes()) == {"ada.lovelace"}
    assert leaver.job().state is JobState.WAITING

    leaver.vendor.records["E1"], leaver.vendor.always = ADA | {"end": None}, None
    for _ in range(5):
        leaver.let(MINUTE)
    assert leaver.deleted() == []
    assert leaver.office.doors("ada.lovelace")["send"]


def test_an_answer_of_a_moment_ago_is_enough(leaver: Leaver) -> None:
    """Whatever it was asked for."""
    leaver.office.move(30 * DAY - 10 * MINUTE)
    leaver.hint()
    leaver.work()
    leaver.let(10 * MINUTE)

    assert leaver.vendor.asked == [RECORD]
    assert leaver.office.mailboxes() == {}


def test_refused_credentials_hold_the_stage_at_once(leaver: Leaver) -> None:
    """Somebody must mend them, so nobody waits for an answer."""
    leaver.vendor.always = answering(401)
    leaver.let(30 * DAY)
    leaver.let(MINUTE)

    assert leaver.job().state is JobState.HELD
    assert "it does not accept our credentials" in (leaver.job().reason or "")


def test_a_record_that_cannot_be_used_holds_the_stage(leaver: Leaver) -> None:
    """A hint that is left to a person is no agreement, and what it is mended with goes on."""
    leaver.vendor.records["E1"] = ADA | {"end": "soon"}
    leaver.let(30 * DAY)
    assert leaver.row().state is HintState.PARKED
    assert leaver.job().state is JobState.HELD
    assert "its record cannot be used" in (leaver.job().reason or "")

    leaver.vendor.records["E1"] = ADA | {"end": LAST_DAY}
    leaver.hint()
    leaver.work()
    assert leaver.office.mailboxes() == {}


def test_what_was_given_up_long_ago_is_asked_for_anew(leaver: Leaver) -> None:
    """The stage is held at once, and goes on by itself with the answer."""
    leaver.vendor.records["E1"] = ADA | {"end": "soon"}
    leaver.hint()
    leaver.work()
    assert leaver.row().state is HintState.PARKED
    leaver.vendor.records["E1"] = ADA | {"end": LAST_DAY}
    leaver.vendor.asked.clear()
    leaver.let(30 * DAY)

    assert leaver.vendor.asked == [RECORD]
    assert leaver.office.mailboxes() == {}


def test_a_source_that_misses_somebody_of_its_own_holds_the_stage(leaver: Leaver) -> None:
    """Its last word is that they work here, somebody else said that they left, and now it does not know them."""
    leaver.vendor.records["E1"] = ADA | {"end": None}
    leaver.hint()
    leaver.work()
    leaver.office.move(DAY)
    state_of_person(leaver.office.intake, 1, EventType.LEFT, data={}, actor="me")
    leaver.work()
    del leaver.vendor.records["E1"]
    leaver.vendor.asked.clear()
    leaver.let(31 * DAY)
    for _ in range(40):
        leaver.let(MINUTE)

    assert set(leaver.office.mailboxes()) == {"ada.lovelace"}
    assert leaver.job().state is JobState.HELD
    assert "which is not taken for a departure" in (leaver.job().reason or "")


def test_news_of_somebody_who_left_and_has_no_record_need_nobody(leaver: Leaver) -> None:
    """A delivery about them waits whether the record comes, and is then settled."""
    del leaver.vendor.records["E1"]
    leaver.hint()
    for _ in range(40):
        leaver.let(MINUTE)

    assert leaver.row().state is HintState.SETTLED
    assert len(leaver.vendor.asked) > 1


def test_an_approver_goes_on_without_the_source(leaver: Leaver) -> None:
    """What was approved is done once, by the hash of what was looked at, and neither asked for nor braked."""
    leaver.office.activate(STAGES.replace("floor = 1", "floor = 0"))
    leaver.vendor.always = answering(401)
    leaver.let(30 * DAY)
    leaver.let(MINUTE)
    hold = leaver.office.hold()
    office, asked = leaver.office, len(leaver.vendor.asked)
    with pytest.raises(verbs.NotAllowedNow):
        verbs.approve_hold(office.database, office.clock, office.execution.bell, hold.id, "me", plan="0" * 64)
    verbs.approve_hold(office.database, office.clock, office.execution.bell, hold.id, "me", plan=hold.hash)
    leaver.work()

    assert office.mailboxes() == {}
    assert leaver.job().state is JobState.DONE
    assert len(leaver.vendor.asked) == asked


def test_a_brake_approved_later_is_no_agreement(leaver: Leaver) -> None:
    """Days lie between the answer and the approval of a brake, so the source is asked once more."""
    office = leaver.office
    office.activate(STAGES.replace("floor = 1", "floor = 0"))
    leaver.let(30 * DAY)
    assert leaver.job().state is JobState.HELD
    hold = office.hold()
    assert (hold.kind, leaver.vendor.asked) == ("brake", [RECORD])

    leaver.vendor.records["E1"] = ADA | {"end": None}
    office.move(3 * DAY)
    verbs.approve_hold(office.database, office.clock, office.execution.bell, hold.id, "me", plan=hold.hash)
    leaver.work()

    assert leaver.vendor.asked == [RECORD, RECORD]
    assert leaver.deleted() == []
    assert office.doors("ada.lovelace")["send"]


@pytest.mark.parametrize("dies", ["before the fetch", "within it", "before the deletion"])
def test_a_crash_between_question_and_deletion(leaver: Leaver, dies: str) -> None:
    """Whatever is lost of the worker, nothing is deleted without an answer, and the source is asked for one."""
    office = leaver.office
    office.move(30 * DAY)
    office.apply_all()
    run_next(office.execution)
    with office.database.write() as session:
        if dies == "within it":
            assert hints.claim(session, {"hr": 1}, lease=MINUTE, now=office.clock.now())
            session.execute(update(HintRow).values(lease_until=MONDAY))
    if dies == "before the deletion":
        hydrate_next(office.intake)
        with office.database.write() as session:
            assert leases.claim(session, worker="dead", lease=MINUTE, now=office.clock.now(), least_urgent=9)
        office.let_leases_run_out()
    assert set(office.mailboxes()) == {"ada.lovelace"}
    leaver.work()
    leaver.let(MINUTE)

    assert office.mailboxes() == {}
    assert leaver.vendor.asked == [RECORD]


def test_what_is_previewed_asks_nobody(leaver: Leaver) -> None:
    """A plan tells that the source will be asked."""
    leaver.office.move(30 * DAY)
    (plan,) = preview(leaver.office.execution, leaver.office.intake, OfPerson(1)).subjects

    assert [step.operation.value for step in plan.plan.steps] == ["delete-mailbox"]
    assert plan.plan.note == "asked before, and must say again that it is so: hr"
    assert leaver.vendor.asked == []
    assert leaver.row().state is HintState.SETTLED


def test_a_dry_run_asks_nobody(leaver: Leaver) -> None:
    """What is only shown needs no agreement."""
    leaver.office.execution = replace(leaver.office.execution, dry_run=True)
    leaver.let(30 * DAY)

    assert leaver.vendor.asked == []
    assert leaver.job().state is JobState.HELD


def test_a_source_that_cannot_be_asked_is_taken_at_its_word(leaver: Leaver) -> None:
    """Without `hydrate` the stored events decide alone."""
    leaver.office.execution = replace(leaver.office.execution, askable=())
    leaver.let(30 * DAY)

    assert leaver.vendor.asked == []
    assert leaver.office.mailboxes() == {}
