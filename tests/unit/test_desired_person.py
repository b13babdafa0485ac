"""What a person should have, from joining to leaving, and exactly when it changes."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.policy_people import ADA, ADDRESS, employment, instants, left, policies, policy, utc, view, views
from worker.mail import Address
from worker.policy import (
    Access,
    Credential,
    Erased,
    Missing,
    NoMailbox,
    PersonView,
    Untouched,
    WantedMailbox,
    desired,
    needs_address,
)
from worker.roster.person import Profile
from worker.roster.record import EmploymentKind

POLICY = policy()
GROUP = {"engineering@example.org"}
NOW = utc("2026-03-02T12:00")
MICROSECOND = timedelta(microseconds=1)
NEW = {"address": ADDRESS, "mailbox_exists": False}


def leaver(**more):
    """State a departure, by default after 31 March 2026."""
    return employment(EmploymentKind.LEFT, **{"last_working_day": date(2026, 3, 31), **more})


def test_a_joiner_gets_a_mailbox_groups_and_an_invitation():
    """An active person has an open mailbox with the policy's fields."""
    decision = desired(view(**NEW), policy("[mailbox]\nmay_access_pop3 = false"), NOW)
    mailbox = decision.state.mailbox

    assert mailbox == WantedMailbox(
        ADDRESS,
        "Ada Lovelace",
        fields={"may_access_pop3": False},
        credential=Credential.INVITATION,
        recovery="ada@home.example",
    )
    assert decision.state.groups == GROUP
    assert (decision.state.phase, decision.valid_until) == ("active", None)


def test_a_hire_ahead_waits_for_its_lead_in_the_persons_zone():
    """The mailbox is due at 00:00 two days before the hire date, where the person lives."""
    facts = {**ADA, "timezone": "Pacific/Kiritimati"}
    decision = desired(view(employment(hire_date=date(2026, 3, 23)), facts, **NEW), POLICY, NOW)

    assert decision.state.mailbox == Untouched("it is not yet time for the mailbox")
    assert (decision.state.phase, decision.state.next_step) == ("pending", "create-mailbox")
    assert decision.state.groups == frozenset()
    assert decision.valid_until == utc("2026-03-20T10:00")


def test_an_invitation_needs_a_personal_address_only_to_make_the_mailbox():
    """The sentence names the attribute; who has a mailbox needs none."""
    facts = {name: value for name, value in ADA.items() if name != "personalEmail"}
    random = policy('[joining]\ncredential = "random"')

    assert desired(view(None, facts, **NEW), POLICY, NOW).state.mailbox == Missing(
        "personalEmail is needed to send the invitation"
    )
    assert isinstance(desired(view(None, facts), POLICY, NOW).state.mailbox, WantedMailbox)
    assert isinstance(desired(view(None, facts, **NEW), random, NOW).state.mailbox, WantedMailbox)


def test_without_an_address_the_job_waits_for_one():
    """Allocation comes before the mailbox."""
    decision = desired(view(address=None, mailbox_exists=False), POLICY, NOW)

    assert decision.state.mailbox == Missing("no address is allocated yet")


def test_unknown_employment_touches_nothing():
    """Without any statement of employment nothing is wanted either way."""
    nobody = PersonView(Profile("p1", ADA, None), ADDRESS, mailbox_exists=True)

    assert isinstance(desired(nobody, POLICY, NOW).state.mailbox, Untouched)


def test_purging_lets_the_stages_go_on_and_erases_afterwards():
    """Whoever has a mailbox goes through the stages first; whoever never had one is erased once gone."""
    gone = view(leaver(last_working_day=None), purged=True, mailbox_exists=False)
    going = replace(gone, mailbox_exists=True)

    assert desired(gone, POLICY, NOW).state.mailbox == Erased()
    assert desired(going, POLICY, NOW).state.mailbox.access is Access.BLOCKED


def test_addresses_that_receive_are_given_up_before_somebody_is_erased():
    """Until the stages are over nothing is erased; then the addresses go, with or without a stage for it."""
    told = replace(view(leaver(), purged=True, mailbox_exists=False), received=frozenset({ADDRESS}))
    decision = desired(told, POLICY, NOW)
    assert not isinstance(decision.state.mailbox, Erased)
    assert decision.valid_until is not None
    late = NOW + timedelta(days=400)

    assert desired(told, POLICY, late).state.mailbox == NoMailbox(release=True)
    bare = replace(told, address=None, received=frozenset())
    assert desired(bare, POLICY, late).state.mailbox == Erased()


def test_somebody_who_works_here_is_not_erased():
    """They keep what they have, and the job is held with what must be said first."""
    works = desired(view(purged=True), POLICY, NOW).state
    waits = desired(view(purged=True, mailbox_exists=False, address=None), POLICY, NOW).state.mailbox

    assert works.mailbox.access is Access.OPEN
    assert works.mailbox.unexpressed == waits.why
    assert "must leave first" in waits.why


def test_suspension_closes_the_doors_and_keeps_the_groups():
    """A suspended person keeps everything behind closed doors; no mailbox is made meanwhile."""
    state = desired(view(suspended=True), POLICY, NOW).state

    assert state.mailbox.access is Access.SUSPENDED
    assert not state.mailbox.create
    assert (state.groups, state.phase) == (GROUP, "suspended")
    assert isinstance(
        desired(view(suspended=True, address=None, mailbox_exists=False), POLICY, NOW).state.mailbox, Untouched
    )


def test_a_rename_keeps_the_mailbox_and_every_identity():
    """The display name follows the name; the address stays."""
    identities = frozenset({Address("ada.byron@example.org")})
    mailbox = desired(view(None, {**ADA, "familyName": "Byron"}, identities=identities), POLICY, NOW).state.mailbox

    assert (mailbox.address, mailbox.name, mailbox.identities) == (ADDRESS, "Ada Byron", identities)


def test_a_departure_ahead_changes_nothing_until_the_day_is_over():
    """The block comes at 00:00 after the last working day in the zone: here in summer time."""
    decision = desired(view(leaver()), POLICY, NOW)

    assert decision.state.mailbox.access is Access.OPEN
    assert (decision.state.phase, decision.state.groups) == ("leaving", GROUP)
    assert decision.state.next_step == "block and leave-groups"
    assert decision.valid_until == utc("2026-03-31T22:00")


def test_a_suspension_yields_to_the_block():
    """A due block wins over a suspension, and a suspension over a departure that is ahead."""
    suspended = view(leaver(), suspended=True)

    assert desired(suspended, POLICY, NOW).state.mailbox.access is Access.SUSPENDED
    assert desired(suspended, POLICY, utc("2026-03-31T22:00")).state.mailbox.access is Access.BLOCKED


def test_deletion_waits_for_the_confirmation_of_the_block():
    """Without a confirmed block no time leads to deletion; with it, the block has stood as long as it should."""
    late = utc("2027-01-01T00:00")
    unconfirmed = desired(view(leaver()), POLICY, late)
    confirmed = desired(view(leaver(), blocked_at=utc("2026-12-20T08:00")), POLICY, late)

    assert unconfirmed.state.mailbox.access is Access.BLOCKED
    assert not unconfirmed.state.mailbox.create
    assert (unconfirmed.valid_until, unconfirmed.state.next_step) == (None, None)
    assert (confirmed.valid_until, confirmed.state.next_step) == (utc("2027-01-19T08:00"), "delete-mailbox")


def test_deletion_counts_from_our_first_knowledge_of_the_departure():
    """Who left long before we heard of it keeps the whole grace."""
    blocked_at = utc("2026-03-01T09:05")
    stated = leaver(last_working_day=date(2025, 1, 1), known_since=utc("2026-03-01T09:10"))
    decision = desired(view(stated, blocked_at=blocked_at), POLICY, NOW)

    # 30 days on a Berlin clock, across the change to summer time
    assert decision.valid_until == utc("2026-03-31T08:10")


def test_after_deletion_no_mailbox_is_wanted():
    """The end is stable, whether or not the mailbox is still there."""
    gone = view(leaver(), blocked_at=utc("2026-03-31T22:01"))
    later = utc("2026-04-30T22:01")

    assert desired(gone, POLICY, later - MICROSECOND).state.mailbox.access is Access.BLOCKED
    assert desired(gone, POLICY, later).state.mailbox == NoMailbox()
    assert desired(gone, POLICY, later).state.phase == "left"
    assert desired(replace(gone, mailbox_exists=False, blocked_at=None), POLICY, later).state.mailbox == NoMailbox()


def test_an_immediate_departure_blocks_at_once_whatever_the_dates_and_stages():
    """A date in the future and a late block of the policy do not delay it."""
    slow = policy('[[leaving.stages]]\nafter = "3d"\ndo = ["block"]')
    mailbox = desired(view(leaver(immediate=True)), slow, utc("2026-03-01T09:00")).state.mailbox

    assert (mailbox.access, mailbox.immediate, mailbox.create) == (Access.BLOCKED, True, False)


@pytest.mark.parametrize(
    ("dates", "at"),
    [
        ({"left_at": utc("2026-03-10T15:30")}, utc("2026-03-10T15:30")),
        ({}, utc("2026-03-01T09:00")),
        ({"last_working_day": date(2026, 3, 28)}, utc("2026-03-28T23:00")),
    ],
)
def test_the_departure_is_the_day_else_the_instant_else_the_event(dates, at):
    """Without dates the event's own time counts."""
    stated = employment(EmploymentKind.LEFT, **dates)

    assert desired(view(stated), POLICY, at - MICROSECOND).valid_until == at
    assert desired(view(stated), POLICY, at).state.mailbox.access is Access.BLOCKED


@pytest.mark.parametrize(
    ("zone", "at"),
    [
        ("America/Havana", utc("2026-03-08T05:00")),  # 00:00 does not exist there on 8 March
        ("Pacific/Kiritimati", utc("2026-03-07T10:00")),
        ("Etc/GMT+12", utc("2026-03-08T12:00")),
        ("not/a-zone", utc("2026-03-07T23:00")),
    ],
)
def test_days_end_where_the_person_is(zone, at):
    """Midnight is the zone's; one that does not exist is the first instant after it."""
    stated = leaver(last_working_day=date(2026, 3, 7))

    assert desired(view(stated, {**ADA, "timezone": zone}), POLICY, NOW).valid_until == at


def test_dates_that_mean_always_and_never_do_no_harm():
    """The first and the last date there is are taken as long ago and far ahead."""
    forever = employment(EmploymentKind.LEFT, joined=True, hire_date=date.min, last_working_day=date.max)

    assert desired(view(forever), POLICY, NOW).state.mailbox.access is Access.OPEN
    assert desired(view(employment(hire_date=date.min)), POLICY, NOW).state.phase == "active"


def test_a_temporary_hire_gets_a_mailbox_although_its_end_is_known():
    """The order in which joining and leaving were told makes no difference to somebody who works here."""
    stated = leaver(hire_date=date(2026, 3, 10), joined=True)
    new = view(stated, address=None, mailbox_exists=False)
    due = utc("2026-03-07T23:00")

    assert desired(new, POLICY, NOW).valid_until == due
    assert not needs_address(new, POLICY, NOW)
    assert needs_address(new, POLICY, due)
    assert desired(replace(new, address=ADDRESS), POLICY, due).state.mailbox.create


def test_somebody_who_only_ever_left_gets_no_mailbox():
    """A departure alone is no reason to make anything, before or after its day."""
    stranger = view(leaver(), address=None, mailbox_exists=False)

    assert desired(stranger, POLICY, NOW).state.mailbox == NoMailbox()
    assert desired(stranger, POLICY, utc("2026-05-01T00:00")).state.mailbox == NoMailbox()
    assert not needs_address(stranger, POLICY, NOW)


def test_a_cancelled_departure_is_employment_as_before():
    """Nothing needs cancelling: the facts are as they were."""
    stated = employment(EmploymentKind.LEAVING_CANCELLED, last_working_day=date(2026, 1, 1))

    assert desired(view(stated), POLICY, NOW) == desired(view(), POLICY, NOW)


def test_a_cancelled_hire_makes_nothing_and_takes_back_what_was_made():
    """Before a mailbox exists nothing happens; afterwards it goes the way of a departure."""
    stated = employment(EmploymentKind.JOINING_CANCELLED, hire_date=date(2026, 3, 10))
    made = desired(view(stated, blocked_at=utc("2026-03-01T09:01")), POLICY, NOW)

    assert isinstance(desired(view(stated, **NEW), POLICY, NOW).state.mailbox, Untouched)
    assert desired(view(stated, **NEW), POLICY, NOW).state.phase == "cancelled"
    assert made.state.mailbox.access is Access.BLOCKED
    assert (made.state.phase, made.state.groups) == ("cancelled", frozenset())
    assert made.valid_until == utc("2026-03-31T08:01")


def test_a_rehire_announced_ahead_freezes_the_deletion():
    """The former departure blocks at its time and never deletes; at the new lead the doors open again."""
    stated = employment(hire_date=date(2026, 6, 3), former_departure=left(last_working_day=date(2026, 3, 31)))
    back = view(stated, blocked_at=utc("2026-03-31T22:01"))

    assert desired(back, POLICY, NOW).state.mailbox.access is Access.OPEN
    assert desired(back, POLICY, NOW).valid_until == utc("2026-03-31T22:00")
    blocked = desired(back, POLICY, utc("2026-05-30T00:00"))
    assert (blocked.state.mailbox.access, blocked.state.groups) == (Access.BLOCKED, frozenset())
    assert (blocked.state.phase, blocked.state.next_step) == ("pending", "reopen-mailbox")
    assert blocked.valid_until == utc("2026-05-31T22:00")
    assert desired(back, POLICY, blocked.valid_until).state.mailbox.access is Access.OPEN


def test_a_rehire_that_is_cancelled_lets_the_former_departure_go_on():
    """Somebody whose last day is still ahead is not blocked because a later return was called off."""
    former = left(last_working_day=date(2026, 3, 31))
    stated = employment(EmploymentKind.JOINING_CANCELLED, hire_date=date(2026, 6, 3), former_departure=former)

    assert desired(view(stated), POLICY, NOW).state.mailbox.access is Access.OPEN
    assert desired(view(stated), POLICY, NOW).valid_until == utc("2026-03-31T22:00")


def test_an_address_is_needed_first_and_after_a_rename():
    """A held address that is a candidate of the name suffices, numbered or not."""
    renamed = {**ADA, "familyName": "Byron"}
    by_display = policy('[renaming]\nstrategy = "display-only"')
    numbered = view(address=Address("ada.lovelace7@example.org"))

    assert needs_address(view(address=None, mailbox_exists=False), POLICY, NOW)
    assert not needs_address(view(), POLICY, NOW)
    assert not needs_address(numbered, POLICY, NOW)
    assert needs_address(view(None, renamed), POLICY, NOW)
    assert not needs_address(view(None, renamed), by_display, NOW)
    assert not needs_address(view(None, renamed, identities=frozenset({Address("ada.byron@example.org")})), POLICY, NOW)
    assert not needs_address(view(leaver(), renamed), POLICY, utc("2026-04-02T00:00"))
    assert not needs_address(view(suspended=True, address=None, mailbox_exists=False), POLICY, NOW)


def test_an_adopted_address_needs_no_other_until_the_name_changes():
    """The patterns would not give it: what they would have given tells whether the name is still the same."""
    adopted = view(address=Address("al@example.org"), instead_of=ADDRESS)
    renamed = replace(adopted, profile=replace(adopted.profile, facts={**ADA, "familyName": "Byron"}))

    assert needs_address(replace(adopted, instead_of=None), POLICY, NOW)
    assert not needs_address(adopted, POLICY, NOW)
    assert needs_address(renamed, POLICY, NOW)


def test_an_adopted_identity_is_kept_as_its_holder_made_it():
    """It counts as an address of theirs, and nothing is wanted of it; one that was made here follows the name."""
    persona, ours = Address("countess@example.org"), Address("ada.byron@example.org")
    person = view(identities=frozenset({persona, ours}), adopted=frozenset({persona}))

    assert desired(person, POLICY, NOW).state.mailbox.identities == {ours}


@settings(max_examples=300)
@given(views(), policies(), instants, st.floats(0, 1, exclude_max=True), instants)
def test_a_decision_holds_until_exactly_the_instant_it_names(person, by, now, fraction, other):
    """Until a microsecond before ``valid_until`` nothing differs; there it does, and stays so; without one, never."""
    decision = desired(person, by, now)
    assert desired(person, by, now) == decision

    if decision.valid_until is None:
        assert decision.state.next_step is None
        assert desired(person, by, max(now, other)) == decision
        assert desired(person, by, now + timedelta(days=4000)) == decision
        return
    assert decision.valid_until > now
    between = now + (decision.valid_until - now - MICROSECOND) * fraction
    there = desired(person, by, decision.valid_until)
    after = there.state
    assert desired(person, by, between) == decision
    assert desired(person, by, decision.valid_until - MICROSECOND) == decision
    assert replace(after, next_step=None) != replace(decision.state, next_step=None)
    if there.valid_until != decision.valid_until + MICROSECOND:
        assert desired(person, by, decision.valid_until + MICROSECOND) == there
    assert decision.state.next_step


@settings(max_examples=200)
@given(views(), policies(), instants)
def test_no_mailbox_is_given_up_before_its_block_was_confirmed(person, by, now):
    """A mailbox that exists is only unwanted after a departure that we know of and a confirmed block."""
    state = desired(person, by, now).state
    if not (person.mailbox_exists and isinstance(state.mailbox, NoMailbox)):
        return

    assert person.profile.employment.kind in {EmploymentKind.LEFT, EmploymentKind.JOINING_CANCELLED}
    assert person.blocked_at is not None
    assert person.blocked_at <= now
    assert person.profile.employment.known_since <= now


def test_an_immediate_departure_is_deleted_by_its_stated_day():
    """Access ends at once, but the grace before the deletion counts from the last working day that was stated."""
    garden_leave = leaver(immediate=True, last_working_day=date(2026, 6, 30))
    blocked = view(garden_leave, blocked_at=utc("2026-03-01T09:00"))

    decision = desired(blocked, POLICY, utc("2026-03-02T09:00"))

    assert decision.state.mailbox.access is Access.BLOCKED
    assert decision.valid_until == utc("2026-07-30T22:00")  # midnight in Berlin


@pytest.mark.parametrize(
    ("work_email", "more", "told"),
    [
        ("countess@example.org", "", True),
        ("abuse@example.org", "", True),
        ("ada.lovelace@example.org", "", False),
        ("ada@elsewhere.example", "", False),
        ("countess@example.org", '[renaming]\nstrategy = "display-only"\n', False),
    ],
)
def test_a_work_address_that_could_not_be_had_is_told(work_email, more, told):
    """Whoever works here was to get it before; an address of another house, and one that nobody adds, is no matter."""
    facts = {**ADA, "workEmail": work_email}

    mailbox = desired(view(facts=facts), policy(more), NOW).state.mailbox

    assert (mailbox.unexpressed is not None) is told


def test_a_work_address_is_no_matter_before_it_is_to_be_held():
    """Whose first day was put off keeps the mailbox and gets no further address until then, so none is missed."""
    announced = view(employment(hire_date=date(2026, 6, 1)), {**ADA, "workEmail": "countess@example.org"})

    early, later = desired(announced, POLICY, NOW), desired(announced, POLICY, utc("2026-06-01T00:00"))

    assert early.state.mailbox.unexpressed is None
    assert later.state.mailbox.unexpressed.startswith("countess@example.org, stated as workEmail, cannot be added")
