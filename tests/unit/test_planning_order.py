"""What of a plan may still be made when a step of it was left out: the other doors, and nothing that needs it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.mail import DOORS, Address
from worker.planning.order import CLOSINGS, HostObject, doors_first, may_be_made
from worker.planning.plan import Plan
from worker.planning.step import NO_CALLS, RANDOM_PASSWORD, Brake, Operation, Step, StepFields

ADA, COUNTESS, GRACE = (Address(f"{each}@example.org") for each in ("ada", "countess", "grace"))
_INSIDE = ("identity", "forwarding")


def step(operation: Operation, target: Address = ADA) -> Step:
    """Return a step on an object of Ada's."""
    inside = operation.partition("-")[2] in _INSIDE
    return Step(operation, target, before={}, after={}, mailbox=ADA if inside else None)


@given(st.sampled_from(sorted(CLOSINGS)), st.sampled_from(sorted({*Operation} - {*NO_CALLS})))
def test_a_door_is_closed_whatever_else_was_left_out(closing: Operation, left_out: Operation) -> None:
    """Nothing but the mailbox that is not there, or the very same object, keeps a door open."""
    may = may_be_made(step(closing, COUNTESS), [step(left_out, GRACE)])

    assert may is (left_out not in (Operation.CREATE_MAILBOX, Operation.DELETE_MAILBOX))


@pytest.mark.parametrize(
    "loss",
    [
        Operation.DELETE_MAILBOX,
        Operation.DELETE_IDENTITY,
        Operation.DELETE_ALIAS,
        Operation.DELETE_REWRITE,
        Operation.RELEASE_ADDRESS,
    ],
)
@given(left_out=st.sampled_from(sorted(Operation)))
def test_nothing_is_taken_away_while_anything_is_left_out(loss: Operation, left_out: Operation) -> None:
    """What comes last can wait, and cannot be taken back."""
    assert not may_be_made(step(loss, COUNTESS), [step(left_out, GRACE)])
    assert may_be_made(step(loss, COUNTESS), [])


@given(st.sampled_from(sorted(Operation)), st.sampled_from(sorted(Operation)))
def test_an_object_is_written_in_order(first: Operation, second: Operation) -> None:
    """What was left out of an object, or stands at its address, is not written over."""
    assert not may_be_made(step(second), [step(first)])


def test_one_forwarding_goes_before_the_next_is_made() -> None:
    """The ledger knows one forwarding of a mailbox as ours; the former, not deleted, would be nobody's."""
    former, wanted = step(Operation.DELETE_FORWARDING, GRACE), step(Operation.CREATE_FORWARDING, COUNTESS)

    assert not may_be_made(wanted, [former])
    assert may_be_made(wanted, [step(Operation.UPDATE_MAILBOX)])


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        (Operation.BLOCK_MAILBOX, "mailbox ada@example.org"),
        (Operation.RESET_PASSWORD, "mailbox ada@example.org"),
        (Operation.SET_AUTOREPLY, "mailbox ada@example.org"),
        (Operation.BLOCK_IDENTITY, "identity ada@example.org of ada@example.org"),
        (Operation.DELETE_FORWARDING, "forwarding to ada@example.org of ada@example.org"),
        (Operation.UPDATE_ALIAS, "alias ada@example.org"),
        (Operation.CREATE_REWRITE, "rewrite ada@example.org"),
    ],
)
def test_an_object_is_named_as_people_know_it(operation: Operation, said: str) -> None:
    """The name tells what it is, where, and in which mailbox."""
    assert str(HostObject.of(step(operation))) == said


def test_doors_are_closed_alone_before_a_block_that_fails() -> None:
    """What the host has failed to block gets its doors closed first; what is closed, or did not fail, stays as is."""
    opened: StepFields = dict.fromkeys(DOORS, True)
    closed: StepFields = dict.fromkeys(DOORS, False)
    block = Step(Operation.BLOCK_MAILBOX, ADA, opened, {**closed, "password": RANDOM_PASSWORD}, brake=Brake.BLOCK)
    login = Step(Operation.BLOCK_IDENTITY, COUNTESS, opened, {**closed, "password": RANDOM_PASSWORD}, mailbox=ADA)
    again = replace(login, before=closed)
    failing = [HostObject.of(block), HostObject.of(again)]

    found = doors_first(Plan((block, again)), failing).steps

    assert [step.operation for step in found] == ["suspend-mailbox", "block-mailbox", "block-identity"]
    assert (found[0].before, found[0].after, found[0].brake) == (opened, closed, None)
    assert (found[1].before, found[1].after, found[1].brake) == (closed, block.after, Brake.BLOCK)
    assert doors_first(Plan((block, login)), []).steps == (block, login)
