"""Who takes over for a person, and at which address a person can take over for others."""

import pytest

from tests.unit.policy_people import ADDRESS, NOW, employment, policy, view
from worker.mail import Address
from worker.policy import Manager, PolicyInvalid, desired, stand_in, takeover_address
from worker.policy.stand_in import NOBODY_STANDS_IN
from worker.roster import EmploymentKind

GRACE = Manager(Address("grace.hopper@example.org"), "Grace Hopper")
WITH_FALLBACK = '[leaving]\nfallback = "hr"\n'


def left(**more):
    """Make a departure on 1 March 2026."""
    return employment(EmploymentKind.LEFT, left_at=NOW.replace(day=1), **more)


def test_the_manager_takes_over_before_the_fallback():
    """Where somebody in line stands in, the policy's fallback has nothing to do."""
    assert stand_in(view(manager=GRACE), policy(WITH_FALLBACK)) == GRACE.address


def test_the_fallback_takes_over_where_no_manager_can():
    """Without anybody in line the policy says who takes over, and without that nobody does."""
    assert stand_in(view(), policy(WITH_FALLBACK)) == "hr@example.org"
    assert stand_in(view(), policy('[leaving]\nfallback = "postmaster@example.org"\n')) == "postmaster@example.org"
    assert stand_in(view(), policy()) is None


@pytest.mark.parametrize("held", [{"address": ADDRESS}, {"address": None, "identities": frozenset({ADDRESS})}])
def test_nobody_takes_over_from_themselves(held):
    """A fallback that is an address of the very person who leaves is none for them."""
    assert stand_in(view(**held), policy(f'[leaving]\nfallback = "{ADDRESS}"\n')) is None


@pytest.mark.parametrize("fallback", ["hr@elsewhere.example", "h r", ""])
def test_a_fallback_that_is_no_address_of_ours_is_refused(fallback):
    """The mail host turns destinations elsewhere into others, so the policy names the line instead."""
    with pytest.raises(PolicyInvalid) as refused:
        policy(f'[leaving]\nfallback = "{fallback}"\n')

    assert [(problem.key, problem.line) for problem in refused.value.problems] == [("leaving.fallback", 8)]


@pytest.mark.parametrize(
    ("seen", "stands"),
    [
        (view(), True),
        (view(employment(EmploymentKind.LEFT, left_at=NOW.replace(day=9))), True),
        (view(employment(EmploymentKind.LEAVING_CANCELLED)), True),
        (view(mailbox_exists=False), False),
        (view(suspended=True), False),
        (view(left()), False),
        (view(employment(EmploymentKind.JOINING_CANCELLED)), False),
        (view(employment(EmploymentKind.LEFT, left_at=NOW.replace(day=9), immediate=True)), False),
        (view(employment(hire_date=NOW.replace(month=6).date())), False),
    ],
    ids=["works", "leaves soon", "stays", "no mailbox", "suspended", "gone", "cancelled", "at once", "pending"],
)
def test_who_works_here_and_has_a_mailbox_can_take_over(seen, stands):
    """Until the departure somebody takes over for others; not while suspended, and not without a mailbox."""
    rules = policy('[[leaving.stages]]\nafter = "5d"\ndo = ["block"]\n')

    assert takeover_address(seen, desired(seen, rules, NOW).state) == (ADDRESS if stands else None)


LEAVING = '{fallback}[[leaving.stages]]\nafter = "0d"\ndo = ["block", "autoreply"]\n'
ANSWERS = '[leaving]\nautoreply = {{ subject = "{subject}", body = "{body}" }}\n'
NAMED = {"subject": "I left", "body": "Write to {manager.displayName} <{manager.address}>"}


def answered(text, seen, fallback=""):
    """Return the mailbox that is wanted for somebody who has left, the policy answering with this text."""
    policy_text = ANSWERS.format(**text) + LEAVING.format(fallback=fallback)
    return desired(seen, policy(policy_text), NOW).state.mailbox


def test_an_answer_that_names_the_manager_waits_for_somebody_to_name():
    """No correspondent is told to write to nobody; everything else is wanted, and the job says what is missing."""
    wanted = answered(NAMED, view(left()))

    assert (wanted.autoreply, wanted.unexpressed, wanted.access) == ({}, NOBODY_STANDS_IN, "blocked")


def test_an_answer_that_names_nobody_goes_out_without_anybody_to_take_over():
    """What the text does not say cannot be missing."""
    wanted = answered({"subject": "{displayName} left", "body": "Good-bye."}, view(left()))

    assert (wanted.autoreply["autorespond_subject"], wanted.unexpressed) == ("Ada Lovelace left", None)


def test_an_answer_names_whoever_stands_in():
    """The manager by name and address; the fallback, which has no name, by its address."""
    bodies = {
        seen.manager and seen.manager.address: answered(NAMED, seen, fallback='fallback = "hr"\n').autoreply
        for seen in (view(left()), view(left(), manager=GRACE))
    }

    assert bodies[None]["autorespond_body"] == "Write to hr@example.org <hr@example.org>"
    assert bodies[GRACE.address]["autorespond_body"] == "Write to Grace Hopper <grace.hopper@example.org>"
