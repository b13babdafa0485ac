"""A new name by each strategy of the policy: what is added, what stays, and who gets what where names collide."""

from datetime import timedelta

import pytest

from tests.integration.office import DAY, POLICY, Office

ALIASES = POLICY + '[renaming]\nstrategy = "alias"\n'
DISPLAY_ONLY = POLICY + '[renaming]\nstrategy = "display-only"\n'


def rename(office: Office, subject: str, given: str, family: str) -> None:
    """Tell of a new name and work it off."""
    office.move(timedelta(minutes=1))
    office.tell("renamed", subject, givenName=given, familyName=family)
    office.drain()


def name_of(office: Office, local_part: str) -> str:
    """Return what correspondents see."""
    return str(office.mailboxes()[local_part]["name"])


def test_alias_strategy_adds_an_alias_of_the_mailbox(office: Office) -> None:
    """Mailbox and mail stay, the new address is an alias that names the mailbox, and groups are not written again."""
    office.activate(ALIASES)
    office.employ("Ada Byron", department="Engineering")
    before = len(office.writes())

    rename(office, "E1", "Ada", "Lovelace")

    assert office.writes()[before:] == [("PUT", "mailboxes/ada.byron"), ("POST", "aliases")]
    assert office.aliases() == {"ada.lovelace": {"ada.byron"}, "engineering": {"ada.byron"}}
    assert name_of(office, "ada.byron") == "Ada Lovelace"
    assert office.identities("ada.byron") == set()


def test_alias_strategy_there_and_back_needs_one_alias(office: Office) -> None:
    """From Byron to Lovelace and back: both receive, and a third rename to a former name adds nothing."""
    office.activate(ALIASES)
    office.employ("Ada Byron")

    for family in ("Lovelace", "Byron", "Lovelace"):
        rename(office, "E1", "Ada", family)

    assert office.aliases() == {"ada.lovelace": {"ada.byron"}}
    assert name_of(office, "ada.byron") == "Ada Lovelace"
    assert [call for call in office.calls("POST") if call[1] == "aliases"] == [("POST", "aliases")]


@pytest.mark.parametrize("policy", [POLICY, ALIASES])
def test_two_people_who_swap_names_keep_their_mailboxes(office: Office, policy: str) -> None:
    """Nobody gets the other's address: each keeps the mailbox and gets the next address of the new name."""
    office.activate(policy)
    office.employ("Ada Byron", "Grace King")

    office.tell("renamed", "E1", givenName="Grace", familyName="King")
    office.tell("renamed", "E2", givenName="Ada", familyName="Byron")
    office.drain()

    assert (name_of(office, "ada.byron"), name_of(office, "grace.king")) == ("Grace King", "Ada Byron")
    added = [*office.identities("ada.byron"), *office.identities("grace.king"), *office.aliases()]
    assert sorted(added) == ["a.byron", "g.king"]
    assert office.outstanding() == []


def test_alias_that_collides_gets_the_next_name(office: Office) -> None:
    """An address that a colleague holds, or that was taken at the host since, is passed over."""
    office.activate(ALIASES)
    office.employ("Ada Lovelace", "Ada Byron", "Ada King")
    office.host("POST", "aliases", local_part="ada.noel", destinations=["ada.lovelace@example.org"])

    rename(office, "E2", "Ada", "Lovelace")
    rename(office, "E3", "Ada", "Noel")

    assert office.aliases() == {
        "a.lovelace": {"ada.byron"},
        "a.noel": {"ada.king"},
        "ada.noel": {"ada.lovelace"},
    }
    assert office.outstanding() == []


def test_alias_of_somebody_who_leaves_lasts_as_long_as_the_mailbox(office: Office) -> None:
    """It receives while the mailbox is blocked, and goes when that is deleted; the address stays theirs."""
    office.activate(ALIASES)
    office.employ("Ada Byron")
    rename(office, "E1", "Ada", "Lovelace")
    office.tell("left", "E1")
    office.drain()
    assert office.aliases() == {"ada.lovelace": {"ada.byron"}}

    office.move(30 * DAY)
    office.drain()
    assert (office.mailboxes(), office.aliases()) == ({}, {})
    office.join("E1", "Ada Lovelace")
    office.drain()

    assert set(office.mailboxes()) == {"ada.byron"}
    assert office.aliases() == {"ada.lovelace": {"ada.byron"}}
    assert office.outstanding() == []


@pytest.mark.parametrize("policy", [POLICY, ALIASES])
def test_new_name_of_somebody_who_is_gone_adds_no_address(office: Office, policy: str) -> None:
    """The display name follows, and nothing is made for somebody who no longer works here."""
    office.activate(policy)
    office.employ("Ada Byron")
    office.tell("left", "E1")
    office.drain()

    rename(office, "E1", "Ada", "Lovelace")

    assert name_of(office, "ada.byron") == "Ada Lovelace"
    assert (office.identities("ada.byron"), office.aliases()) == (set(), {})


def test_new_name_of_somebody_who_is_about_to_leave_adds_the_address(office: Office) -> None:
    """Until the last day a rename is a rename."""
    office.activate(ALIASES)
    office.employ("Ada Byron")
    office.tell("left", "E1", lastWorkingDay="2026-03-20")
    office.drain()

    rename(office, "E1", "Ada", "Lovelace")

    assert office.aliases() == {"ada.lovelace": {"ada.byron"}}


def test_display_only_changes_the_name_that_correspondents_see(office: Office) -> None:
    """No address is added, whatever the name becomes."""
    office.activate(DISPLAY_ONLY)
    office.employ("Ada Byron")

    rename(office, "E1", "Ada", "Lovelace")

    assert name_of(office, "ada.byron") == "Ada Lovelace"
    assert (office.identities("ada.byron"), office.aliases()) == (set(), {})


def test_former_identities_stay_when_the_strategy_changes(office: Office) -> None:
    """An address stays what it was made as; the identity's name follows the display name."""
    office.employ("Ada Byron")
    rename(office, "E1", "Ada", "King")
    office.activate(ALIASES)
    rename(office, "E1", "Ada", "Lovelace")

    (identity,) = office.mailboxes()["ada.byron"]["identities"]
    assert (identity["local_part"], identity["name"]) == ("ada.king", "Ada Lovelace")
    assert office.aliases() == {"ada.lovelace": {"ada.byron"}}


@pytest.mark.parametrize("fault", ["drop-after-apply", "drop-before-apply"])
def test_alias_whose_answer_was_lost_is_made_once(office: Office, fault: str) -> None:
    """Reading back tells whether it is there."""
    office.activate(ALIASES)
    office.employ("Ada Byron")
    office.fail({"match": {"method": "POST", "path": "/v1/domains/*/aliases"}, "times": 1, "fault": fault})

    rename(office, "E1", "Ada", "Lovelace")
    office.work_on(for_=timedelta(hours=1))

    assert office.aliases() == {"ada.lovelace": {"ada.byron"}}
    assert office.outstanding() == []
