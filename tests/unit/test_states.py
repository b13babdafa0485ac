"""The state machines of events, hints, jobs and steps: every move there is, and that there is no other."""

from collections.abc import Mapping
from enum import StrEnum
from itertools import product

import pytest

from worker.store.states import (
    EVENT_MOVES,
    HINT_MOVES,
    JOB_MOVES,
    OUTSTANDING,
    STEP_MOVES,
    UNSETTLED,
    EventState,
    HintState,
    IllegalMove,
    JobState,
    StepState,
    move,
)

EVENTS = {
    "accepted": "applied parked",
    "parked": "accepted applied dismissed",
    "dismissed": "accepted applied",
    "applied": "",
    "rejected": "",
}
HINTS = {"waiting": "waiting fetching", "fetching": "waiting parked settled", "parked": "waiting", "settled": ""}
JOBS = {
    "queued": "queued running dismissed",
    "running": "running queued waiting held parked done",
    "waiting": "queued running dismissed",
    "held": "queued dismissed",
    "parked": "queued dismissed",
    "done": "",
    "dismissed": "",
}
STEPS = {
    "intended": "sent superseded",
    "sent": "confirmed refused unknown intended",
    "unknown": "confirmed intended",
    "confirmed": "",
    "refused": "",
    "superseded": "",
}
MACHINES = [
    pytest.param(EventState, EVENT_MOVES, EVENTS, id="events"),
    pytest.param(HintState, HINT_MOVES, HINTS, id="hints"),
    pytest.param(JobState, JOB_MOVES, JOBS, id="jobs"),
    pytest.param(StepState, STEP_MOVES, STEPS, id="steps"),
]


@pytest.mark.parametrize(("states", "moves", "written"), MACHINES)
def test_every_move_is_the_written_one_and_any_other_raises(
    states: type[StrEnum], moves: Mapping, written: dict[str, str]
) -> None:
    """Each pair of states is either a move of the table or raises, and the table is the one written here."""
    for old, new in product(states, states):
        if new.value in written[old.value].split():
            assert move(moves, old, new) is new
        else:
            with pytest.raises(IllegalMove, match=f"{old.value} cannot become {new.value}"):
                move(moves, old, new)


@pytest.mark.parametrize(("states", "moves", "written"), MACHINES)
def test_every_state_has_its_row(states: type[StrEnum], moves: Mapping, written: dict[str, str]) -> None:
    """No state is missing in its table, so that no move can fail for want of a row."""
    assert set(moves) == set(states) == set(written)


def test_outstanding_jobs_are_those_that_are_not_final() -> None:
    """A job is outstanding exactly as long as a move is left."""
    assert set(OUTSTANDING) == {state for state, after in JOB_MOVES.items() if after}


def test_unsettled_steps_are_those_that_may_have_reached_the_host() -> None:
    """A step is unsettled exactly while only reading back can tell whether it was applied."""
    assert set(UNSETTLED) == {state for state, after in STEP_MOVES.items() if StepState.CONFIRMED in after}
