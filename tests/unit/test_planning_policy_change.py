"""What a change of policy brings, in words: each kind of loss by its own verb, and none where there is none."""

import pytest

from worker.planning.policy_change import BrakeCount, PolicyChange, counts_document, counts_from
from worker.planning.step import Brake


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (BrakeCount(Brake.DELETE, 3, 1, 41), "would delete 3 of 41 mailboxes: allowed 1"),
        (BrakeCount(Brake.DELETE, 3, 1, 41, erased=3), "would erase 3 people: allowed 1"),
        (BrakeCount(Brake.DELETE, 1, 0, 41, given_up=1), "would give up addresses of 1 person: allowed 0"),
        (
            BrakeCount(Brake.DELETE, 9, 1, 41, erased=2, given_up=4),
            "would delete 3 of 41 mailboxes, give up addresses of 4 people and erase 2 people: allowed 1",
        ),
        (
            BrakeCount(Brake.DELETE, 6, 1, 41, erased=2, given_up=4),
            "would give up addresses of 4 people and erase 2 people: allowed 1",
        ),
    ],
)
def test_each_loss_is_told_by_its_verb(count: BrakeCount, said: str) -> None:
    """Also as it was kept in a hold, and by a version that did not count addresses."""
    document = counts_document((count,))

    assert str(count) == said
    assert counts_from(document) == (count,)
    del document["delete"]["given_up"]
    assert counts_from(document)[0].would == count.would


def test_a_change_that_takes_nothing_says_so() -> None:
    """No count is told that is zero."""
    change = PolicyChange("new", "old", (BrakeCount(Brake.DELETE, 0, 1, 41),))

    assert str(change) == "would block, delete, give up and erase nothing"
