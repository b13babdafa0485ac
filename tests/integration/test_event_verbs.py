"""What operators do with events: list them, try parked ones again, give them up, take back what came of them."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Barrier, Thread

import pytest

from tests.integration.office import DAY, Office
from tests.integration.shell import Shell, beside
from worker.bell import SilentBell
from worker.execution import event_verbs
from worker.execution.undo import undo_event
from worker.execution.verbs import NoSuchEvent, NotAllowedNow, VerbRefused
from worker.intake import Receipt, apply_next, retry_parked
from worker.sandbox import RunningSandbox
from worker.store import figures, inbox
from worker.store.audit import latest_acts
from worker.store.database import Database
from worker.store.states import EventState

on_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
BROKEN = "update records set document = '[1]' where subject = 'E1'"


@pytest.fixture
def office(database: Database, sandbox: RunningSandbox) -> Iterator[Office]:
    """A deployment with a policy and Ada, who works there."""
    with closing(Office(database, sandbox)) as opened:
        opened.employ("Ada Lovelace", department="Support")
        yield opened


@pytest.fixture
def shell(office: Office, migrated_url: str, tmp_path: Path) -> Shell:
    """A shell beside the office."""
    return beside(office, migrated_url, tmp_path)


def _retry(office: Office, event_id: int) -> None:
    event_verbs.retry(office.database, office.clock, SilentBell(), event_id, "cli:ada")


def _dismiss(office: Office, event_id: int, reason: str = "told twice") -> None:
    event_verbs.dismiss(office.database, office.clock, event_id, "cli:ada", reason=reason)


def _sound(office: Office) -> str:
    """Return what is known of Ada, as the database has it."""
    with office.database.read() as session:
        known = session.connection().exec_driver_sql("select document from records").scalar_one()
    return known if isinstance(known, str) else json.dumps(known)


def _mend(office: Office, sound: str) -> None:
    office.execute("update records set document = :sound where subject = 'E1'", sound=sound)


def _parked(office: Office, **facts: object) -> tuple[Receipt, str]:
    """Have an event parked by broken data; returns it, and what mends its person."""
    sound = _sound(office)
    office.execute(BROKEN)
    poisoned = office.tell("renamed", "E1", **(facts or {"givenName": "Augusta"}))
    office.work_on(DAY / 12)
    return poisoned, sound


def _state(office: Office, event_id: int) -> EventState:
    return next(row.state for row in office.events() if row.id == event_id)


@on_sqlite
def test_poison_is_tried_five_times_shown_everywhere_and_applied_when_mended(office: Office, shell: Shell) -> None:
    """An event that cannot be applied does not loop; whoever looks finds it; retried, it has all it came with."""
    poisoned, sound = _parked(office)
    assert not apply_next(office.intake)  # nothing is tried any more
    listed = shell.run("events", "list", "--state", "parked", "--json").document
    shown = shell.run("events", "show", str(poisoned.id))
    doctor = shell.run("doctor").out
    with office.database.read() as session:
        assert figures.read_figures(session).events_parked == 1  # which is what /api/v1/status shows

    assert [(each["id"], each["failures"]) for each in listed["events"]] == [(str(poisoned.id), 5)]
    assert f"events retry {poisoned.id}" in shown.out
    assert '"givenName": "Augusta"' in shown.out
    assert shown.code == 3
    assert f"1 could not be applied and is parked: {poisoned.id}\n" in doctor
    assert "mailroster events list --state parked" in doctor

    _mend(office, sound)
    retried = shell.run("events", "retry", str(poisoned.id))
    office.drain()

    assert (retried.code, retried.out) == (
        0,
        f"event {poisoned.id} is accepted, and is applied as soon as a worker is free\n",
    )
    assert _state(office, poisoned.id) is EventState.APPLIED
    assert office.mailboxes()["ada.lovelace"]["name"] == "Augusta Lovelace"
    with office.database.read() as session:
        (act,) = latest_acts(session)
    assert (act.act, act.target, act.detail) == (
        "event.retry",
        f"event {poisoned.id}",
        {"from": "parked", "failures": 5},
    )


def test_event_that_is_retried_too_early_is_parked_again(office: Office) -> None:
    """Where the cause stands, the event is tried five times more, and not for ever."""
    poisoned, _ = _parked(office)

    _retry(office, poisoned.id)
    office.work_on(DAY / 12)

    (row,) = [row for row in office.events() if row.id == poisoned.id]
    assert (row.state, row.failures) == (EventState.PARKED, 5)


def test_event_that_waits_after_a_failure_is_tried_at_once(office: Office) -> None:
    """An operator who mended the cause need not wait for the pause to end."""
    sound = _sound(office)
    office.execute(BROKEN)
    poisoned = office.tell("renamed", "E1", givenName="Augusta")
    office.apply_all()
    _mend(office, sound)

    _retry(office, poisoned.id)
    office.apply_all()

    assert _state(office, poisoned.id) is EventState.APPLIED


def test_dismissed_event_counts_nowhere_and_may_come_back(office: Office, shell: Shell) -> None:
    """No worker's start, no refolding and no repetition revives it; an operator does, and it has all it came with."""
    poisoned, sound = _parked(office, familyName="King")
    dismissed = shell.run("events", "dismiss", str(poisoned.id), "--reason", "a test of the sender")
    _mend(office, sound)

    again = retry_parked(office.intake)
    office.tell("left", "E1", lastWorkingDay="2026-03-01")
    office.work_on(40 * DAY, every=DAY)  # its stages fold the stored events anew
    boxes = office.mailboxes()
    with office.database.read() as session:
        acts = latest_acts(session)
        (row,) = inbox.page(session, [EventState.DISMISSED], after=0, limit=9)
        assert figures.read_figures(session).events_parked == 0

    assert (dismissed.code, dismissed.out, again) == (0, f"event {poisoned.id} is dismissed\n", 0)
    assert (row.id, row.reason) == (poisoned.id, "a test of the sender")
    assert [(act.act, act.detail["from"]) for act in acts] == [("event.dismiss", "parked")]
    assert boxes.get("ada.lovelace", {"name": "Ada Lovelace"})["name"] == "Ada Lovelace"
    assert office.tell("renamed", "E1", id=row.ce_id, time=row.time, familyName="King").duplicate

    _retry(office, poisoned.id)
    office.apply_all()
    assert _state(office, poisoned.id) is EventState.APPLIED


def test_event_of_somebody_who_was_erased_meanwhile_stays_nobodys(office: Office) -> None:
    """A dismissed event is emptied with its person, and there is nothing left to try again."""
    poisoned, sound = _parked(office)
    _mend(office, sound)
    _dismiss(office, poisoned.id, "it names Ada")
    office.tell("left", "E1")
    office.tell("purged", "E1")
    office.work_on(400 * DAY, every=10 * DAY)

    (row,) = [row for row in office.events() if row.id == poisoned.id]
    assert (row.state, row.document, row.subject) == (EventState.APPLIED, {}, None)
    assert "Ada" not in str(row.reason)


REFUSALS = {
    "accepted": ("as soon as a worker is free", "only a parked one can be given up"),
    "applied": ("`mailroster events replay`", "`mailroster events undo 2`"),
    "rejected": ("`mailroster sources replay hr`", "counts nowhere already"),
    "dismissed": (None, "counts nowhere already"),
    "parked": (None, None),
}


@on_sqlite
@pytest.mark.parametrize("state", EventState)
def test_what_may_not_be_done_is_refused_with_what_may(office: Office, state: EventState) -> None:
    """Each refusal names the state and the verb for it, and leaves no line in the audit."""
    told = office.tell("renamed", "E1", givenName="Augusta")
    for verb, said in zip((_retry, _dismiss), REFUSALS[state.value], strict=True):
        office.execute("update events set state = :state where id = :id", state=state.value, id=told.id)
        if said is None:
            verb(office, told.id)
            continue
        with office.database.read() as session:
            before = len(latest_acts(session))
        with pytest.raises(NotAllowedNow, match=f"^event 2 is {state}: ") as refused:
            verb(office, told.id)

        assert said in str(refused.value)
        with office.database.read() as session:
            assert len(latest_acts(session)) == before


@on_sqlite
def test_an_event_that_is_not_there_is_told(office: Office, shell: Shell) -> None:
    """One sentence and exit code 1."""
    with pytest.raises(NoSuchEvent):
        _retry(office, 99)
    ran = [shell.run("events", verb, "99") for verb in ("show", "undo")]

    assert [(each.code, each.err.strip()) for each in ran] == [(1, "mailroster: there is no event 99")] * 2


@on_sqlite
def test_undoing_an_event_undoes_the_job_that_came_of_it(office: Office, shell: Shell) -> None:
    """A departure that was told by mistake is taken back by the number of its event."""
    left = office.tell("left", "E1")
    office.drain()
    assert not office.doors("ada.lovelace")["send"]
    job = office.job_of(1)
    shown = shell.run("events", "show", str(left.id)).out

    undone = shell.run("events", "undo", str(left.id))
    office.drain()

    assert f"job {job.id} came of it, which is done" in shown
    assert undone.code == 0
    assert "person.leaving_cancelled" in undone.out
    assert office.doors("ada.lovelace")["send"]
    with pytest.raises(NotAllowedNow, match="undone already"):
        undo_event(office.intake, left.id, "cli:ada")


def test_undoing_a_move_between_groups_goes_by_the_job_of_the_address(office: Office) -> None:
    """Whoever only moved has no job of their own: the event is undone by the job that wrote the list."""
    moved = office.tell("updated", "E1", department="Engineering")
    office.drain()
    assert office.aliases() == {"engineering": {"ada.lovelace"}}

    undo_event(office.intake, moved.id, "cli:ada")
    office.drain()

    assert office.aliases() == {"support": {"ada.lovelace"}}


@on_sqlite
@pytest.mark.parametrize(
    ("state", "said"),
    [("accepted", "nothing came of it yet"), ("parked", "events dismiss"), ("dismissed", "events retry")],
)
def test_there_is_nothing_to_undo_of_what_was_never_applied(office: Office, state: str, said: str) -> None:
    """The refusal names the verb that fits."""
    told = office.tell("renamed", "E1", givenName="Augusta")
    office.execute("update events set state = :state where id = :id", state=state, id=told.id)

    with pytest.raises(NotAllowedNow, match=said):
        undo_event(office.intake, told.id, "cli:ada")


@on_sqlite
def test_an_event_that_changed_nothing_has_nothing_to_undo(office: Office) -> None:
    """It made no job, and the job of a later event is not undone for it."""
    same = office.tell("updated", "E1", title="x")
    office.drain()
    office.move(DAY)
    office.tell("suspended", "E1")
    office.drain()

    with pytest.raises(NotAllowedNow, match="no job came of it"):
        undo_event(office.intake, same.id, "cli:ada")


def test_retry_and_dismissal_at_once_end_as_one_of_them_did(office: Office) -> None:
    """Operators and a worker at the same event: one verb is refused, or both came one after the other."""
    poisoned, sound = _parked(office)
    _mend(office, sound)
    start, refused = Barrier(3), []

    def act(verb: object) -> None:
        start.wait()
        try:
            verb(office, poisoned.id)  # type: ignore[operator]
        except VerbRefused as error:
            refused.append(str(error))

    def work() -> None:
        start.wait()
        office.apply_all()

    threads = [Thread(target=act, args=(_retry,)), Thread(target=act, args=(_dismiss,)), Thread(target=work)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    office.drain()

    state = _state(office, poisoned.id)
    assert state in (EventState.APPLIED, EventState.DISMISSED)
    assert len(refused) <= 1
    applied = office.mailboxes()["ada.lovelace"]["name"] == "Augusta Lovelace"
    assert applied == (state is EventState.APPLIED)


@on_sqlite
def test_lists_go_in_pages_and_are_plain_lines(office: Office, shell: Shell) -> None:
    """A page says what to ask for next; states narrow it; without a terminal nothing is framed."""
    for number in range(2, 7):
        office.tell("updated", f"E{number}", title="x")
    office.execute("update events set state = 'parked', reason = 'why' where id in (3, 5)")
    first = shell.run("events", "list", "--limit", "2", "--json").document
    second = shell.run("events", "list", "--after", first["next"], "--json").document
    parked = shell.run("events", "list", "--state", "parked", "--state", "applied", "--limit", "2")

    assert [each["id"] for each in first["events"]] == ["1", "2"]
    assert ([each["id"] for each in second["events"]], second["next"]) == (["3", "4", "5", "6"], None)
    rows = [line.split() for line in parked.out.splitlines()]
    assert rows[0] == ["ID", "SOURCE", "TYPE", "SUBJECT", "RECEIVED", "STATE", "WHY"]
    assert [row[0] for row in rows[1:3]] == ["1", "3"]
    assert parked.out.endswith("There are more: --after 3\n")
    assert not set("\x1b\t│┃━─") & set(parked.out)
