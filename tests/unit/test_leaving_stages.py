"""When each stage of a departure is due, and what a person has between any two of them."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings

from tests.unit.policy_people import (
    ADA,
    ADDRESS,
    AUTOREPLY,
    GRACE,
    employment,
    instants,
    left,
    policies,
    policy,
    utc,
    view,
    views,
)
from worker.mail import Address
from worker.policy import Erased, NoMailbox, Policy, WantedMailbox, desired
from worker.policy.document import IRREVERSIBLE, StageAction
from worker.policy.handover import with_forwarding
from worker.policy.instants import later, zone_of
from worker.policy.leaving import NOTHING_TO_BLOCK, departure_of, stages_of
from worker.policy.offset import Offset
from worker.roster.record import EmploymentKind

KING = Address("ada.king@example.org")
FULL = policy(
    AUTOREPLY
    + "".join(
        f'[[leaving.stages]]\nafter = "{after}"\ndo = {actions}\n'
        for after, actions in (
            ("0d", '["block", "leave-groups"]'),
            ("1d", '["autoreply", "forward-to-manager"]'),
            ("30d", '["delete-mailbox"]'),
            ("40d", '["alias-to-manager"]'),
            ("120d", '["release-address"]'),
        )
    )
)
LEFT = employment(EmploymentKind.LEFT, last_working_day=date(2026, 3, 31))
GONE_AT = utc("2026-03-31T22:00")  # midnight in Berlin
MICROSECOND = timedelta(microseconds=1)


def ada(**more: object):
    """Make Ada, who leaves, works for Grace and once received under two addresses."""
    held = {"identities": frozenset({KING}), "received": frozenset({ADDRESS, KING}), "manager": GRACE}
    return view(LEFT, **{**held, "blocked_at": GONE_AT, **more})


def test_each_stage_adds_to_what_a_leaver_has() -> None:
    """Block, answer and forwarding, nothing, aliases, and nothing for good: each from its midnight in Berlin."""
    there = ada()
    deleted = ada(mailbox_exists=False)

    def at(person, text: str):
        return desired(person, FULL, utc(text)).state.mailbox

    first, second = at(there, "2026-03-31T22:00"), at(there, "2026-04-01T22:00")
    assert isinstance(first, WantedMailbox)
    assert (first.autoreply, first.forward_to) == ({}, None)
    assert isinstance(second, WantedMailbox)
    assert second.forward_to == GRACE.address
    assert second.autoreply == {
        "autorespond_active": True,
        "autorespond_subject": "Ada Lovelace left",
        "autorespond_body": "Write to grace.hopper@example.org.",
        "autorespond_expires_on": None,
    }
    assert at(there, "2026-04-30T22:00") == NoMailbox()
    assert at(deleted, "2026-05-10T22:00") == NoMailbox(frozenset({ADDRESS, KING}), GRACE.address)
    assert at(deleted, "2026-07-29T22:00") == NoMailbox(release=True)


def test_the_next_step_is_named_by_the_policys_words() -> None:
    """Schedules say what comes: each action by its name, those of one instant together."""
    story = []
    person, now = ada(blocked_at=None), utc("2026-03-02T12:00")
    while (decision := desired(person, FULL, now)).valid_until is not None:
        now = decision.valid_until
        story.append((now, decision.state.next_step))
        person = ada(mailbox_exists=now < utc("2026-04-30T22:00"))

    assert story == [
        (utc("2026-03-31T22:00"), "block and leave-groups"),
        (utc("2026-04-01T22:00"), "autoreply and forward-to-manager"),
        (utc("2026-04-30T22:00"), "delete-mailbox"),
        (utc("2026-05-10T22:00"), "alias-to-manager"),
        (utc("2026-07-29T22:00"), "release-address"),
    ]


def test_many_actions_of_one_instant_read_as_a_list() -> None:
    """More than two are joined as a sentence joins them."""
    actions = '["block", "leave-groups", "autoreply", "forward-to-manager"]'
    at_once = policy(AUTOREPLY + f'[[leaving.stages]]\nafter = "0d"\ndo = {actions}\n')

    decision = desired(ada(blocked_at=None), at_once, utc("2026-03-02T12:00"))

    assert decision.state.next_step == "block, leave-groups, autoreply and forward-to-manager"


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [
        ("Pacific/Kiritimati", "2026-03-31T10:00"),
        ("Etc/GMT+12", "2026-04-01T12:00"),
        ("Europe/Berlin", "2026-03-31T22:00"),
        ("Australia/Lord_Howe", "2026-03-31T13:00"),
    ],
)
def test_stages_count_where_the_person_lives(zone: str, midnight: str) -> None:
    """The day after the last working day begins at UTC+14 a day before it does at UTC-12."""
    decision = desired(view(LEFT, {**ADA, "timezone": zone}), FULL, utc("2026-03-02T12:00"))

    assert decision.valid_until == utc(midnight)


@pytest.mark.parametrize(
    ("zone", "last_day", "block", "release"),
    [
        ("Europe/Berlin", date(2026, 3, 28), "2026-03-28T23:00", "2026-07-26T22:00"),  # before and after spring
        ("Europe/Berlin", date(2026, 10, 24), "2026-10-24T22:00", "2027-02-21T23:00"),  # and after autumn
        ("America/Havana", date(2026, 3, 7), "2026-03-08T05:00", "2026-07-06T05:00"),  # no midnight on the 8th
    ],
)
def test_days_are_of_the_calendar_across_clock_changes(zone: str, last_day: date, block: str, release: str) -> None:
    """A stage begins at midnight whatever the clocks did since; where there was none, at the hour that came for it."""
    stated = employment(EmploymentKind.LEFT, last_working_day=last_day)
    lives_in = zone_of({"timezone": zone}, "UTC")
    stages = stages_of(departure_of(stated, lives_in), FULL.leaving, lives_in, blocked_at=utc(block))

    assert stages.due[StageAction.BLOCK] == utc(block)
    assert stages.due[StageAction.RELEASE_ADDRESS] == utc(release)


@settings(max_examples=200, deadline=None)
@given(views(), policies(), instants)
def test_nothing_irreversible_comes_before_the_block_was_confirmed_for_as_long(
    person, by: Policy, blocked_at: datetime
) -> None:
    """Each such stage lies as far behind the confirmed block as the policy puts it behind its own block."""
    if person.profile.employment.kind is not EmploymentKind.LEFT:
        return
    zone = zone_of(person.profile.facts, by.organisation.timezone)
    departure = departure_of(person.profile.employment, zone)
    stages = stages_of(departure, by.leaving, zone, blocked_at=blocked_at)
    block = Offset() if departure.immediate else by.leaving.offset_of(StageAction.BLOCK)

    for action in stages.due.keys() & IRREVERSIBLE:
        offset = by.leaving.offset_of(action)
        assert block is not None
        assert offset is not None
        assert stages.due[action] >= stages.due[StageAction.BLOCK]
        assert stages.due[action] >= departure.known_since
        nominal = timedelta(days=offset.days, hours=offset.hours) - timedelta(days=block.days, hours=block.hours)
        # A day is a day of the calendar: 23 hours at the least, and in Apia one of 2011 was none at all.
        assert stages.due[action] - blocked_at >= min(nominal, nominal - timedelta(hours=25))


def test_without_a_confirmed_block_nothing_irreversible_is_ever_due() -> None:
    """Time alone deletes nothing."""
    zone = zone_of({}, "UTC")
    stages = stages_of(departure_of(LEFT, zone), FULL.leaving, zone, blocked_at=None)

    assert not stages.due.keys() & IRREVERSIBLE
    assert stages_of(departure_of(LEFT, zone), FULL.leaving, zone, blocked_at=NOTHING_TO_BLOCK).due.keys() == set(
        StageAction
    ) - {StageAction.PURGE}


def test_later_stages_count_from_the_block_of_a_mailbox_that_is_deleted() -> None:
    """A block that was confirmed ten days late puts off the release by ten days, also once the mailbox is gone."""
    late = ada(mailbox_exists=False, blocked_at=GONE_AT + timedelta(days=10))
    release = later(GONE_AT, Offset(days=130), zone_of({}, "Europe/Berlin"))

    assert desired(late, FULL, release - MICROSECOND).state.mailbox != NoMailbox(release=True)
    assert desired(late, FULL, release).state.mailbox == NoMailbox(release=True)


def test_a_return_freezes_what_cannot_be_undone_and_takes_the_rest_back() -> None:
    """Announced, aliases stay and follow whoever stands in; begun, the mailbox is wanted at the same address."""
    back = employment(hire_date=date(2027, 1, 4), former_departure=left(last_working_day=date(2026, 3, 31)))
    waiting = replace(ada(mailbox_exists=False, redirected=frozenset({ADDRESS, KING})), profile=view(back).profile)

    announced = desired(waiting, FULL, utc("2026-12-01T12:00"))
    assert announced.state.mailbox == NoMailbox(frozenset({ADDRESS, KING}), GRACE.address)
    assert announced.valid_until == utc("2027-01-01T23:00")
    started = desired(waiting, FULL, announced.valid_until).state.mailbox
    assert isinstance(started, WantedMailbox)
    assert (started.address, started.identities, started.create) == (ADDRESS, frozenset({KING}), True)


def test_addresses_that_never_received_are_not_handed_over() -> None:
    """Who left before a mailbox was made has no correspondents."""
    never = ada(mailbox_exists=False, blocked_at=None, received=frozenset())

    assert desired(never, FULL, utc("2026-06-01T00:00")).state.mailbox == NoMailbox()
    assert desired(never, FULL, utc("2026-12-01T00:00")).state.mailbox == NoMailbox(release=True)


def test_an_alias_is_not_asked_to_lead_to_another_domain() -> None:
    """The host would turn the destination into one of its own; the sentence says so."""
    away = replace(GRACE, address=Address("grace@example.com"))
    state = desired(ada(mailbox_exists=False, manager=away), FULL, utc("2026-06-01T00:00")).state.mailbox

    assert isinstance(state, NoMailbox)
    assert state.aliases == frozenset()
    assert "on another domain" in str(state.unexpressed)


def test_nobody_to_stand_in_is_said_with_what_is_missing() -> None:
    """The mailbox is wanted all the same."""
    wanted = with_forwarding(WantedMailbox(ADDRESS, "Ada Lovelace"), ada(manager=None), FULL)

    assert wanted.forward_to is None
    assert "nobody can take over" in str(wanted.unexpressed)


def test_a_purge_lets_the_addresses_go_their_way() -> None:
    """Aliases are made and given up as for anybody; without them the data goes at once."""
    gone = ada(mailbox_exists=False, purged=True)

    assert desired(gone, FULL, utc("2026-05-01T00:00")).state.mailbox == NoMailbox()
    assert desired(gone, FULL, utc("2026-06-01T00:00")).state.mailbox == NoMailbox(
        frozenset({ADDRESS, KING}), GRACE.address
    )
    assert isinstance(desired(replace(gone, received=frozenset()), FULL, GONE_AT).state.mailbox, Erased)
