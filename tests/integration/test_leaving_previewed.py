"""Plans, brakes and evidence for whole departures: what is shown is what is done, and nothing is done half."""

from datetime import timedelta

import pytest

from tests.integration.office import DAY, POLICY, Office
from worker.execution.preview import OfEverybody, preview
from worker.store import holds

STAGES = (
    POLICY
    + """
[renaming]
strategy = "alias"

[leaving]
autoreply = { subject = "{displayName} has left", body = "Please write to {manager.address}." }

[[leaving.stages]]
after = "0d"
do = ["block", "leave-groups", "autoreply", "forward-to-manager"]

[[leaving.stages]]
after = "30d"
do = ["delete-mailbox", "alias-to-manager"]

[[leaving.stages]]
after = "120d"
do = ["release-address"]
"""
)
TIGHT = '\n[brakes]\ndelete = { floor = 1, share = 0.0, per = "24h" }\n'
A_MINUTE = timedelta(minutes=1)


def staffed(office: Office, policy: str = STAGES) -> None:
    """Have Ada and Barbara work for Grace, and Grace for Alan; Ada was renamed."""
    office.activate(policy)
    office.join("E4", "Alan Turing")
    office.join("E3", "Grace Hopper", manager="E4")
    office.drain()
    for key, name in (("E1", "Ada Byron"), ("E2", "Barbara Liskov")):
        office.join(key, name, manager="E3", department="Engineering")
    office.drain()
    office.tell("renamed", "E1", familyName="Lovelace")
    office.drain()


def shown(office: Office) -> tuple[list[tuple[str, str]], int, int]:
    """Return what a plan for everybody shows, applied events included: steps, writing calls and reading calls."""
    found = preview(office.execution, office.intake, OfEverybody(), None)
    planned = sorted((step.operation.value, step.target) for each in found.subjects for step in each.plan.steps)
    return planned, found.writes, found.reads


def done(office: Office, since: int) -> list[tuple[str, str]]:
    """Return what the ledger has of it."""
    return sorted((step.operation, step.target) for step in office.steps()[since:])


def test_each_stage_is_shown_as_it_is_then_done(office: Office) -> None:
    """For departure, deletion, release and return: the plan's steps are the ledger's, its calls those that are made."""
    staffed(office)
    story = [
        (timedelta(0), "left", {}),
        (30 * DAY, None, {}),
        (90 * DAY, None, {}),
        (DAY, "joined", {"givenName": "Ada", "familyName": "Lovelace", "manager": "E3"}),
        (DAY, "left", {}),
        (DAY, "leaving_cancelled", {}),
    ]
    seen = []
    for wait, type_, told in story:
        office.move(wait)
        if type_:
            office.tell(type_, "E1", **told)
        planned, writes, reads = shown(office)
        before, made, read = len(office.steps()), len(office.writes()), len(office.calls("GET"))
        office.drain()
        assert planned == done(office, before)
        assert (writes, reads) == (len(office.writes()) - made, len(office.calls("GET")) - read)
        seen.append({operation for operation, _ in planned})

    assert seen[0] >= {"block-mailbox", "set-autoreply", "create-forwarding"}
    assert seen[1] == {"delete-mailbox", "create-alias", "update-alias"}
    assert seen[2] == {"delete-alias", "release-address"}
    assert seen[3] == {"create-mailbox", "update-alias"}
    assert seen[5] >= {"reopen-mailbox", "end-autoreply", "delete-forwarding"}


def test_brake_on_deletions_keeps_the_addresses_too(office: Office) -> None:
    """Whoever exceeds the window keeps mailbox and addresses untouched; approved, all of it goes on together."""
    staffed(office, STAGES + TIGHT)
    for key in ("E1", "E2"):
        office.tell("left", key)
    office.drain()
    office.move(30 * DAY)
    office.drain()
    left = {"ada.byron", "barbara.liskov"} & set(office.mailboxes())
    assert len(left) == 1
    assert not left & set(office.aliases())

    hold = office.hold()
    with office.database.write() as session:
        holds.approve(session, hold.id, hold.hash, "test", office.clock.now())
    office.drain()

    assert set(office.mailboxes()) == {"grace.hopper", "alan.turing"}
    assert office.aliases() == {name: {"grace.hopper"} for name in ("ada.byron", "ada.lovelace", "barbara.liskov")}
    assert office.outstanding() == []


def test_manager_who_leaves_too_hands_on_to_the_next_in_line(office: Office) -> None:
    """Forwarding and aliases follow from Grace to Alan when Grace goes; the answer names him."""
    staffed(office)
    office.tell("left", "E2")
    office.drain()
    office.move(10 * DAY)
    office.tell("left", "E1")
    office.drain()
    office.move(21 * DAY)
    office.drain()
    assert office.aliases()["barbara.liskov"] == {"grace.hopper"}

    office.tell("left", "E3")
    office.drain()

    assert office.aliases()["barbara.liskov"] == {"alan.turing"}
    (forwarding,) = office.mailboxes()["ada.byron"]["forwardings"]
    assert forwarding["address"] == "alan.turing@example.org"
    assert office.mailboxes()["ada.byron"]["autorespond_body"] == "Please write to alan.turing@example.org."


@pytest.mark.parametrize("days", [0, 15, 30, 60, 120, 200])
def test_rehire_at_any_time_ends_in_the_same_mail_state(office: Office, days: int) -> None:
    """Between any two stages: an open mailbox at the same address, as it was before, and nothing of the departure."""
    staffed(office)
    before = office.mail_state()
    office.tell("left", "E1")
    office.drain()
    office.move(days * DAY)
    office.drain()

    office.move(A_MINUTE)
    office.join("E1", "Ada Lovelace", manager="E3", department="Engineering")
    office.drain()

    after = office.mail_state()
    if days < 120:
        assert after == before
    else:  # both addresses were given up, and the current name's is the one that is given
        assert set(after["mailboxes"]) == {"ada.lovelace", "alan.turing", "barbara.liskov", "grace.hopper"}
    assert office.outstanding() == []


def test_garden_leave_blocks_at_once_and_deletes_by_the_stated_day(office: Office) -> None:
    """Immediate with a last day ahead: access ends now, and the grace counts from the day that was stated."""
    staffed(office)

    office.tell("left", "E2", immediate=True, lastWorkingDay="2026-03-31")
    office.drain()
    assert office.mailboxes()["barbara.liskov"]["may_send"] is False
    assert office.mailboxes()["barbara.liskov"]["autorespond_active"] is True

    office.move(40 * DAY)
    office.drain()
    assert "barbara.liskov" in office.mailboxes()
    office.move(20 * DAY)
    office.drain()

    assert office.aliases()["barbara.liskov"] == {"grace.hopper"}


def test_departure_learned_weeks_late_gives_every_stage_its_time(office: Office) -> None:
    """Reversible stages come at once, irreversible ones count from when we heard of it."""
    staffed(office)
    office.move(150 * DAY)

    office.tell("left", "E2", lastWorkingDay="2026-03-10")
    office.drain()
    assert office.mailboxes()["barbara.liskov"]["may_send"] is False
    office.move(29 * DAY)
    office.drain()
    assert "barbara.liskov" in office.mailboxes()
    office.move(DAY)
    office.drain()
    assert "barbara.liskov" in office.aliases()
    office.move(90 * DAY)
    office.drain()

    assert "barbara.liskov" not in office.aliases()


def test_departure_postponed_takes_the_reversible_stages_back(office: Office) -> None:
    """Somebody who is to stay until June after all has everything back until then."""
    staffed(office)
    before = office.mail_state()
    office.tell("left", "E1", lastWorkingDay="2026-03-05")
    office.drain()
    office.move(5 * DAY)
    office.drain()
    assert office.mailboxes()["ada.byron"]["may_send"] is False

    office.tell("left", "E1", lastWorkingDay="2026-06-30")
    office.drain()
    assert office.mail_state() == before
    office.move(120 * DAY)
    office.drain()

    assert office.mailboxes()["ada.byron"]["may_send"] is False
    assert office.mailboxes()["ada.byron"]["autorespond_active"] is True
