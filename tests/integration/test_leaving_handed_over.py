"""After a leaver's mailbox is deleted: aliases for whoever stands in, released addresses, and every way back."""

from datetime import timedelta

import pytest

from tests.integration.office import DAY, POLICY, Office
from worker.cli.steps import show_held_plan
from worker.store.steps import of_job

STAGES = (
    POLICY
    + """
[[leaving.stages]]
after = "0d"
do = ["block", "leave-groups"]

[[leaving.stages]]
after = "30d"
do = ["delete-mailbox", "alias-to-manager"]

[[leaving.stages]]
after = "120d"
do = ["release-address"]
"""
)
A_MINUTE = timedelta(minutes=1)


def staffed(office: Office, policy: str = STAGES) -> None:
    """Have Ada, once Byron, work for Grace, and Grace for Alan."""
    office.activate(policy)
    office.join("E3", "Alan Turing")
    office.join("E2", "Grace Hopper", manager="E3")
    office.drain()
    office.join("E1", "Ada Byron", manager="E2", department="Engineering")
    office.drain()
    office.tell("renamed", "E1", familyName="Lovelace")
    office.drain()


def gone(office: Office, for_: timedelta) -> None:
    """Have Ada leave, and let time pass."""
    office.tell("left", "E1")
    office.drain()
    office.move(for_)
    office.drain()


def test_each_address_hands_its_mail_over_after_the_deletion(office: Office) -> None:
    """The mailbox goes at its time, and both addresses under which Ada received become aliases for her manager."""
    staffed(office)
    gone(office, 30 * DAY - A_MINUTE)
    assert set(office.mailboxes()) == {"ada.byron", "grace.hopper", "alan.turing"}
    assert office.aliases() == {}

    office.move(A_MINUTE)
    office.drain()

    assert set(office.mailboxes()) == {"grace.hopper", "alan.turing"}
    assert office.aliases() == {"ada.byron": {"grace.hopper"}, "ada.lovelace": {"grace.hopper"}}
    assert office.outstanding() == []


def test_nothing_more_is_done_while_nothing_changes(office: Office) -> None:
    """Aliases that are in place cost no further write, whatever event comes."""
    staffed(office)
    gone(office, 31 * DAY)
    writes = office.writes()

    office.tell("updated", "E1", title="Countess")
    office.move(DAY)
    office.drain()

    assert office.writes() == writes


def test_aliases_follow_whoever_stands_in(office: Office) -> None:
    """When the manager changes, or leaves too, the next in line gets the mail."""
    staffed(office)
    gone(office, 31 * DAY)

    office.tell("updated", "E1", manager="E3")
    office.drain()
    assert office.aliases() == {"ada.byron": {"alan.turing"}, "ada.lovelace": {"alan.turing"}}

    office.tell("updated", "E1", manager="E2")
    office.drain()

    assert office.aliases() == {"ada.byron": {"grace.hopper"}, "ada.lovelace": {"grace.hopper"}}


def test_release_takes_the_aliases_down_and_starts_the_quarantine(office: Office) -> None:
    """At its time nothing is left at the host, and a namesake gets the address only when the quarantine is over."""
    staffed(office)
    gone(office, 120 * DAY - A_MINUTE)
    assert set(office.aliases()) == {"ada.byron", "ada.lovelace"}

    office.move(A_MINUTE)
    office.drain()
    assert office.aliases() == {}
    assert office.outstanding() == []
    assert [step for step in office.ledger() if step[0] == "release-address"] == [("release-address", "confirmed")] * 2

    office.join("E4", "Ada Lovelace")
    office.drain()
    assert "a.lovelace" in office.mailboxes()

    office.move(366 * DAY)
    office.join("E5", "Ada Byron")
    office.drain()

    assert "ada.byron" in office.mailboxes()


def test_release_without_aliases_before_it_is_no_call(office: Office) -> None:
    """A policy that deletes and releases gives the addresses up in the ledger alone."""
    policy = STAGES.replace(', "alias-to-manager"', "")
    staffed(office, policy)
    gone(office, 31 * DAY)
    writes = office.writes()

    office.move(90 * DAY)
    office.drain()

    assert office.writes() == writes
    assert [step for step in office.ledger() if step[0] == "release-address"] == [("release-address", "confirmed")] * 2


def test_rehire_with_aliases_in_place_makes_the_mailbox_anew(office: Office) -> None:
    """The aliases go, mailbox and identity stand at their addresses again, and the groups with them."""
    staffed(office)
    gone(office, 31 * DAY)

    office.join("E1", "Ada Lovelace", manager="E2", department="Engineering")
    office.drain()

    assert set(office.mailboxes()) == {"ada.byron", "grace.hopper", "alan.turing"}
    assert office.identities("ada.byron") == {"ada.lovelace"}
    assert office.aliases() == {"engineering": {"ada.byron"}}
    assert office.mailboxes()["ada.byron"]["may_send"] is True
    assert office.outstanding() == []


def test_rehire_after_the_release_gets_the_same_address_if_it_is_free(office: Office) -> None:
    """The former holder is not barred by the quarantine."""
    staffed(office)
    gone(office, 121 * DAY)

    office.join("E1", "Ada Byron")
    office.drain()

    assert "ada.byron" in office.mailboxes()


def test_rehire_after_the_release_gets_the_second_best_address_back(office: Office) -> None:
    """Who was the second of the name gets the address they had, although a better one is free by now."""
    office.activate(STAGES)
    for key in ("E8", "E1"):
        office.join(key, "Ada King")
        office.drain()
    assert set(office.mailboxes()) == {"ada.king", "a.king"}
    gone(office, 121 * DAY)
    office.tell("left", "E8")
    office.drain()
    office.move(500 * DAY)
    office.drain()
    assert office.mailboxes() == {}

    office.join("E1", "Ada King")
    office.drain()

    assert set(office.mailboxes()) == {"a.king"}


def test_second_departure_runs_through_all_stages_again(office: Office) -> None:
    """Who came back and leaves again is blocked, deleted, handed over and released, counted from the second time."""
    staffed(office)
    gone(office, 31 * DAY)
    office.join("E1", "Ada Lovelace", manager="E2")
    office.drain()
    office.move(DAY)

    gone(office, 29 * DAY)
    assert "ada.byron" in office.mailboxes()
    office.move(DAY)
    office.drain()
    assert office.aliases() == {"ada.byron": {"grace.hopper"}, "ada.lovelace": {"grace.hopper"}}
    office.move(90 * DAY)
    office.drain()

    assert office.aliases() == {}
    assert office.outstanding() == []


def test_release_counts_from_a_block_that_came_late(office: Office) -> None:
    """Where the block could not be made for ten days, deletion and release both come ten days later."""
    staffed(office)
    office.key = "wrong"
    office.tell("left", "E1")
    office.drain()
    office.move(10 * DAY)
    office.key = "sandbox-key"
    office.drain()

    office.move(110 * DAY)
    office.drain()
    assert set(office.aliases()) == {"ada.byron", "ada.lovelace"}
    office.move(10 * DAY)
    office.drain()

    assert office.aliases() == {}


def test_announced_return_freezes_the_release_and_the_aliases_stay(office: Office) -> None:
    """Somebody who comes back next year keeps the addresses; the aliases follow whoever stands in until then."""
    staffed(office)
    gone(office, 31 * DAY)
    office.join("E1", "Ada Lovelace", manager="E2", hireDate="2026-12-01")
    office.drain()

    office.move(150 * DAY)
    office.tell("updated", "E1", manager="E3")
    office.drain()
    assert office.aliases() == {"ada.byron": {"alan.turing"}, "ada.lovelace": {"alan.turing"}}

    office.move(100 * DAY)
    office.drain()

    assert office.identities("ada.byron") == {"ada.lovelace"}
    assert office.aliases() == {"engineering": {"ada.byron"}}


def test_return_that_is_called_off_lets_the_release_come(office: Office) -> None:
    """After a cancelled rehire the former departure goes on to its end."""
    staffed(office)
    gone(office, 31 * DAY)
    office.join("E1", "Ada Lovelace", manager="E2", hireDate="2026-12-01")
    office.drain()
    office.move(DAY)
    office.tell("joining_cancelled", "E1")
    office.drain()

    office.move(200 * DAY)
    office.drain()

    assert office.aliases() == {}
    assert office.outstanding() == []


@pytest.mark.parametrize("stage", [30, 120])
def test_rehire_that_waits_in_the_inbox_stops_what_cannot_be_undone(office: Office, stage: int) -> None:
    """A rehire that was accepted and not yet applied holds deletion and release; applied, it has its way."""
    staffed(office)
    gone(office, (stage - 1) * DAY)
    before = office.mail_state()
    office.move(DAY)
    office.apply_all()
    office.join("E1", "Ada Lovelace", manager="E2")
    office.run_all()
    assert office.mail_state() == before
    assert any("the stored events do not agree" in str(reason) for _, _, reason in office.outstanding())

    office.drain()

    assert office.mailboxes()["ada.byron"]["may_send"] is True
    assert office.outstanding() == []


def test_foreign_alias_in_the_place_of_ours_is_not_touched(office: Office) -> None:
    """What somebody else put at the address stays, and the job says so."""
    staffed(office)
    gone(office, 29 * DAY)
    office.host("DELETE", "mailboxes/ada.byron")
    office.host("POST", "aliases", local_part="ada.byron", destinations=["alan.turing@example.org"])

    office.move(2 * DAY)
    office.drain()

    assert office.aliases()["ada.byron"] == {"alan.turing"}
    assert office.aliases()["ada.lovelace"] == {"grace.hopper"}
    ((_, state, reason),) = office.outstanding()
    assert state == "held"
    assert "an alias that was not made here" in str(reason)


def test_alias_deleted_behind_our_back_is_made_anew(office: Office) -> None:
    """When the next event looks, the alias is there again."""
    staffed(office)
    gone(office, 31 * DAY)
    office.host("DELETE", "aliases/ada.lovelace")

    office.tell("updated", "E1", manager="E3")
    office.drain()

    assert office.aliases() == {"ada.byron": {"alan.turing"}, "ada.lovelace": {"alan.turing"}}


@pytest.mark.parametrize("fault", ["drop-after-apply", "drop-before-apply"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/domains/*/aliases"),
        ("DELETE", "/v1/domains/*/aliases/*"),
        ("DELETE", "/v1/domains/*/mailboxes/*"),
    ],
)
def test_lost_answers_are_settled_by_reading_back(office: Office, method: str, path: str, fault: str) -> None:
    """Whichever call's answer is lost, the end is the same, and nothing is taken for somebody else's."""
    staffed(office)
    office.fail({"match": {"method": method, "path": path}, "times": 1, "fault": fault})

    gone(office, 30 * DAY)
    office.work_on(for_=timedelta(hours=2))
    assert office.aliases() == {"ada.byron": {"grace.hopper"}, "ada.lovelace": {"grace.hopper"}}
    office.move(90 * DAY)
    office.work_on(for_=timedelta(hours=2))

    assert office.aliases() == {}
    assert office.outstanding() == []


def test_nobody_to_stand_in_holds_the_job_and_deletes_all_the_same(office: Office) -> None:
    """The deletion is done, the job names whom it needs, and a manager who is named gets the mail."""
    staffed(office)
    office.tell("updated", "E1", manager=None)
    gone(office, 31 * DAY)
    assert "ada.byron" not in office.mailboxes()
    ((_, state, reason),) = office.outstanding()
    assert (state, "nobody can take over" in str(reason)) == ("held", True)

    office.tell("updated", "E1", manager="E3")
    office.drain()

    assert office.aliases() == {"ada.byron": {"alan.turing"}, "ada.lovelace": {"alan.turing"}}
    assert office.outstanding() == []


def test_nobody_to_stand_in_is_asked_for_after_the_deletion(office: Office) -> None:
    """Where handing over comes later than the deletion, the job that needs somebody is there all the same."""
    later = STAGES.replace(
        'do = ["delete-mailbox", "alias-to-manager"]',
        'do = ["delete-mailbox"]\n\n[[leaving.stages]]\nafter = "60d"\ndo = ["alias-to-manager"]',
    )
    staffed(office, later)
    office.tell("updated", "E1", manager=None)
    gone(office, 31 * DAY)
    assert office.outstanding() == []

    office.move(30 * DAY)
    office.drain()
    ((_, state, reason),) = office.outstanding()
    assert (state, "nobody can take over" in str(reason)) == ("held", True)

    office.tell("updated", "E1", manager="E3")
    office.drain()

    assert office.aliases() == {"ada.byron": {"alan.turing"}, "ada.lovelace": {"alan.turing"}}
    assert office.outstanding() == []


def test_held_job_does_not_show_as_still_to_be_done_what_it_has_done(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody reads of a mailbox that is closed that it was not, because nobody can stand in."""
    staffed(office, STAGES.replace('"leave-groups"', '"leave-groups", "forward-to-manager"'))
    office.tell("updated", "E1", manager=None)
    gone(office, DAY)
    capsys.readouterr()
    job = office.job_of(3)

    with office.database.read() as session:
        show_held_plan(job, of_job(session, job.id))

    assert (job.state.value, "nobody can take over" in str(job.reason)) == ("held", True)
    assert capsys.readouterr().out == ""
