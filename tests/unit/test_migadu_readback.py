"""What became of a write whose answer is missing."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.mail import DOORS, Alias, Domain, Forwarding, Identity, Mailbox, Rewrite, address
from worker.migadu import (
    CALL_DEADLINE,
    Fate,
    Invitation,
    Password,
    Sending,
    activate,
    alias_at,
    create,
    delete,
    domain_at,
    fate,
    forwarding_at,
    identity_at,
    mailbox_at,
    rewrite_at,
    update,
)
from worker.migadu.readback import SEEN_FREE_WITHIN

ADA, AL, HOME = address("ada@example.org"), address("al@example.org"), address("ada@home.example")
SENT = datetime(2026, 11, 20, 9, tzinfo=UTC)
AT_ONCE, TOO_LATE = SENT + timedelta(seconds=1), SENT + CALL_DEADLINE
MOMENT = timedelta(microseconds=1)
FREE = Sending(SENT, seen_free_at=SENT - timedelta(seconds=5))
BLIND = Sending(SENT)

CREATIONS = [
    (
        create(mailbox_at(ADA), {"name": "Ada", "may_send": False}, Password("s3cret")),
        Mailbox(ADA, "Ada", {"may_send": False}),
    ),
    (create(alias_at(ADA), {"destinations": (AL,)}), Alias(ADA, frozenset({AL}), {"is_internal": False})),
    (
        create(rewrite_at("example.org", "s"), {"local_part_rule": "s-*", "destinations": (AL,)}),
        Rewrite("example.org", "s", "s-*", frozenset({AL}), 0),
    ),
    (
        create(domain_at("example.org"), {"description": "ours"}),
        Domain("example.org", "inactive", {"description": "ours"}),
    ),
]
OTHERS = [
    Mailbox(ADA, "Another Ada", {"may_send": False}),
    Alias(ADA, frozenset({ADA})),
    Rewrite("example.org", "s", "s-*", frozenset({ADA}), 0),
    Domain("example.org", "inactive", {"description": "theirs"}),
]


@pytest.mark.parametrize(("write", "ours"), CREATIONS)
def test_a_creation_is_ours_if_it_was_seen_free_and_every_field_matches(write, ours):
    """Both are needed; what is there otherwise is somebody else's, however long one waits."""
    assert fate(write, ours, FREE, AT_ONCE) is Fate.APPLIED
    assert fate(write, ours, BLIND, AT_ONCE) is Fate.SOMEBODY_ELSES
    assert fate(write, ours, BLIND, TOO_LATE) is Fate.SOMEBODY_ELSES


@pytest.mark.parametrize(
    ("write", "other"), [(write, other) for (write, _), other in zip(CREATIONS, OTHERS, strict=True)]
)
def test_a_creation_with_another_field_is_somebody_elses(write, other):
    """One field that is not as sent means that another hand made it."""
    assert fate(write, other, FREE, AT_ONCE) is Fate.SOMEBODY_ELSES


@given(age=st.timedeltas(min_value=timedelta(0), max_value=timedelta(minutes=5)))
def test_a_look_counts_for_a_minute(age):
    """A place that was seen free longer ago than a minute may have been taken since."""
    write, ours = CREATIONS[0]
    expected = Fate.APPLIED if age <= SEEN_FREE_WITHIN else Fate.SOMEBODY_ELSES

    assert fate(write, ours, Sending(SENT, seen_free_at=SENT - age), AT_ONCE) is expected


def test_what_is_inside_a_mailbox_of_ours_is_ours():
    """An identity and a forwarding need no look before: nobody else puts anything into our mailbox unseen."""
    identity = create(identity_at(ADA, AL), {"name": "Ada"})
    forwarding = create(forwarding_at(ADA, HOME))

    assert fate(identity, Identity(AL, "Ada"), BLIND, AT_ONCE) is Fate.APPLIED
    assert fate(identity, Identity(AL, "Eve"), BLIND, AT_ONCE) is Fate.SOMEBODY_ELSES
    assert fate(forwarding, Forwarding(HOME, fields={"is_active": True}), BLIND, AT_ONCE) is Fate.APPLIED


def test_an_invitation_to_another_address_is_somebody_elses():
    """The address an invitation went to is a field like any other."""
    write = create(mailbox_at(ADA), {"name": "Ada"}, Invitation(HOME))

    assert fate(write, Mailbox(ADA, "Ada", {"password_recovery_email": HOME}), FREE, AT_ONCE) is Fate.APPLIED
    assert fate(write, Mailbox(ADA, "Ada", {"password_recovery_email": None}), FREE, AT_ONCE) is Fate.SOMEBODY_ELSES


@pytest.mark.parametrize(
    ("write", "shown"),
    [
        *((write, None) for write, _ in CREATIONS),
        (update(mailbox_at(ADA), {"name": "Ada King"}), Mailbox(ADA, "Ada")),
        (update(mailbox_at(ADA), {"name": "Ada King"}), None),
        (update(alias_at(ADA), {"destinations": (AL,)}), Alias(ADA, frozenset({ADA, AL}))),
        (activate(domain_at("example.org")), Domain("example.org", "inactive")),
        (delete(mailbox_at(ADA)), Mailbox(ADA, "Ada")),
    ],
)
def test_what_does_not_show_may_still_arrive_until_its_deadline(write, shown):
    """Not a microsecond before the deadline of the call is it taken for not done."""
    assert fate(write, shown, FREE, AT_ONCE) is Fate.LOOK_AGAIN
    assert fate(write, shown, FREE, TOO_LATE - MOMENT) is Fate.LOOK_AGAIN
    assert fate(write, shown, FREE, TOO_LATE) is Fate.NOT_APPLIED


@pytest.mark.parametrize(
    ("write", "shown"),
    [
        (
            update(mailbox_at(ADA), {"name": "Ada King", "footer_active": False}),
            Mailbox(ADA, "Ada King", {"footer_active": None}),
        ),
        (update(alias_at(ADA), {"destinations": (AL,)}), Alias(ADA, frozenset({AL}))),
        (update(rewrite_at("example.org", "s"), {"name": "t"}), Rewrite("example.org", "t", "s-*", frozenset({AL}))),
        (activate(domain_at("example.org")), Domain("example.org", "active")),
        (delete(mailbox_at(ADA)), None),
    ],
)
def test_what_shows_was_done(write, shown):
    """An update that is seen, and a deletion's empty place, need no second look."""
    assert fate(write, shown, BLIND, AT_ONCE) is Fate.APPLIED


def test_a_password_is_set_only_if_something_sent_with_it_shows():
    """A block of open doors is proved by their closing; where nothing changed that shows, it is done again."""
    closed = dict.fromkeys(DOORS, False)
    block, shown = update(mailbox_at(ADA), closed, Password("r4ndom")), Mailbox(ADA, "Ada", closed)
    was_open = Sending(SENT, before={**closed, "may_send": True})

    assert fate(block, shown, was_open, AT_ONCE) is Fate.APPLIED
    assert fate(block, shown, Sending(SENT, before=closed), TOO_LATE) is Fate.NOT_APPLIED
    assert fate(block, shown, BLIND, TOO_LATE) is Fate.NOT_APPLIED
    assert fate(update(mailbox_at(ADA), {}, Password("r4ndom")), shown, was_open, AT_ONCE) is Fate.LOOK_AGAIN
