"""People who are renamed, moved, suspended, gone and back: what becomes of their mailboxes and aliases."""

from datetime import timedelta

from tests.integration.office import DAY, POLICY, Office

OPEN = {"send": True, "imap": True, "pop3": True, "managesieve": False}  # as the host makes a mailbox
CLOSED = dict.fromkeys(OPEN, False)


def test_rename_keeps_the_mailbox_and_adds_an_identity(office: Office) -> None:
    """A new name changes the display name and adds the new address as an identity; the alias is not written again."""
    office.employ("Ada Byron", department="Engineering")
    before = office.calls("PUT", "DELETE")

    office.tell("renamed", "E1", familyName="Lovelace")
    office.drain()

    assert set(office.mailboxes()) == {"ada.byron"}
    assert office.mailboxes()["ada.byron"]["name"] == "Ada Lovelace"
    assert office.identities("ada.byron") == {"ada.lovelace"}
    assert office.aliases() == {"engineering": {"ada.byron"}}
    assert office.calls("PUT", "DELETE")[len(before) :] == [("PUT", "mailboxes/ada.byron")]
    assert office.bodies("POST", "identities")[0]["password_use"] == "none"


def test_second_rename_keeps_the_former_identity(office: Office) -> None:
    """Former addresses keep receiving: each rename adds an identity and takes none away."""
    office.employ("Ada Byron")

    for name in ("King", "Lovelace"):
        office.tell("renamed", "E1", familyName=name)
        office.drain()

    assert office.identities("ada.byron") == {"ada.king", "ada.lovelace"}


def test_return_to_a_former_name_needs_no_further_identity(office: Office) -> None:
    """Who takes a former name again gets the display name back, and no other address."""
    office.employ("Ada Byron")
    office.tell("renamed", "E1", familyName="King")
    office.drain()

    office.tell("renamed", "E1", familyName="Byron")
    office.drain()

    assert office.identities("ada.byron") == {"ada.king"}
    assert office.mailboxes()["ada.byron"]["name"] == "Ada Byron"


def test_new_name_that_somebody_holds_gets_the_next_pattern(office: Office) -> None:
    """A rename to a name whose address a colleague holds adds the next free address."""
    office.employ("Ada Lovelace", "Ada Byron")

    office.tell("renamed", "E2", familyName="Lovelace")
    office.drain()

    assert office.identities("ada.byron") == {"a.lovelace"}


def test_identity_whose_address_was_taken_at_the_host_gets_the_next_name(office: Office) -> None:
    """Where somebody took the new address at the host since we looked, the next name is added."""
    office.employ("Ada Byron")
    office.host("POST", "mailboxes", local_part="ada.lovelace", name="Somebody", password="s3cret-s3cret")

    office.tell("renamed", "E1", familyName="Lovelace")
    office.drain()

    assert office.identities("ada.byron") == {"a.lovelace"}
    assert office.mailboxes()["ada.lovelace"]["name"] == "Somebody"
    assert office.outstanding() == []


def test_move_between_departments_changes_both_aliases(office: Office) -> None:
    """Who changes the department leaves one alias and joins the other, each with one write."""
    office.employ("Ada Lovelace", "Grace Hopper", department="Engineering")
    office.join("E3", "Alan Turing", department="Support")
    office.drain()
    before = len(office.writes())

    office.tell("updated", "E1", department="Support")
    office.drain()

    assert office.aliases() == {"engineering": {"grace.hopper"}, "support": {"ada.lovelace", "alan.turing"}}
    assert sorted(office.writes()[before:]) == [("PUT", "aliases/engineering"), ("PUT", "aliases/support")]


def test_last_member_takes_the_alias_along(office: Office) -> None:
    """The host refuses an empty alias, so the one whose last member goes is deleted; the next member makes it anew."""
    office.employ("Ada Lovelace", department="Engineering")

    office.tell("updated", "E1", department="Support")
    office.drain()
    assert office.aliases() == {"support": {"ada.lovelace"}}

    office.tell("updated", "E1", department="Engineering")
    office.drain()

    assert office.aliases() == {"engineering": {"ada.lovelace"}}


def test_event_that_changes_nothing_makes_no_call(office: Office) -> None:
    """A fact that no rule reads makes no job and no call."""
    office.employ("Ada Lovelace", department="Engineering")
    calls, jobs = office.calls(), len(office.jobs())

    office.tell("updated", "E1", favouriteColour="green", department="Engineering")
    office.drain()

    assert office.calls() == calls
    assert len(office.jobs()) == jobs


def test_leaver_is_blocked_and_leaves_the_groups_at_departure(office: Office) -> None:
    """At departure the doors close, the password is replaced, and the alias forgets the leaver; mail still arrives."""
    office.employ("Ada Lovelace", "Grace Hopper", department="Engineering")

    office.tell("left", "E1")
    office.drain()

    assert office.doors("ada.lovelace") == CLOSED
    assert office.mailboxes()["ada.lovelace"]["may_receive"]
    assert office.aliases() == {"engineering": {"grace.hopper"}}
    assert [body["password"] for body in office.bodies("PUT", "ada.lovelace")] == ["[redacted]"]


def test_leaver_is_deleted_after_the_grace(office: Office) -> None:
    """The mailbox of a leaver is deleted when the grace has passed, and not a minute before."""
    office.employ("Ada Lovelace", department="Engineering")
    office.tell("left", "E1")
    office.drain()

    office.move(30 * DAY - timedelta(minutes=1))
    office.drain()
    assert set(office.mailboxes()) == {"ada.lovelace"}

    office.move(timedelta(minutes=1))
    office.drain()

    assert office.mailboxes() == {}
    assert office.outstanding() == []


def test_deletion_waits_until_the_block_was_confirmed_for_the_grace(office: Office) -> None:
    """Where the block could not be made for ten days, the deletion comes ten days later."""
    office.employ("Ada Lovelace")
    office.key = "wrong"
    office.tell("left", "E1")
    office.drain()
    office.move(10 * DAY)
    office.key = "sandbox-key"
    office.drain()
    assert office.doors("ada.lovelace") == CLOSED

    office.move(29 * DAY)
    office.drain()
    assert set(office.mailboxes()) == {"ada.lovelace"}

    office.move(DAY)
    office.drain()

    assert office.mailboxes() == {}


def test_deletion_is_held_while_a_rehire_waits_in_the_inbox(office: Office) -> None:
    """A rehire that was accepted and not yet applied stops a deletion that is due; applied, it reopens the mailbox."""
    office.employ("Ada Lovelace")
    office.tell("left", "E1")
    office.drain()
    office.move(30 * DAY)
    office.apply_all()
    office.join("E1", "Ada Lovelace")
    office.run_all()
    assert set(office.mailboxes()) == {"ada.lovelace"}

    office.drain()

    assert office.doors("ada.lovelace") != CLOSED
    assert office.outstanding() == []


def test_departure_told_late_gives_the_full_grace(office: Office) -> None:
    """A departure that we hear of two months late blocks at once and deletes only after the grace from now."""
    office.employ("Ada Lovelace")
    office.move(90 * DAY)

    office.tell("left", "E1", lastWorkingDay="2026-04-01")
    office.drain()
    assert office.doors("ada.lovelace") == CLOSED

    office.move(29 * DAY)
    office.drain()
    assert set(office.mailboxes()) == {"ada.lovelace"}

    office.move(2 * DAY)
    office.drain()

    assert office.mailboxes() == {}


def test_future_departure_happens_when_the_clock_passes_it(office: Office) -> None:
    """A departure dated ahead changes nothing before midnight after the last working day, and holds no lane."""
    office.employ("Ada Lovelace", department="Engineering")
    writes = office.writes()

    office.tell("left", "E1", lastWorkingDay="2026-03-10")
    office.drain()
    office.move(8 * DAY)
    office.drain()
    assert office.writes() == writes
    assert office.outstanding() == []

    office.move(timedelta(hours=15))
    office.drain()

    assert office.doors("ada.lovelace") == CLOSED
    assert office.aliases() == {}


def test_immediate_departure_blocks_before_its_date(office: Office) -> None:
    """An immediate departure blocks at once, whatever the dates say."""
    office.employ("Ada Lovelace")

    office.tell("left", "E1", lastWorkingDay="2026-06-30", immediate=True)
    office.drain()

    assert office.doors("ada.lovelace") == CLOSED
    assert [step.brake for step in office.steps() if step.brake] == ["immediate"]


def test_rescinded_departure_never_happens(office: Office) -> None:
    """A departure that is called off in time leaves the mailbox as it is."""
    office.employ("Ada Lovelace", department="Engineering")
    office.tell("left", "E1", lastWorkingDay="2026-03-10")
    office.drain()

    office.move(DAY)
    office.tell("leaving_cancelled", "E1")
    office.move(60 * DAY)
    office.drain()

    assert office.doors("ada.lovelace") == OPEN
    assert office.aliases() == {"engineering": {"ada.lovelace"}}


def test_rehire_before_the_deletion_reopens_the_mailbox(office: Office) -> None:
    """Who comes back within the grace gets doors and groups back; the job says that a new password is needed."""
    office.employ("Ada Lovelace", department="Engineering")
    office.tell("left", "E1")
    office.drain()
    office.move(5 * DAY)

    office.join("E1", "Ada Lovelace", department="Engineering")
    office.drain()
    office.move(60 * DAY)
    office.drain()

    assert office.doors("ada.lovelace") == OPEN
    assert office.aliases() == {"engineering": {"ada.lovelace"}}
    assert office.calls("DELETE").count(("DELETE", "mailboxes/ada.lovelace")) == 0
    assert "set a new one" in str(office.job_of(1).reason)


def test_rehire_after_the_deletion_makes_the_mailbox_anew(office: Office) -> None:
    """Who comes back after the deletion gets a new mailbox at the same address, former names included."""
    office.employ("Ada Byron", department="Engineering")
    office.tell("renamed", "E1", familyName="Lovelace")
    office.drain()
    office.tell("left", "E1")
    office.drain()
    office.move(31 * DAY)
    office.drain()
    assert office.mailboxes() == {}

    office.join("E1", "Ada Lovelace", department="Engineering")
    office.drain()

    assert office.identities("ada.byron") == {"ada.lovelace"}
    assert office.doors("ada.byron") == OPEN
    assert office.aliases() == {"engineering": {"ada.byron"}}
    assert office.outstanding() == []


def test_address_of_somebody_deleted_stays_theirs(office: Office) -> None:
    """A namesake does not get the address of somebody who is gone."""
    office.employ("Ada Lovelace")
    office.tell("left", "E1")
    office.drain()
    office.move(31 * DAY)
    office.drain()

    office.join("E2", "Ada Lovelace")
    office.drain()

    assert set(office.mailboxes()) == {"a.lovelace"}


def test_suspension_and_resumption_are_lossless(office: Office) -> None:
    """A suspension closes the doors and nothing else; afterwards those are open that were open before."""
    office.employ("Ada Lovelace", department="Engineering")
    office.host("PUT", "mailboxes/ada.lovelace", may_access_pop3=False, may_send=False)
    before = office.mail_state()

    office.tell("suspended", "E1")
    office.drain()
    assert office.doors("ada.lovelace") == CLOSED
    assert office.aliases() == {"engineering": {"ada.lovelace"}}

    office.move(DAY)
    office.tell("resumed", "E1")
    office.drain()

    assert office.mail_state() == before
    assert not any("password" in body for body in office.bodies("PUT", "ada.lovelace"))


def test_departure_of_somebody_suspended_replaces_the_password(office: Office) -> None:
    """Who leaves while suspended is blocked in full, and back again gets the doors from before the suspension."""
    office.employ("Ada Lovelace")
    office.host("PUT", "mailboxes/ada.lovelace", may_access_pop3=False)
    office.tell("suspended", "E1")
    office.drain()
    office.move(DAY)
    office.tell("left", "E1")
    office.drain()
    assert "password" in office.bodies("PUT", "ada.lovelace")[-1]

    office.move(DAY)
    office.tell("resumed", "E1")
    office.join("E1", "Ada Lovelace")
    office.drain()

    assert office.doors("ada.lovelace") == OPEN | {"pop3": False}


def test_doors_that_the_policy_closes_stay_closed_after_a_suspension(office: Office) -> None:
    """The way back from a suspension does not open what the policy keeps closed."""
    office.activate(POLICY + "[mailbox]\nmay_access_pop3 = false\n")
    office.employ("Ada Lovelace")

    office.tell("suspended", "E1")
    office.drain()
    office.move(DAY)
    office.tell("resumed", "E1")
    office.drain()

    assert office.doors("ada.lovelace") == OPEN | {"pop3": False}


def test_cancelled_joiner_gets_no_mailbox(office: Office) -> None:
    """A hire that is called off before its date leaves nothing at the host."""
    office.join("E1", "Ada Lovelace", hireDate="2026-03-20", department="Engineering")
    office.drain()

    office.move(DAY)
    office.tell("joining_cancelled", "E1")
    office.move(60 * DAY)
    office.drain()

    assert office.writes() == []
    assert office.outstanding() == []


def test_mailbox_deleted_behind_our_back_is_made_anew(office: Office) -> None:
    """When the next event looks at a mailbox that an administrator deleted, it is made again."""
    office.employ("Ada Lovelace")
    office.host("DELETE", "mailboxes/ada.lovelace")

    office.tell("renamed", "E1", givenName="Augusta", familyName="Lovelace")
    office.drain()

    assert office.identities("ada.lovelace") == {"augusta.lovelace"}
    assert office.outstanding() == []


def test_mailbox_deleted_behind_our_back_needs_the_personal_address_again(office: Office) -> None:
    """Where the personal address was erased meanwhile, the job is held with the sentence that says so."""
    office.employ("Ada Lovelace")
    office.tell("updated", "E1", personalEmail=None)
    office.drain()
    office.host("DELETE", "mailboxes/ada.lovelace")

    office.tell("renamed", "E1", familyName="King")
    office.drain()

    assert office.outstanding() == [("person", "held", "personalEmail is needed to send the invitation")]
