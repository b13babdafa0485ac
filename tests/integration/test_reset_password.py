"""A fresh password: shown once, kept nowhere, set in the lane, and refused for whoever may not get in."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.integration.office import DAY, POLICY, Office
from tests.integration.shell import beside
from worker.execution.passwords import PasswordUnknown, reset_password
from worker.execution.verbs import NotAllowedNow, VerbRefused
from worker.mail import Address
from worker.migadu import Transient
from worker.store import jobs, leases
from worker.store.audit import latest_acts
from worker.store.states import JobState
from worker.store.subjects import Subject, SubjectKind

FRESH = "fresh-0123456789-never-kept"
PUT = {"match": {"method": "PUT", "path": "/v1/domains/*/mailboxes/*"}, "times": 1}
TABLES = ("events", "people", "records", "addresses", "jobs", "steps", "attempts", "audit", "undos", "merges")


@pytest.fixture
def office(office: Office) -> Office:
    """An office in which Ada works, and in which passwords that are made from now on are known to the test."""
    office.employ("Ada Lovelace")
    office.execution = replace(office.execution, random_password=lambda: FRESH)
    return office


def _reset(office: Office, person_id: int = 1) -> str:
    return reset_password(office.execution, person_id, actor="cli:ada").password


def _everything(office: Office) -> str:
    with office.database.read() as session:
        return repr([session.execute(text(f"select * from {table}")).all() for table in TABLES])


def test_password_is_set_and_kept_nowhere(office: Office) -> None:
    """One call sets it; ledger, attempts and audit say that it was done and hold a placeholder."""
    before = len(office.writes())

    assert _reset(office) == FRESH

    assert office.writes()[before:] == [("PUT", "mailboxes/ada.lovelace")]
    assert office.bodies("PUT", "mailboxes/ada.lovelace") == [{"password": "[redacted]"}]
    assert office.ledger()[-1] == ("reset-password", "confirmed")
    assert office.steps()[-1].after == {"password": "(random)"}
    assert (office.jobs()[-1].state, office.jobs()[-1].reason) == (JobState.DONE, "an operator set a new password")
    assert FRESH not in _everything(office)
    with office.database.read() as session:
        act = latest_acts(session, 1)[0]
    assert (act.actor, act.act, act.target) == ("cli:ada", "person.reset-password", "person 1")


def test_return_after_a_block_ends_with_it(office: Office) -> None:
    """Who is back after a block gets a password, and nothing says any more that one is needed."""
    office.tell("left", "E1")
    office.drain()
    with pytest.raises(NotAllowedNow, match="is blocked"):
        _reset(office)
    office.move(DAY)
    office.tell("leaving_cancelled", "E1")
    office.apply_all()

    _reset(office)
    office.drain()

    assert office.mailboxes()["ada.lovelace"]["may_send"]
    assert [step for step, state in office.ledger() if state == "confirmed"][-2:] == [
        "reset-password",
        "reopen-mailbox",
    ]
    assert office.jobs()[-1].reason is None
    assert office.outstanding() == []


def _suspended(office: Office) -> None:
    office.tell("suspended", "E1")
    office.drain()


def _deleted(office: Office) -> None:
    office.tell("left", "E1")
    office.work_on(32 * DAY, every=DAY)


def _foreign(office: Office) -> None:
    office.execute("update addresses set provenance = 'foreign'")


def _protected(office: Office) -> None:
    office.activate(POLICY + '[naming]\nprotected = ["ada.lovelace"]\n')


def _dry(office: Office) -> None:
    office.execution = replace(office.execution, dry_run=True)


def _busy(office: Office) -> None:
    office.tell("updated", "E1", familyName="King")
    office.apply_all()
    with office.database.write() as session:
        assert leases.claim(session, worker="x", lease=DAY, now=office.clock.now(), least_urgent=9) is not None


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_suspended, "suspended"),
        (_deleted, "has no mailbox"),
        (_foreign, "not ours"),
        (_protected, "protected"),
        (_dry, "dry run"),
        (_busy, "a worker is at"),
    ],
)
def test_refused_with_a_sentence(office: Office, make: Callable[[Office], None], said: str) -> None:
    """Whoever may not get in gets no password, and nothing is called."""
    make(office)
    before = office.calls()

    with pytest.raises(NotAllowedNow, match=said):
        _reset(office)

    assert office.calls() == before


def test_nobody_is_refused(office: Office) -> None:
    """An id of nobody is told as that."""
    with pytest.raises(VerbRefused, match="there is no person 99"):
        _reset(office, 99)


@pytest.mark.parametrize("fault", ["drop-before-apply", "drop-after-apply", "504-after-apply"])
def test_without_an_answer_it_must_be_repeated(office: Office, fault: str) -> None:
    """A password whose answer is missing is shown to nobody; repeated after the deadline, the next one holds."""
    office.fail(PUT | {"fault": fault})

    with pytest.raises(PasswordUnknown, match="repeat this after"):
        _reset(office)
    assert office.ledger()[-1] == ("reset-password", "unknown")
    with pytest.raises(NotAllowedNow, match="may still arrive"):
        _reset(office)
    office.move(DAY)

    assert _reset(office) == FRESH
    office.drain()
    assert office.outstanding() == []
    assert office.ledger()[-1] == ("reset-password", "confirmed")


def test_worker_ends_what_no_operator_repeats(office: Office) -> None:
    """Where nobody repeats it the next run finds nothing to do, and makes no password up."""
    office.fail(PUT | {"fault": "drop-before-apply"})
    with pytest.raises(PasswordUnknown):
        _reset(office)
    writes = len(office.writes())

    office.work_on(DAY, every=DAY / 4)

    assert office.outstanding() == []
    assert len(office.writes()) == writes
    assert office.ledger()[-1] == ("reset-password", "superseded")


def test_host_that_is_down_changes_nothing(office: Office) -> None:
    """A failure that certainly did nothing is told, and the lane is free at once."""
    office.fail({"match": {"method": "PUT"}, "times": 9, "fault": "503"})

    with pytest.raises(Transient):
        _reset(office)
    office.fail()

    assert office.outstanding() == []
    assert _reset(office) == FRESH


def test_job_that_waits_is_found_as_it_was(office: Office) -> None:
    """A job that is held for a person stays held for the same reason, beside the password that was set."""
    office.execute(
        "update jobs set state = 'held', finished_at = null, reason = 'somebody must look' where person_id = 1"
    )

    _reset(office)

    assert office.outstanding() == [("person", "held", "somebody must look")]


def test_lane_is_one(office: Office) -> None:
    """Two who take a lane at the same time cannot both have it."""
    with office.database.write() as session:
        subject = Subject(SubjectKind.PERSON, "1")
        jobs.refresh(session, subject, urgency=1, now=office.clock.now())
        leases.claim(session, worker="x", lease=DAY, now=office.clock.now(), least_urgent=9)

    with pytest.raises(NotAllowedNow, match=re.escape("ada.lovelace@example.org")):
        _reset(office)


def test_command_shows_it_once(office: Office, migrated_url: str, tmp_path: Path) -> None:
    """The terminal shows address and password, JSON the same, the log neither; a refusal is one sentence."""
    shell = beside(office, migrated_url, tmp_path)

    shown = shell.run("people", "reset-password", "Ada Lovelace")
    assert (shown.code, shown.err) == (0, "")
    password = shown.out.splitlines()[1]
    assert len(password) > 30
    told = shell.run("people", "reset-password", "E1", "--json")
    assert (told.document["person"], told.document["address"]) == ("1", Address("ada.lovelace@example.org"))

    kept = _everything(office)
    assert password not in kept
    assert told.document["password"] not in kept + json.dumps(office.calls())
    office.tell("suspended", "E1")
    office.drain()
    refused = shell.run("people", "reset-password", "E1")
    assert (refused.code, refused.out) == (1, "")
    assert "is suspended" in refused.err
