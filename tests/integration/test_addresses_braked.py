"""A policy that has many past leavers give up their addresses at once waits for somebody's approval."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.integration.office import DAY, Office
from worker.bell import SilentBell
from worker.execution import verbs
from worker.execution.compared import compare
from worker.execution.preview import OfEverybody
from worker.intake import admit
from worker.sandbox import RunningSandbox
from worker.store.database import Database
from worker.store.holds import list_holds
from worker.web.policy_change_object import policy_change_object

LEAVERS = ("Ada A", "Ada B", "Ada C", "Ada D", "Ada E")
POLICY = """
[organisation]
domain = "example.org"

[brakes]
delete = { floor = 2, share = 0.0, per = "24h" }
block = { floor = 9, share = 0.0, per = "24h" }

[leaving]
fallback = "boss"
[[leaving.stages]]
after = "0d"
do = ["block"]
[[leaving.stages]]
after = "1d"
do = ["delete-mailbox", "alias-to-manager"]
[[leaving.stages]]
after = "900d"
do = ["release-address"]
"""
SOONER = POLICY.replace("900d", "2d")
ERASING = SOONER.replace('"release-address"', '"release-address", "purge"')
NO_ALIASES = POLICY.replace(', "alias-to-manager"', "")
HELD = "would give up addresses of 5 people: allowed 2"


@pytest.fixture
def office(database: Database, sandbox: RunningSandbox) -> Iterator[Office]:
    """Five who left, one after the other, and whose addresses are aliases for years; and one who works here."""
    with closing(Office(database, sandbox, policy=None)) as opened:
        admit(opened.intake, POLICY)
        opened.employ(*LEAVERS, "Grace Hopper")
        for number in range(1, 6):
            opened.tell("left", f"E{number}")
            opened.drain()
            opened.work_on(3 * DAY, every=DAY)
        assert opened.aliases() == {f"ada.{letter}": {"boss"} for letter in "abcde"}
        assert opened.outstanding() == []
        yield opened


@pytest.mark.parametrize("policy", [SOONER, NO_ALIASES], ids=["released sooner", "without aliases"])
def test_it_is_held_until_somebody_approves(office: Office, policy: str) -> None:
    """A plan says the same in advance; the aliases stand until then, and go when the hold is approved."""
    _, difference = compare(office.execution, office.intake, OfEverybody(), POLICY, policy)
    admission = admit(office.intake, policy)
    office.drain()

    hold = office.hold()
    assert hold.policy is not None
    assert str(hold.policy) == str(difference.admission) == HELD
    assert hold.policy.exceeds
    assert HELD in str(admission.kept_out)
    assert {"brake": "delete", "would": 5, "allowed": 2, "population": 1, "givenUp": 5, "erased": 0} in (
        policy_change_object(hold.policy)["counts"]
    )
    assert len(office.aliases()) == 5

    verbs.approve_hold(office.database, office.clock, SilentBell(), hold.id, "test", plan=hold.hash)
    office.drain()
    assert office.aliases() == {}
    assert admit(office.intake, policy).kept_out is None


def test_few_need_nobody(office: Office) -> None:
    """Three are still a while from it, so that within the brake the policy comes into force at once."""
    admission = admit(office.intake, POLICY.replace("900d", "10d"))  # they left 15, 12, 9, 6 and 3 days ago
    office.drain()

    assert admission.kept_out is None
    assert set(office.aliases()) == {"ada.c", "ada.d", "ada.e"}


def test_whoever_is_erased_by_that_is_counted_once(office: Office) -> None:
    """Their addresses are given up first, which is not told again."""
    assert "would erase 5 people: allowed 2" in str(admit(office.intake, ERASING).kept_out)


def test_protected_addresses_do_not_count(office: Office) -> None:
    """They are kept, with the others of their holder."""
    protecting = '\n[naming]\nprotected = ["ada.a", "ada.b", "ada.c"]\n'
    admit(office.intake, POLICY + protecting)

    assert admit(office.intake, SOONER + protecting).kept_out is None
    office.drain()

    assert set(office.aliases()) == {"ada.a", "ada.b", "ada.c"}
    with office.database.read() as session:
        assert list_holds(session) == []
    # And so a policy that protects them no more brings that about.
    assert "would give up addresses of 3 people: allowed 2" in str(admit(office.intake, SOONER).kept_out)


def test_what_comes_anyway_does_not_count(office: Office) -> None:
    """The policy in force gives them up today, too."""
    office.activate(SOONER)

    assert admit(office.intake, SOONER.replace('"2d"', '"3d"')).kept_out is None


def test_a_policy_that_protects_somebody_no_more_is_counted(office: Office) -> None:
    """The policy in force keeps nobody out whom it protects, whatever it wants of them."""
    names = [name.replace("Ada", "Eve") for name in LEAVERS]
    for number, name in enumerate(names, 11):
        office.join(f"E{number}", name)
    office.drain()
    local_parts = ", ".join(f'"eve.{letter}"' for letter in "abcde")
    tight = POLICY.replace("block = { floor = 9", "block = { floor = 2")
    office.activate(tight + f"\n[naming]\nprotected = [{local_parts}]\n")
    for number in range(11, 16):
        office.tell("left", f"E{number}")
    office.drain()

    assert office.doors("eve.a")["send"]
    assert "would block 5 of 6 mailboxes: allowed 2" in str(admit(office.intake, tight).kept_out)
