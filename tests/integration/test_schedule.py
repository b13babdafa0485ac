"""The schedule: what will come, in order, in each person's zone, and what `why` tells of it."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.office import DAY, MONDAY, POLICY, Office
from tests.integration.shell import Shell, beside, event, lines
from worker.execution.undo import undo
from worker.policy import Policy, load_policy
from worker.store.policies import active_policy
from worker.store.schedule import Coming, coming

YEAR = timedelta(days=365)


def _coming(office: Office, until: timedelta = YEAR) -> list[Coming]:
    with office.database.read() as session:
        active = active_policy(session)
        assert active is not None
        policy: Policy = load_policy(active[1])
        now = office.clock.now()
        return list(coming(session, policy, office.intake.precedence, now, now + until))


def test_schedule_tells_everybody_in_order(office: Office) -> None:
    """All changes of all people come sorted by their instants, those after the end left out."""
    office.employ("Ada Lovelace", "Grace Hopper", "Alan Turing")
    office.tell("left", "E1", lastWorkingDay="2026-03-10")
    office.tell("left", "E2", lastWorkingDay="2026-03-31", timezone="Asia/Tokyo")
    office.join("E4", "Mary Jackson", hireDate="2026-03-20")
    office.drain()

    told = _coming(office)

    assert [(each.name, each.change.step) for each in told] == [
        ("Ada Lovelace", "block"),
        ("Mary Jackson", "create-mailbox"),
        ("Grace Hopper", "block"),
        ("Ada Lovelace", "delete-mailbox"),
        ("Grace Hopper", "delete-mailbox"),
    ]
    assert [each.change.at for each in told] == sorted(each.change.at for each in told)
    assert told[2].zone.key == "Asia/Tokyo"
    assert told[2].change.at.isoformat() == "2026-03-31T15:00:00+00:00"
    assert told[0].change.undoable_until == told[3].change.at
    assert told[1].change.undoable_until is None
    assert [each.name for each in _coming(office, 10 * DAY)] == ["Ada Lovelace"]


def test_many_people_are_told_page_by_page(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the pages are, everybody comes once and in order, also where many change at one instant."""
    monkeypatch.setattr("worker.store.schedule._PAGE", 2)
    for number in range(7):
        office.join(f"E{number}", f"Ada {'ABCDEFG'[number]}", hireDate=f"2026-04-{10 + number % 3}")
    office.drain()

    told = _coming(office)

    assert sorted(each.person_id for each in told) == list(range(1, 8))
    assert [each.change.at for each in told] == sorted(each.change.at for each in told)


def test_what_is_due_and_not_made_yet_comes_first(office: Office) -> None:
    """While nobody works, a departure that has passed stays in the schedule."""
    office.employ("Ada Lovelace")
    office.tell("left", "E1", lastWorkingDay="2026-03-10")
    office.drain()
    office.move(20 * DAY)

    first, second = _coming(office)

    assert (first.change.step, second.change.step) == ("block", "delete-mailbox")
    assert first.change.at < office.clock.now() < second.change.at


def test_row_knows_until_when_all_can_be_undone(office: Office) -> None:
    """Evaluation notes when the first irreversible change comes, moves it with the facts, and forgets it."""
    office.employ("Ada Lovelace")
    assert office.people()[0].irreversible_at is None

    office.tell("left", "E1")
    office.drain()
    assert office.people()[0].irreversible_at == MONDAY + 30 * DAY

    office.move(DAY)
    office.tell("leaving_cancelled", "E1")
    office.drain()
    assert office.people()[0].irreversible_at is None


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell with a policy, a database and the clock of a day after the shell's events."""
    shell = Shell(tmp_path, {"MAILROSTER_MIGADU_URL": "http://127.0.0.1:9/v1"})
    assert shell.run("init").code == 0
    shell.write("policy.toml", '[organisation]\ndomain = "example.org"\ntimezone = "Europe/Berlin"\n')
    return shell


def test_command_needs_a_policy(shell: Shell) -> None:
    """Before a worker activated a policy nothing can be foretold, and the command says so."""
    assert shell.run("db", "upgrade").code == 0
    assert shell.run("submit", "-", stdin=lines(event(1, "person.joined", "E1", givenName="Ada"))).code == 0

    ran = shell.run("schedule")

    assert ran.code == 1
    assert "no policy is active yet" in ran.err
    assert ran.out == ""


def test_command_and_why_tell_the_same(office: Office, migrated_url: str, tmp_path: Path) -> None:
    """Both tell each change in the person's zone and in UTC, and until when it can be undone."""
    office.employ("Ada Lovelace")
    office.tell("left", "E1", lastWorkingDay="2026-03-10", timezone="Europe/London")
    office.drain()
    shell = beside(office, migrated_url, tmp_path)

    told = shell.run("schedule", "--days", "60", "--json").document["changes"]
    assert [(each["person"], each["zone"], each["step"], each["irreversible"]) for each in told] == [
        ("1", "Europe/London", "block", False),
        ("1", "Europe/London", "delete-mailbox", True),
    ]
    assert [(each["at"], each["local"]) for each in told] == [
        ("2026-03-11T00:00:00Z", "2026-03-11T00:00:00+00:00"),
        ("2026-04-09T23:00:00Z", "2026-04-10T00:00:00+01:00"),
    ]
    assert {each["undoableUntil"] for each in told} == {"2026-04-09T23:00:00Z"}
    assert "2026-04-10 00:00 Europe/London" in shell.run("schedule").out
    assert "block" not in shell.run("schedule", "--days", "5").out

    ahead = shell.run("why", "E1", "--json").document["schedule"]
    assert ahead == [{name: each[name] for name in ahead[0]} for each in told]
    said = shell.run("why", "E1").out
    assert "2026-03-11 00:00 Europe/London: block; can be undone until 2026-04-10 00:00 Europe/London" in said
    assert "2026-04-10 00:00 Europe/London: delete-mailbox; cannot be undone" in said


def test_why_tells_what_is_held_before_what_comes(office: Office, migrated_url: str, tmp_path: Path) -> None:
    """Somebody whose block waits for a person is not said to change by time alone; what cannot end has no end."""
    office.activate(POLICY + '[brakes]\nblock = { floor = 0, share = 0.0, per = "24h" }\n')
    office.employ("Ada Lovelace")
    office.tell("updated", "E1", title=None)
    office.tell("left", "E1", lastWorkingDay="2026-03-01")
    office.join("E2", "Mary Jackson", hireDate="2026-03-20")
    office.drain()
    shell = beside(office, migrated_url, tmp_path)

    held, joiner = shell.run("why", "E1"), shell.run("why", "E2")

    assert (held.code, joiner.code) == (3, 0)
    assert f"Next: job {office.job_of(1).id} is held and needs a person.\n" in held.out
    assert "  title: nothing\n" in held.out
    assert "managesieve: false -> false" not in held.out
    assert "create-mailbox; can be undone without end" in joiner.out


def test_why_foretells_nothing_after_a_block_that_was_dismissed(
    office: Office, migrated_url: str, tmp_path: Path
) -> None:
    """A deletion follows a block that was confirmed, and none is to come: that is said, and what brings it about."""
    office.activate(POLICY + '[brakes]\nblock = { floor = 0, share = 0.0, per = "24h" }\n')
    office.employ("Ada Lovelace")
    office.tell("left", "E1", lastWorkingDay="2026-03-01")
    office.drain()
    shell, held = beside(office, migrated_url, tmp_path), office.job_of(1).id
    assert "delete-mailbox; cannot be undone" in shell.run("why", "E1").out
    shell.run("jobs", "dismiss", str(held))

    said = shell.run("why", "E1")

    assert "delete-mailbox" not in said.out
    assert f"Next: nothing changes by time alone. Job {held} was dismissed" in said.out
    assert f"`mailroster jobs retry {held}`" in said.out
    assert shell.run("why", "E1", "--json").document["schedule"] == []
    assert shell.run("schedule", "--json").document["changes"] == []


def test_why_tells_what_is_done_just_now_and_what_was_taken_back(
    office: Office, migrated_url: str, tmp_path: Path
) -> None:
    """While a job is under way it is not said that nothing changes; what an undo withdrew is told by its event."""
    office.employ("Ada Lovelace")
    office.tell("left", "E1", lastWorkingDay="2026-03-01", id="leave-1")
    office.drain()
    undo(office.intake, office.job_of(1).id, "cli:root")
    office.apply_all()
    shell = beside(office, migrated_url, tmp_path)

    said = shell.run("why", "E1").out

    assert f"Now: job {office.job_of(1).id} is queued\n" in said
    assert "  takes back the lastWorkingDay of event leave-1 of urn:example:hr\n" in said
    office.drain()
    assert "Now: " not in shell.run("why", "E1").out
