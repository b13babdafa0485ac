"""Addresses that the policy began to protect when somebody, or a list, had them: nothing is done to them any more."""

from datetime import timedelta
from typing import Any

import pytest

from tests.integration.office import DAY, POLICY, Office
from worker.execution.preview import OfEverybody, preview
from worker.execution.reconcile import reconcile
from worker.store import drift
from worker.store.drift import DriftFilter

PROTECTING = '\n[naming]\nprotected = ["ada.lovelace", "support"]\n'
STAGES = """
[[leaving.stages]]
after = "0d"
do = ["block", "leave-groups"]

[[leaving.stages]]
after = "30d"
do = ["delete-mailbox", "alias-to-manager"]

[[leaving.stages]]
after = "120d"
do = ["release-address", "purge"]
"""
ALIASES = '\n[renaming]\nstrategy = "alias"\n'
NO_GROUPS = POLICY[: POLICY.index("[[groups]]")]
A_MINUTE = timedelta(minutes=1)
NEVER = "ada.lovelace@example.org is protected by the policy: it is never touched"


def renamed(office: Office, policy: str) -> None:
    """Have Ada work for Grace and be Lovelace for a while, and then protect the address that came of it."""
    office.activate(policy)
    office.join("E2", "Grace Hopper")
    office.drain()
    office.join("E1", "Ada Byron", manager="E2")
    office.drain()
    for family in ("Lovelace", "Byron"):
        office.move(A_MINUTE)
        office.tell("renamed", "E1", familyName=family)
        office.drain()
    office.activate(policy + PROTECTING)
    office.drain()


def foretold(office: Office) -> list[tuple[str, str]]:
    """Return the steps that a plan for everybody shows."""
    found = preview(office.execution, office.intake, OfEverybody())
    return sorted((step.operation.value, step.target) for each in found.subjects for step in each.plan.steps)


def drained_as_foretold(office: Office) -> list[tuple[str, str]]:
    """Work everything off, and return the steps that were made: those that a plan had shown, and no others."""
    shown, since = foretold(office), len(office.steps())
    office.drain()
    done = sorted((step.operation, step.target) for step in office.steps()[since:])
    assert done == shown
    return done


def identity(office: Office, local_part: str = "ada.byron") -> dict[str, Any]:
    """Return the one identity of a mailbox as the host holds it."""
    (found,) = office.mailboxes()[local_part]["identities"]
    return dict(found)


def test_a_protected_identity_outlives_a_new_name_a_departure_and_a_deletion(office: Office) -> None:
    """The mailbox is renamed and blocked; it stays, with the identity that would go along, and so do the addresses."""
    renamed(office, NO_GROUPS + STAGES)
    office.host("PUT", "mailboxes/ada.byron/identities/ada.lovelace", password_use="custom", password="s3cret-s3cret")
    before = identity(office)

    office.move(A_MINUTE)
    office.tell("renamed", "E1", givenName="Augusta", familyName="King")
    made = drained_as_foretold(office)
    assert ("update-mailbox", "ada.byron@example.org") in made
    assert ("create-identity", "augusta.king@example.org") in made
    office.move(A_MINUTE)
    office.tell("left", "E1")
    made = drained_as_foretold(office)
    assert made == [("block-mailbox", "ada.byron@example.org")]
    assert office.job_of(2).reason == NEVER
    office.move(200 * DAY)
    assert drained_as_foretold(office) == []

    assert [each for each in office.mailboxes()["ada.byron"]["identities"] if each["local_part"] == "ada.lovelace"] == [
        before
    ]
    job = office.job_of(2)
    assert job.state.value == "held"
    assert job.reason is not None
    assert job.reason.startswith(
        "ada.byron@example.org is not deleted, for its identity ada.lovelace@example.org is protected by the policy"
    )


def test_a_protected_alias_is_neither_handed_over_nor_given_up(office: Office) -> None:
    """The other is an alias for a while; no address is given up without it. Without protection the rest comes."""
    renamed(office, NO_GROUPS + STAGES + ALIASES)
    assert office.aliases() == {"ada.lovelace": {"ada.byron"}}

    office.tell("left", "E1")
    office.drain()
    office.move(30 * DAY)
    made = drained_as_foretold(office)

    assert made == [("create-alias", "ada.byron@example.org"), ("delete-mailbox", "ada.byron@example.org")]
    assert office.aliases() == {"ada.byron": {"grace.hopper"}, "ada.lovelace": {"ada.byron"}}
    assert office.outstanding() == [("person", "held", NEVER)]
    office.move(90 * DAY)
    assert drained_as_foretold(office) == [("delete-alias", "ada.byron@example.org")]
    assert office.aliases() == {"ada.lovelace": {"ada.byron"}}
    assert office.outstanding() == [("person", "held", NEVER)]

    office.activate(NO_GROUPS + STAGES + ALIASES)
    office.drain()
    assert office.aliases() == {}
    assert office.outstanding() == []


def test_a_list_that_is_dropped_and_protected_stays(office: Office) -> None:
    """So does one of which only a reconcile would take notice; and nobody is asked about it."""
    office.employ("Ada Byron", department="Support")
    office.activate(NO_GROUPS + PROTECTING)

    assert drained_as_foretold(office) == []
    assert office.aliases() == {"support": {"ada.byron"}}
    assert office.outstanding() == []
    assert office.job_on("support").reason == "support@example.org is protected by the policy: it is never touched"

    reconcile(office.execution, "example.org", repair_for="test")
    office.drain()
    assert office.aliases() == {"support": {"ada.byron"}}


def test_a_mailbox_that_a_protected_list_names_is_not_deleted(office: Office) -> None:
    """Nobody takes it out there, and the job says why."""
    office.employ("Ada Byron", department="Support")
    office.activate(NO_GROUPS + STAGES + PROTECTING)
    office.drain()
    office.tell("left", "E1")
    office.drain()
    office.move(30 * DAY)
    office.drain()

    assert set(office.mailboxes()) == {"ada.byron"}
    why = "is deleted once support@example.org no longer names it: support@example.org is protected by the policy"
    assert office.outstanding() == [("person", "held", f"{why}: it is never touched")]


@pytest.mark.parametrize("now", ["", '[[rewrites]]\nname = "calls"\nlocal_part_rule = "help-*"\nmembers = {}\n'])
def test_a_rewrite_that_takes_mail_of_a_protected_address_stays(office: Office, now: str) -> None:
    """Dropped or written otherwise: mail of the address would go another way."""
    office.activate(NO_GROUPS + '[[rewrites]]\nname = "calls"\nlocal_part_rule = "supp*"\nmembers = {}\n')
    office.employ("Ada Byron")
    office.activate(NO_GROUPS + now + PROTECTING)

    assert drained_as_foretold(office) == []
    assert office.rewrites() == {"calls": ("supp*", {"ada.byron"})}
    why = "rewrite calls@example.org takes mail of support@example.org, which is protected by the policy"
    assert office.job_on("calls").reason == f"{why}: it is not touched"
    assert [state for _, state, _ in office.outstanding()] == (["held"] if now else [])

    office.activate(NO_GROUPS + now)
    office.drain()
    assert office.rewrites() == ({"calls": ("help-*", {"ada.byron"})} if now else {})
    assert office.outstanding() == []


def test_a_reconcile_finds_nothing_at_a_protected_identity(office: Office) -> None:
    """Somebody else renamed it, and the mailbox too: only the mailbox is repaired."""
    renamed(office, NO_GROUPS)
    for path in ("mailboxes/ada.byron", "mailboxes/ada.byron/identities/ada.lovelace"):
        office.host("PUT", path, name="Somebody")

    office.move(A_MINUTE)
    reconcile(office.execution, "example.org", repair_for="test")
    office.drain()

    with office.database.read() as session:
        found = [(row.kind, row.address) for row, _ in drift.page(session, DriftFilter(), after=0, limit=10)]
    assert found == [("foreign-hand", "ada.byron@example.org")]
    assert (office.mailboxes()["ada.byron"]["name"], identity(office)["name"]) == ("Ada Byron", "Somebody")
