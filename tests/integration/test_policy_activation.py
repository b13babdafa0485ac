"""Putting a policy into force: what would block or delete beyond the brakes by itself waits for somebody's approval."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier

import pytest

from tests.integration.office import DAY, Office
from worker.bell import SilentBell
from worker.execution import sweep_once, verbs
from worker.execution.verbs import NotAllowedNow
from worker.intake import admit
from worker.policy import load_policy
from worker.sandbox import RunningSandbox
from worker.store.database import Database
from worker.store.holds import Hold, HoldState, find_hold, list_holds
from worker.store.policies import active_policy

NAMES = tuple(f"Ada {letter}" for letter in "ABCDEFGH")
PATIENT = """
[organisation]
domain = "example.org"

[leaving]
[[leaving.stages]]
after = "90d"
do = ["block"]
[[leaving.stages]]
after = "120d"
do = ["delete-mailbox"]

[brakes]
block = { floor = 2, share = 0.0, per = "24h" }
delete = { floor = 1, share = 0.0, per = "24h" }
lists = { floor = 1, share = 0.0, per = "24h" }
"""
GROUPS = "".join(
    f'\n[[groups]]\naddress = "{team}"\nmembers = {{ department = "{team}" }}\n' for team in ("red", "green", "blue")
)
AT_ONCE = PATIENT.replace('"90d"', '"0d"')
SOONER = PATIENT.replace('"90d"', '"2d"').replace('"120d"', '"3d"')


@pytest.fixture
def office(database: Database, sandbox: RunningSandbox) -> Iterator[Office]:
    """A deployment whose leavers keep their mailbox for months, with eight people."""
    with closing(Office(database, sandbox, policy=None)) as opened:
        admit(opened.intake, PATIENT)
        opened.employ(*NAMES)
        yield opened


def _leave(office: Office, *numbers: int) -> None:
    for number in numbers:
        office.tell("left", f"E{number}")
    office.drain()


def _blocked(office: Office) -> int:
    return sum(not box["may_send"] for box in office.mailboxes().values())


def _in_force(office: Office) -> str:
    with office.database.read() as session:
        active = active_policy(session)
    assert active is not None
    return active[0]


def _decided(office: Office, hold_id: int) -> Hold:
    with office.database.read() as session:
        hold = find_hold(session, hold_id)
    assert hold is not None
    return hold


def _approve(office: Office, hold: Hold, plan: str | None = None) -> int:
    return verbs.approve_hold(
        office.database, office.clock, SilentBell(), hold.id, "test", plan=hold.hash if plan is None else plan
    )


def test_the_first_policy_comes_into_force_at_once(database: Database, sandbox: RunningSandbox) -> None:
    """An empty deployment has nothing that a policy could take away from."""
    with closing(Office(database, sandbox, policy=None)) as office:
        admission = admit(office.intake, AT_ONCE)

        assert admission.kept_out is None
        assert _in_force(office) == load_policy(AT_ONCE).hash


def test_a_policy_that_takes_nothing_away_comes_into_force_at_once(office: Office) -> None:
    """Other defaults, and blocks within what the brakes allow, need nobody."""
    _leave(office, 1, 2)

    assert admit(office.intake, AT_ONCE + GROUPS).kept_out is None
    office.drain()

    assert _blocked(office) == 2
    with office.database.read() as session:
        assert list_holds(session) == []


def test_a_policy_that_blocks_beyond_the_brake_is_held(office: Office) -> None:
    """The policy before stays in force, nobody is blocked, and the hold says what was counted."""
    _leave(office, *range(1, 8))

    admission = admit(office.intake, AT_ONCE)
    office.drain()

    hold = office.hold()
    assert hold.policy is not None
    assert (hold.policy.policy, hold.policy.in_force) == (load_policy(AT_ONCE).hash, load_policy(PATIENT).hash)
    assert str(hold.policy) == "would block 7 of 8 mailboxes: allowed 2"
    assert admission.in_force.hash == _in_force(office) == load_policy(PATIENT).hash
    assert str(hold.policy) in str(admission.kept_out)
    assert _blocked(office) == 0


def test_the_hold_outlives_sweeps_restarts_and_workers_that_start_together(office: Office) -> None:
    """Four that start at once with one file make one hold; so does each restart, and no sweep lets it lapse."""
    _leave(office, *range(1, 8))
    together = Barrier(4)

    def start(_: int) -> None:
        together.wait(timeout=10)
        admit(office.intake, AT_ONCE)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(start, range(4)))
    first = office.hold()
    sweep_once(office.execution, 1)
    admit(office.intake, AT_ONCE)

    with office.database.read() as session:
        assert [hold.id for hold in list_holds(session, None)] == [first.id]
    assert office.hold().hash == first.hash
    assert _in_force(office) == load_policy(PATIENT).hash


def test_approval_puts_the_policy_into_force_and_the_brakes_still_count(office: Office) -> None:
    """With the hash that was seen the policy comes into force; its blocks are counted as any others are."""
    _leave(office, *range(1, 8))
    admit(office.intake, AT_ONCE)
    hold = office.hold()
    with pytest.raises(NotAllowedNow):
        _approve(office, hold, "0" * 64)
    assert _in_force(office) == load_policy(PATIENT).hash

    assert _approve(office, hold) == 0
    office.drain()

    assert _in_force(office) == load_policy(AT_ONCE).hash
    assert _decided(office, hold.id).state is HoldState.APPROVED
    assert _blocked(office) == 2
    braked = office.hold()
    assert braked.brake == "block"
    assert len(braked.job_ids) == 5
    assert admit(office.intake, AT_ONCE).kept_out is None


def test_other_counts_are_another_hash(office: Office) -> None:
    """When more people leave meanwhile, a worker that starts counts anew, and the old hash approves nothing."""
    _leave(office, *range(1, 5))
    admit(office.intake, AT_ONCE)
    seen = office.hold()
    _leave(office, 5)
    admit(office.intake, AT_ONCE)

    with pytest.raises(NotAllowedNow, match="changed since you looked"):
        _approve(office, seen)
    assert office.hold().id == seen.id


def test_rejection_keeps_the_policy_out(office: Office) -> None:
    """Workers that start with the rejected file ask nobody again, and say so; another file is another question."""
    _leave(office, *range(1, 8))
    admit(office.intake, AT_ONCE)
    hold = office.hold()
    verbs.reject_hold(office.database, office.clock, SilentBell(), hold.id, "test")

    admission = admit(office.intake, AT_ONCE)

    assert _in_force(office) == admission.in_force.hash == load_policy(PATIENT).hash
    assert f"it was rejected (hold {hold.id})" in str(admission.kept_out)
    with office.database.read() as session:
        assert list_holds(session) == []
    assert admit(office.intake, AT_ONCE.replace('"0d"', '"1d"')).kept_out is None
    assert admit(office.intake, PATIENT).kept_out is None


def test_a_held_policy_lapses_when_the_file_is_taken_back(office: Office) -> None:
    """A file that is again what is in force, or that is harmless now, leaves nothing to decide."""
    _leave(office, *range(1, 8))
    admit(office.intake, AT_ONCE)
    first = office.hold()

    assert admit(office.intake, PATIENT).kept_out is None

    assert _decided(office, first.id).state is HoldState.LAPSED
    with pytest.raises(NotAllowedNow):
        _approve(office, first)

    admit(office.intake, AT_ONCE)
    second = office.hold()
    for number in range(1, 8):
        office.tell("leaving_cancelled", f"E{number}")
    office.move(DAY)
    office.drain()
    assert admit(office.intake, AT_ONCE).kept_out is None
    assert _decided(office, second.id).state is HoldState.LAPSED


def test_deletions_and_lists_count_too(office: Office) -> None:
    """Mailboxes that would go, and shared addresses that would, are counted by their own brakes."""
    admit(office.intake, SOONER + GROUPS)
    for number, team in enumerate(("red", "green", "blue", "red"), 1):
        office.tell("updated", f"E{number}", department=team)
    office.drain()
    assert set(office.aliases()) == {"red", "green", "blue"}

    admission = admit(office.intake, SOONER)
    assert "would delete 3 of 3 lists: allowed 1" in str(admission.kept_out)
    office.activate(SOONER.replace('"3d"', '"99d"') + GROUPS)

    _leave(office, 7, 8)
    office.move(3 * DAY)
    office.drain()
    office.move(2 * DAY)
    admission = admit(office.intake, SOONER + GROUPS)

    assert "would delete 2 of 8 mailboxes: allowed 1" in str(admission.kept_out)
    assert len(office.mailboxes()) == 8


def test_lists_that_are_dropped_and_protected_do_not_count(office: Office) -> None:
    """They stay as they are, and so does a rewrite that takes mail of what is protected."""
    rewrite = '\n[[rewrites]]\nname = "calls"\nlocal_part_rule = "r*d"\nmembers = { department = "red" }\n'
    admit(office.intake, PATIENT + GROUPS + rewrite)
    for number, team in enumerate(("red", "green", "blue"), 1):
        office.tell("updated", f"E{number}", department=team)
    office.drain()
    before = office.mail_state()
    assert len(office.aliases()) == 3

    kept_out = admit(office.intake, PATIENT + '\n[naming]\nprotected = ["red"]\n').kept_out
    assert "would delete 2 of 4 lists: allowed 1" in str(kept_out)
    admission = admit(office.intake, PATIENT + '\n[naming]\nprotected = ["red", "green", "blue"]\n')
    office.drain()

    assert admission.kept_out is None
    assert office.mail_state() == before
    assert office.outstanding() == []


def test_a_policy_that_closes_every_door_is_counted_as_a_block(office: Office) -> None:
    """Defaults that let nobody in keep people out as a block does."""
    closed = PATIENT + "".join(
        ["\n[mailbox]\n"]
        + [f"may_{door} = false\n" for door in ("send", "access_imap", "access_pop3", "access_managesieve")]
    )

    assert "would block 8 of 8 mailboxes: allowed 2" in str(admit(office.intake, closed).kept_out)


def test_the_brakes_of_the_policy_in_force_count(office: Office) -> None:
    """A policy does not let itself in by what it says of brakes."""
    _leave(office, *range(1, 8))

    admission = admit(office.intake, AT_ONCE.replace("floor = 2, share = 0.0", "floor = 99, share = 1.0"))

    assert "would block 7 of 8 mailboxes: allowed 2" in str(admission.kept_out)


def test_an_approval_comes_too_late_after_another_policy(office: Office) -> None:
    """What was counted against one policy in force says nothing of another."""
    _leave(office, *range(1, 8))
    admit(office.intake, AT_ONCE)
    hold = office.hold()
    office.activate(PATIENT + GROUPS)

    with pytest.raises(NotAllowedNow, match="another policy has come into force"):
        _approve(office, hold)
