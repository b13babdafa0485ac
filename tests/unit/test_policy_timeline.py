"""The timeline: every coming change at its exact instant, and for how long each can be undone."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given

from tests.unit.policy_people import ADDRESS, NOW, employment, instants, policies, policy, utc, view, views
from worker.policy import Access, DesiredPerson, NoMailbox, PersonView, Policy, WantedMailbox, desired
from worker.policy.timeline import Change, irreversible_at, served, timeline
from worker.roster import EmploymentKind

MOMENT = timedelta(microseconds=1)
LEFT = EmploymentKind.LEFT


def _state(seen: PersonView, rules: Policy, at: datetime) -> DesiredPerson:
    return replace(desired(seen, rules, at).state, next_step=None)


def _all_done(seen: PersonView, rules: Policy, at: datetime) -> PersonView:
    """What is seen once everything is done that is due at an instant, one thing after another."""
    while (later := served(seen, rules, _state(seen, rules, at).mailbox, at)) != seen:
        seen = later
    return seen


def _steps(changes: tuple[Change, ...]) -> list[tuple[datetime, str]]:
    return [(change.at, change.step) for change in changes]


@given(views(), policies(), instants)
def test_instants_are_where_desired_differs(seen: PersonView, rules: Policy, now: datetime) -> None:
    """One microsecond before each change the state is the one before it, at it another, which stays a moment later.

    After the last change none comes.
    """
    seen = served(seen, rules, _state(seen, rules, now).mailbox, now)
    at = now
    for change in timeline(seen, rules, now):
        assert change.at >= at
        if change.at > at:
            assert _state(seen, rules, change.at - MOMENT) == _state(seen, rules, at)
            assert _state(seen, rules, change.at) != _state(seen, rules, at)
            assert desired(seen, rules, at).valid_until == change.at
            changed = desired(seen, rules, change.at)
            if changed.valid_until != change.at + MOMENT:
                assert desired(seen, rules, change.at + MOMENT) == changed
        at = change.at
        seen = _all_done(seen, rules, at)
    assert desired(_all_done(seen, rules, at), rules, at).valid_until is None


@given(views(), policies(), instants)
def test_way_back_is_open_until_the_next_irreversible_change(seen: PersonView, rules: Policy, now: datetime) -> None:
    """Every change before an irreversible one can be undone until that; after the last, without end."""
    changes = timeline(seen, rules, now)

    for number, change in enumerate(changes):
        ends = [later.at for later in changes[number:] if later.irreversible]
        assert change.undoable_until == (ends[0] if ends else None)
    assert irreversible_at(seen, rules, now) == next((each.at for each in changes if each.irreversible), None)


@given(views(), policies(), instants)
def test_until_cuts_and_changes_nothing_else(seen: PersonView, rules: Policy, now: datetime) -> None:
    """A shorter look shows the same changes, those after its end apart."""
    until = now + timedelta(days=20)

    assert timeline(seen, rules, now, until) == tuple(each for each in timeline(seen, rules, now) if each.at <= until)


def test_departure_is_told_to_its_end() -> None:
    """An announced departure blocks after the last working day and deletes thirty days later, midnights of the zone."""
    leaver = view(employment(LEFT, last_working_day=utc("2026-03-27").date()), {"timezone": "Europe/Berlin"})

    block, delete = timeline(leaver, policy(), NOW)

    assert (block.at, delete.at) == (utc("2026-03-27T23:00"), utc("2026-04-26T22:00"))  # the clocks change in between
    assert (block.step, delete.step) == ("block", "delete-mailbox")
    assert (block.irreversible, delete.irreversible) == (False, True)
    assert block.undoable_until == delete.undoable_until == delete.at


def test_who_never_had_an_address_gives_none_up() -> None:
    """Of somebody who is only known to have left, as in a roster's history, nothing is foretold that takes anything."""
    stages = """
        [[leaving.stages]]
        after = "0d"
        do = ["block"]
        [[leaving.stages]]
        after = "30d"
        do = ["delete-mailbox", "alias-to-manager"]
        [[leaving.stages]]
        after = "60d"
        do = ["release-address"]
    """
    stranger = view(employment(LEFT), address=None, mailbox_exists=False, received=frozenset())

    assert timeline(stranger, policy(stages), NOW) == ()
    assert desired(stranger, policy(stages), NOW).valid_until is None


def test_block_that_is_overdue_counts_as_done_now() -> None:
    """While a block waits to be made its deletion is foretold as if it were confirmed at once."""
    leaver = view(employment(LEFT))

    (delete,) = timeline(leaver, policy(timezone="UTC"), NOW)

    assert (delete.at, delete.step) == (NOW + timedelta(days=30), "delete-mailbox")


def test_joiner_of_a_fixed_term_is_told_from_beginning_to_end() -> None:
    """Somebody who will join and leave gets a mailbox, is blocked and deleted, although no address is allocated yet."""
    term = employment(LEFT, joined=True, hire_date=utc("2026-04-01").date(), last_working_day=utc("2026-06-30").date())

    changes = timeline(view(term, address=None, mailbox_exists=False), policy(timezone="UTC"), NOW)

    assert _steps(changes) == [
        (utc("2026-03-30"), "create-mailbox"),
        (utc("2026-07-01"), "block and leave-groups"),
        (utc("2026-07-31"), "delete-mailbox"),
    ]


def test_stages_at_one_instant_are_told_in_their_order() -> None:
    """A policy that deletes at once blocks first: two changes at one instant, of which the second is final."""
    at_once = policy('[[leaving.stages]]\nafter = "0d"\ndo = ["block", "delete-mailbox"]\n', timezone="UTC")
    leaver = view(employment(LEFT, left_at=utc("2026-04-01")), {})

    changes = timeline(leaver, at_once, NOW)

    assert _steps(changes) == [(utc("2026-04-01"), "block"), (utc("2026-04-01"), "delete-mailbox")]
    assert [change.irreversible for change in changes] == [False, True]


def test_last_stages_are_told_and_final() -> None:
    """Giving addresses up, and the erasure after it, are changes of their own that nobody can undo."""
    stages = "".join(
        f'[[leaving.stages]]\nafter = "{after}"\ndo = ["{do}"]\n'
        for after, do in (("0d", "block"), ("30d", "delete-mailbox"), ("60d", "release-address"), ("90d", "purge"))
    )
    leaver = view(employment(LEFT, left_at=utc("2026-04-01")), {}, received=frozenset({ADDRESS}))

    changes = timeline(leaver, policy(stages, timezone="UTC"), NOW)

    assert _steps(changes) == [
        (utc("2026-04-01"), "block"),
        (utc("2026-05-01"), "delete-mailbox"),
        (utc("2026-05-31"), "release-address"),
        (utc("2026-06-30"), "purge"),
    ]
    assert [change.irreversible for change in changes] == [False, True, True, True]


def test_nothing_comes_for_who_stays() -> None:
    """Who works here, and who is suspended, has no schedule."""
    assert timeline(view(), policy(), NOW) == ()
    assert timeline(view(suspended=True), policy(), NOW) == ()


def test_serving_a_state_gives_the_view_after_it() -> None:
    """A block is noted once, the way back forgets it, a deletion leaves no mailbox."""
    blocked = WantedMailbox(ADDRESS, "Ada", access=Access.BLOCKED, create=False)
    once = served(view(), policy(), blocked, NOW)

    assert once.blocked_at == NOW
    assert served(once, policy(), blocked, NOW + timedelta(days=1)) == once
    assert served(once, policy(), WantedMailbox(ADDRESS, "Ada"), NOW).blocked_at is None
    assert not served(once, policy(), NoMailbox(), NOW).mailbox_exists


def test_a_start_that_was_put_off_is_told_as_a_start() -> None:
    """The mailbox is there and stays open, so that nothing but the time of waiting ends on that day."""
    put_off = employment(hire_date=utc("2026-05-01").date())

    changes = timeline(view(put_off), policy(timezone="UTC"), NOW)

    assert _steps(changes) == [(utc("2026-04-29"), "joining")]
    assert desired(view(put_off, suspended=True), policy(timezone="UTC"), NOW).state.next_step == "joining"


@given(views(), policies(), instants)
def test_nobody_departs_who_works_here_from_then_on(seen: PersonView, rules: Policy, now: datetime) -> None:
    """Whatever else is told of a change, it is no departure then; and nobody joins who is gone by it."""
    decision = desired(seen, rules, now)

    if decision.valid_until is not None:
        after = _state(seen, rules, decision.valid_until).phase
        assert not (decision.state.next_step == "departure" and after in ("active", "suspended"))
        assert not (decision.state.next_step == "joining" and after in ("left", "cancelled", "pending"))
